//! What is in a namespace, as who runs it may see it.

use std::collections::BTreeMap;
use std::fmt::Debug;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ReplicationController};
use kube::api::{Api, ListParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::relocation::resource::{self, Spec, Status};
use crate::cluster::relocation::{LABEL, MOVE, pages};
use crate::review;

/// A namespace, looked at once. No `Debug`: it holds values.
pub(super) struct Seen {
    /// Its name.
    pub(super) name: String,
    /// The Namespace, or what is known of one that may not be read.
    pub(super) namespace: Value,
    /// Whether that is all of it.
    pub(super) is_whole: bool,
    /// Its ConfigMaps.
    pub(super) config_maps: Vec<Value>,
    /// Its pods.
    pub(super) pods: Vec<Value>,
    /// What makes pods.
    pub(super) workloads: Vec<Value>,
    /// Its Relocations, by name.
    pub(super) relocations: BTreeMap<String, (Spec, Status)>,
    /// Kinds that may not be listed.
    pub(super) unseen: Vec<&'static str>,
    /// Whether who runs it may create Secrets there, which who redacts must.
    pub(super) may_create_secrets: bool,
}

impl Seen {
    /// Looks.
    ///
    /// # Errors
    ///
    /// What the API server says of ConfigMaps, pods or Relocations.
    pub(super) async fn look(client: &Client, name: &str) -> Result<Seen> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let (namespace, is_whole) = match namespaces.get_opt(name).await {
            Ok(Some(found)) => (serde_json::to_value(found)?, true),
            Ok(None) => return Err(anyhow!("there is no namespace `{name}`")),
            Err(kube::Error::Api(status)) if status.code == 403 => (review::namespace(name), false),
            Err(error) => return Err(error).context("the namespace"),
        };
        let config_maps = listed::<ConfigMap>(client, name).await;
        let config_maps = config_maps.with_context(|| format!("ConfigMaps of {name}"))?;
        let mut found = Vec::new();
        let take = |pod| {
            let pod = serde_json::to_value(pod);
            found.push(pod.map_err(|_| format!("a pod of {name} cannot be read"))?);
            Ok(())
        };
        let read = pages::pods(client, name, take).await;
        read.map_err(anyhow::Error::msg)?;
        let relocations = resource::within(client, name);
        let relocations = relocations.list(&ListParams::default()).await;
        let relocations = relocations.context("Relocations (`portcullis crd` defines them)")?;
        let relocation = |one| {
            (
                ResourceExt::name_any(one),
                (resource::spec(one), resource::status(one)),
            )
        };
        let (workloads, unseen) = workloads(client, name).await?;
        Ok(Seen {
            name: name.to_owned(),
            namespace,
            is_whole,
            config_maps,
            pods: found,
            workloads,
            relocations: relocations.iter().map(relocation).collect(),
            unseen,
            may_create_secrets: may_create_secrets(client, name).await?,
        })
    }

    /// Whether secrets leave its ConfigMaps; None where nobody knows.
    pub(super) fn is_enrolled(&self) -> Option<bool> {
        let label = &self.namespace["metadata"]["labels"][LABEL];
        self.is_whole.then_some(*label == MOVE)
    }
}

/// What makes pods, and the kinds of it that may not be listed.
async fn workloads(client: &Client, namespace: &str) -> Result<(Vec<Value>, Vec<&'static str>)> {
    let (mut found, mut unseen) = (vec![], vec![]);
    let mut take = |kind, listed: kube::Result<Vec<Value>>| match listed {
        Ok(objects) => {
            found.extend(objects);
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.code == 403 => {
            unseen.push(kind);
            Ok(())
        }
        Err(error) => Err(error).context(kind),
    };
    take("Deployments", listed::<Deployment>(client, namespace).await)?;
    take(
        "StatefulSets",
        listed::<StatefulSet>(client, namespace).await,
    )?;
    take("DaemonSets", listed::<DaemonSet>(client, namespace).await)?;
    take("ReplicaSets", listed::<ReplicaSet>(client, namespace).await)?;
    take("CronJobs", listed::<CronJob>(client, namespace).await)?;
    take("Jobs", listed::<Job>(client, namespace).await)?;
    let controllers = listed::<ReplicationController>(client, namespace).await;
    take("ReplicationControllers", controllers)?;
    Ok((found, unseen))
}

/// All objects of a kind, each with its kind.
async fn listed<K>(client: &Client, namespace: &str) -> kube::Result<Vec<Value>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let list = api.list(&ListParams::default()).await?;
    let values = list.iter().map(serde_json::to_value);
    values
        .collect::<Result<_, _>>()
        .map_err(kube::Error::SerdeError)
}

async fn may_create_secrets(client: &Client, namespace: &str) -> Result<bool> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let attributes = ResourceAttributes {
        namespace: Some(namespace.to_owned()),
        verb: Some("create".to_owned()),
        resource: Some("secrets".to_owned()),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = reviews.create(&PostParams::default(), &review).await;
    let answer = answer.context("asking whether you may create Secrets")?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
