//! Writes reports, where the cluster has their kind.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::summary::REPORTS;
use crate::cluster::anchor::api::Anchor;
use crate::cluster::home::MANAGER;

/// Who owns what is written here.
const FIELD_MANAGER: &str = "portcullis-audit";
/// Between two reports.
const PAUSE: Duration = Duration::from_millis(50);

/// Writes these reports, and deletes those of ours that are no more.
///
/// # Errors
///
/// What the API server said first; the installation is being removed.
pub async fn write(
    client: &Client,
    anchor: &Anchor,
    documents: BTreeMap<Option<String>, Value>,
) -> Result<()> {
    let owner = anchor.owner().await?;
    for (kind, plural) in [("Report", "reports"), ("ClusterReport", "clusterreports")] {
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind, plural));
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=portcullis");
        for known in all.list_metadata(&ours).await?.items {
            let namespace = known.metadata.namespace;
            let is_ours = known.metadata.name.as_deref() == Some(MANAGER);
            if is_ours && !documents.contains_key(&namespace) {
                delete(client, namespace.as_deref()).await?;
            }
        }
    }
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    for (namespace, mut document) in documents {
        if let Some(owner) = &owner {
            document["metadata"]["ownerReferences"] = json!([owner]);
        }
        let api = api(client, namespace.as_deref());
        match api
            .patch(MANAGER, &parameters, &Patch::Apply(document))
            .await
        {
            // The namespace is on its way out.
            Err(kube::Error::Api(status))
                if [403, 404].contains(&status.code)
                    && status.reason == "Forbidden"
                    && status.message.contains("being terminated") => {}
            written => drop(written?),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn delete(client: &Client, namespace: Option<&str>) -> kube::Result<()> {
    let api = api(client, namespace);
    match api.delete(MANAGER, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        deleted => deleted.map(drop),
    }
}

fn api(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => {
            Api::namespaced_with(client.clone(), namespace, &resource("Report", "reports"))
        }
        None => Api::all_with(client.clone(), &resource("ClusterReport", "clusterreports")),
    }
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    let (group, version) = REPORTS;
    let kind = GroupVersionKind::gvk(group, version, kind);
    ApiResource::from_gvk_with_plural(&kind, plural)
}
