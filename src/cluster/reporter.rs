//! Writes status and events. Only the holder of the lease does.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::runtime::events::{Event, EventType, Recorder, Reporter as Author};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::home::{Home, MANAGER};
use super::object;
use super::report::{self, LOADED, Outcome};
use super::status::Status;
use super::writes::Registered;
use crate::policy::decision::cut;
use crate::policy::spec::{API_VERSION, KIND};

/// Who owns what is written here: other conditions are others'.
const FIELD_MANAGER: &str = "portcullis-policies";
/// Events take 1 kB.
const MAX_NOTE: usize = 1_000;

/// Tells the cluster what came of its policies.
pub struct Reporter {
    api: Api<DynamicObject>,
    recorder: Recorder,
}

impl Reporter {
    /// As this replica.
    pub fn new(client: Client, home: &Home) -> Reporter {
        let author = Author {
            controller: MANAGER.to_owned(),
            instance: Some(home.identity.clone()),
        };
        Reporter {
            api: Api::all_with(client.clone(), &object::resource()),
            recorder: Recorder::new(client, author),
        }
    }

    /// Writes the status of a policy if it has changed, and an event if the
    /// news is bad. What cannot be written is logged; whoever calls again
    /// later writes it then.
    pub async fn report(
        &self,
        object: &DynamicObject,
        outcome: &Outcome,
        registered: Option<&Registered>,
    ) {
        let Some(status) = report::status(object, outcome, registered, &now()) else {
            return;
        };
        if let Err(error) = self.write(object, &status).await {
            let policy = object.name_any();
            tracing::warn!(policy, %error, "the status of a policy could not be written");
            return;
        }
        let before = object::status(object);
        let said = before.condition(LOADED).map(|one| &one.message);
        let says = status.condition(LOADED).map(|one| &one.message);
        if said != says
            && let Some(failure) = outcome.failure()
        {
            let reason = report::reason(failure.cause);
            let note = says.cloned().unwrap_or_default();
            self.publish(object, reason, note).await;
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

    async fn publish(&self, object: &DynamicObject, reason: &str, note: String) {
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_owned(),
            note: Some(cut(note, MAX_NOTE)),
            action: "Load".to_owned(),
            secondary: None,
        };
        let regarding = ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(KIND.to_owned()),
            name: object.metadata.name.clone(),
            uid: object.uid(),
            ..ObjectReference::default()
        };
        if let Err(error) = self.recorder.publish(&event, &regarding).await {
            let policy = object.name_any();
            tracing::warn!(policy, %error, "an event could not be written");
        }
    }
}

fn now() -> String {
    let now = OffsetDateTime::now_utc();
    let whole = now.replace_nanosecond(0).unwrap_or(now);
    whole.format(&Rfc3339).unwrap_or_default()
}
