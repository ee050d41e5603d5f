//! What the API server calls in a namespace, asked of it live: who enrols a
//! namespace is rare, and what was registered a moment ago counts.

use std::time::Instant;

use kube::Client;
use serde_json::Value;

use crate::cluster::audit::lists::{Lists, Problem, escaped};
use crate::cluster::audit::walk;
use crate::network::callers::{self, Caller, CutOff, KINDS};
use crate::policy::effect::hanging::Closing;

/// Requests a second; the lists are few.
const PACE: u32 = 100;

/// What this NetworkPolicy would keep the API server from, in words, at the
/// latest at `until`.
///
/// # Errors
///
/// Why nobody knows, one line.
pub async fn closed_by(
    client: &Client,
    closing: &Closing,
    until: Instant,
) -> Result<Vec<String>, String> {
    let looked = look(client, &closing.namespace, &closing.by["spec"]);
    match tokio::time::timeout_at(until.into(), looked).await {
        Ok(Ok(cut_off)) => Ok(cut_off.iter().map(CutOff::to_string).collect()),
        Ok(Err(problem)) => Err(problem),
        Err(_) => Err("the API server took too long".to_owned()),
    }
}

async fn look(client: &Client, namespace: &str, spec: &Value) -> Result<Vec<CutOff>, String> {
    let mut lists = Lists::new(client.clone(), PACE, None);
    let callers = of(&mut lists, namespace).await?;
    if callers.is_empty() {
        return Ok(vec![]);
    }
    let services = within(&mut lists, namespace, "services").await?;
    let pods = within(&mut lists, namespace, "pods").await?;
    Ok(callers::cut_off(spec, callers, &services, &pods))
}

/// All that the API server calls in a namespace.
///
/// # Errors
///
/// What cannot be listed, and why.
pub async fn of(lists: &mut Lists, namespace: &str) -> Result<Vec<Caller>, String> {
    let mut found = Vec::new();
    for (api_version, plural) in KINDS {
        let path = format!("/apis/{api_version}/{plural}");
        let mut take = |object: Value| found.extend(callers::of(plural, &object, namespace));
        each(lists, &path, plural, &mut take).await?;
    }
    // What is learnt twice is the same.
    found.sort_by(|one, other| one.title.cmp(&other.title));
    found.dedup();
    Ok(found)
}

/// The objects of a kind of the core group in a namespace.
///
/// # Errors
///
/// Why they cannot be listed.
pub async fn within(
    lists: &mut Lists,
    namespace: &str,
    plural: &str,
) -> Result<Vec<Value>, String> {
    let path = format!("/api/v1/namespaces/{}/{plural}", escaped(namespace));
    let mut all = Vec::new();
    each(lists, &path, plural, &mut |object| all.push(object)).await?;
    Ok(all)
}

/// Gives all objects at a path to `take`; none where the kind is not served.
///
/// # Errors
///
/// Why they cannot be listed.
pub async fn each(
    lists: &mut Lists,
    path: &str,
    plural: &str,
    take: &mut (dyn FnMut(Value) + Send),
) -> Result<(), String> {
    match walk::each(lists, path, take).await {
        Ok(()) | Err(Problem::NotFound) => Ok(()),
        Err(Problem::Forbidden(said)) => {
            Err(format!("grant the right to list `{plural}` ({said})"))
        }
        Err(problem) => Err(format!("`{plural}` could not be listed: {problem}")),
    }
}
