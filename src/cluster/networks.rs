//! The NetworkPolicies of a namespace, as the API server has them, and who
//! hangs on what they would close.

pub mod callers;
pub mod plan;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::Value;

/// A Namespace, and its NetworkPolicies by name.
///
/// # Errors
///
/// There is no such namespace; what the API server says.
pub async fn look(client: &Client, name: &str) -> Result<(Value, Vec<Value>)> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = namespaces.get_opt(name).await.context("the namespace")?;
    let namespace = namespace.with_context(|| format!("there is no namespace `{name}`"))?;
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), name);
    let list = policies.list(&ListParams::default()).await;
    let list = list.context("its NetworkPolicies")?;
    let policies: Result<Vec<Value>, _> = list.items.iter().map(serde_json::to_value).collect();
    Ok((serde_json::to_value(namespace)?, policies?))
}
