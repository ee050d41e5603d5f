//! Staged Secrets that no ConfigMap names any more go, an hour after they came.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, Preconditions};
use kube::core::PartialObjectMeta;
use portcullis_relocation::collection::{Candidate, plan, unnamed};
use portcullis_relocation::marks;
use portcullis_relocation::moments::Moment;
use portcullis_relocation::promotion::wanted;

use super::namespace::patiently;
use super::{Serving, clock};
use crate::cluster::relocation::pages;
use crate::cluster::told::one_line;
use crate::failpoint::{reached, seconds_ahead};

/// Clears one namespace. What fails is tried again with the next look.
pub(super) async fn clean(serving: &Serving, namespace: &str) {
    if let Err(problem) = patiently(cleared(serving, namespace)).await {
        tracing::warn!(namespace, problem, "Secrets that nobody uses are left");
    }
}

/// In the order that [`plan`] asks for: the time, the Secrets, the ConfigMaps.
async fn cleared(serving: &Serving, namespace: &str) -> Result<(), String> {
    let told = |error: kube::Error| one_line(&error);
    let now = clock::now(&serving.client).await? + seconds_ahead();
    let secrets: Api<Secret> = Api::namespaced(serving.client.clone(), namespace);
    let role = format!("{}={}", marks::ROLE, marks::STAGED);
    let selected = ListParams::default().labels(&role);
    let staged = secrets.list_metadata(&selected).await.map_err(told)?;
    let candidates: Vec<Candidate> = staged.iter().map(candidate).collect();
    if candidates.is_empty() {
        serving.metrics.unnamed(namespace, 0, None);
        return Ok(());
    }
    reached(Moment::CollectListed);
    let named = named(&serving.client, namespace).await?;
    let waiting = unnamed(&candidates, &named);
    let oldest = waiting.iter().map(|one| one.created).min();
    serving.metrics.unnamed(namespace, waiting.len(), oldest);
    for candidate in plan(now, &candidates, &named) {
        let parameters = DeleteParams::default().preconditions(Preconditions {
            uid: Some(candidate.uid.clone()),
            resource_version: None,
        });
        let name = &candidate.name;
        reached(Moment::CollectDeleting);
        let deleted = secrets.delete(name, &parameters).await;
        reached(Moment::CollectDeleted);
        match deleted {
            Ok(_) => tracing::info!(namespace, secret = name, "nobody uses it: deleted"),
            Err(kube::Error::Api(status)) if matches!(&*status.reason, "NotFound" | "Conflict") => {
            }
            Err(error) => return Err(told(error)),
        }
    }
    Ok(())
}

/// The staged Secrets that ConfigMaps name.
async fn named(client: &Client, namespace: &str) -> Result<BTreeSet<String>, String> {
    let mut named = BTreeSet::new();
    let take = |map| {
        let value = serde_json::to_value(map);
        let value = value.map_err(|_| "a ConfigMap cannot be read".to_owned())?;
        named.extend(wanted(&value).map_err(|error| error.to_string())?);
        Ok(())
    };
    pages::config_maps(client, namespace, take).await?;
    Ok(named)
}

fn candidate(secret: &PartialObjectMeta<Secret>) -> Candidate {
    let metadata = &secret.metadata;
    let labels = metadata.labels.as_ref();
    let created = metadata.creation_timestamp.as_ref();
    Candidate {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        ours: labels.is_some_and(|labels| labels.contains_key(marks::ROLE)),
        // One without a time is as new as can be.
        created: created.map_or(i64::MAX, |time| time.0.as_second()),
    }
}
