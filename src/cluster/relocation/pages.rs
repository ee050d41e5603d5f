//! The objects of a namespace, a page at a time.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ListParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::reading::told;

/// Pods that are read at once.
const PODS: u32 = 500;
/// ConfigMaps that are read at once: each holds up to 1 MiB.
const CONFIG_MAPS: u32 = 50;

/// Hands out all pods of a namespace.
///
/// # Errors
///
/// What the API server says, or the first that `take` says, one line.
pub async fn pods(
    client: &Client,
    namespace: &str,
    take: impl FnMut(Pod) -> Result<(), String>,
) -> Result<(), String> {
    let what = format!("pods of {namespace}");
    each(client, namespace, PODS, &what, take).await
}

/// Hands out all ConfigMaps of a namespace.
///
/// # Errors
///
/// As [`pods`].
pub async fn config_maps(
    client: &Client,
    namespace: &str,
    take: impl FnMut(ConfigMap) -> Result<(), String>,
) -> Result<(), String> {
    let what = format!("ConfigMaps of {namespace}");
    each(client, namespace, CONFIG_MAPS, &what, take).await
}

async fn each<K>(
    client: &Client,
    namespace: &str,
    page: u32,
    what: &str,
    mut take: impl FnMut(K) -> Result<(), String>,
) -> Result<(), String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + DeserializeOwned,
{
    let all: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut parameters = ListParams::default().limit(page);
    loop {
        let page = all.list(&parameters).await.map_err(told(what))?;
        page.items.into_iter().try_for_each(&mut take)?;
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => parameters = parameters.continue_token(&next),
            None => return Ok(()),
        }
    }
}
