//! The pods of a namespace, a page at a time.

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ListParams};

use super::reading::told;

/// Pods that are read at once.
const PAGE: u32 = 500;

/// Hands out all pods of a namespace.
///
/// # Errors
///
/// What the API server says, or the first that `take` says, one line.
pub async fn each(
    client: &Client,
    namespace: &str,
    mut take: impl FnMut(Pod) -> Result<(), String>,
) -> Result<(), String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut parameters = ListParams::default().limit(PAGE);
    loop {
        let page = pods.list(&parameters).await;
        let page = page.map_err(told(&format!("pods of {namespace}")))?;
        page.items.into_iter().try_for_each(&mut take)?;
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => parameters = parameters.continue_token(&next),
            None => return Ok(()),
        }
    }
}
