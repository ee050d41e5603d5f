//! Writes the status of exemptions, after an audit of the replica that leads.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client, ResourceExt};
use serde::Deserialize;
use serde_json::json;

use super::status::{Status, status};
use super::{list, resource};
use crate::finding::exempting::Exempting;
use crate::policy::exemption::KIND;
use crate::policy::spec::API_VERSION;

/// Who owns what is written here.
const FIELD_MANAGER: &str = "portcullis-audit";
/// Between two writes: twenty a second at most.
const PAUSE: Duration = Duration::from_millis(50);

/// Tells each exemption what the audit saw of it, where that is news.
///
/// # Errors
///
/// What the API server said first.
pub async fn write(client: &Client, audited: &[Exempting]) -> kube::Result<()> {
    if audited.is_empty() {
        return Ok(());
    }
    for object in list(client, &[]).await? {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let same = |one: &&Exempting| one.namespace == namespace && one.name == name;
        let Some(one) = audited.iter().find(same) else {
            continue;
        };
        let before = Status::deserialize(&object.data["status"]).unwrap_or_default();
        let generation = object.metadata.generation.unwrap_or_default();
        let Some(after) = status(&before, generation, one, Timestamp::now()) else {
            continue;
        };
        let document = json!({"apiVersion": API_VERSION, "kind": KIND, "status": after,
            "metadata": {"name": name, "namespace": namespace, "uid": object.uid()}});
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource());
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        match api
            .patch_status(&name, &parameters, &Patch::Apply(document))
            .await
        {
            // Deleted meanwhile, or deleted and made anew.
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
            written => drop(written?),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
