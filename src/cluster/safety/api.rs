//! What `safety` looks at, from the API server.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ListParams};

use super::World;
use crate::cluster::home::Home;

/// Lists what counts. A replica outside the cluster has no pod, and so no
/// images.
///
/// # Errors
///
/// Whatever the API server says.
pub async fn look(client: &Client, home: &Home, uses_cert_manager: bool) -> Result<World> {
    let all = ListParams::default();
    let pods: Api<Pod> = Api::namespaced(client.clone(), &home.namespace);
    let pod = pods
        .get_opt(&home.identity)
        .await
        .context("reading our own Pod")?;
    let daemon_sets = Api::all(client.clone()).list(&all).await;
    let services = Api::all(client.clone()).list(&all).await;
    let namespaces = Api::all(client.clone()).list(&all).await;
    Ok(World {
        daemon_sets: daemon_sets.context("listing DaemonSets")?.items,
        services: services.context("listing Services")?.items,
        namespaces: namespaces.context("listing Namespaces")?.items,
        images: pod.as_ref().map(images).unwrap_or_default(),
        uses_cert_manager,
    })
}

fn images(pod: &Pod) -> Vec<String> {
    let Some(spec) = &pod.spec else {
        return vec![];
    };
    let containers = spec
        .init_containers
        .iter()
        .flatten()
        .chain(&spec.containers);
    containers
        .filter_map(|container| container.image.clone())
        .collect()
}
