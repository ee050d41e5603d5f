//! Writes status and events. Only the holder of the lease does.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::home::Home;
use super::notices::api::Teller;
use super::object;
use super::report::{self, Told};
use super::status::Status;
use crate::policy::spec::{API_VERSION, KIND};

/// Who owns what is written here: other conditions are others'.
const FIELD_MANAGER: &str = "portcullis-policies";

/// Tells the cluster what came of its policies.
pub struct Reporter {
    api: Api<DynamicObject>,
    teller: Teller,
}

impl Reporter {
    /// As this replica.
    pub fn new(client: Client, home: &Home) -> Reporter {
        Reporter {
            api: Api::all_with(client.clone(), &object::resource()),
            teller: Teller::new(client, home),
        }
    }

    /// Writes the status of a policy if it has changed, and an event if the
    /// news is bad. What cannot be written is logged; whoever calls again
    /// later writes it then.
    pub async fn report(&self, object: &DynamicObject, told: Told<'_>) {
        let Some(status) = report::status(object, told, &now()) else {
            return;
        };
        if let Err(error) = self.write(object, &status).await {
            let policy = object.name_any();
            tracing::warn!(policy, %error, "the status of a policy could not be written");
            return;
        }
        let before = object::status(object);
        for notice in report::news(&before, &status, told) {
            self.teller.warn(&reference(object), "Load", notice).await;
        }
    }

    async fn write(&self, object: &DynamicObject, status: &Status) -> kube::Result<()> {
        let name = object.name_any();
        let document = json!({"apiVersion": API_VERSION, "kind": KIND,
            "metadata": {"name": name, "uid": object.uid()}, "status": status});
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(document);
        match self.api.patch_status(&name, &parameters, &patch).await {
            // Deleted meanwhile, or deleted and made anew.
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(()),
            written => written.map(drop),
        }
    }
}

fn reference(object: &DynamicObject) -> ObjectReference {
    ObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: Some(KIND.to_owned()),
        name: object.metadata.name.clone(),
        uid: object.uid(),
        ..ObjectReference::default()
    }
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let whole = now.replace_nanosecond(0).unwrap_or(now);
    whole.format(&Rfc3339).unwrap_or_default()
}
