//! What enrolment of a namespace would close, read from the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use serde_json::Value;

use super::callers::{self, Callers};
use crate::cluster::audit::lists::{Lists, escaped};
use crate::cluster::effects::covered::Covering;
use crate::cluster::effects::plan::Silence;
use crate::cluster::effects::reconciler;
use crate::network::plan::Seen;
use crate::network::{ALLOW, LABEL, reach};
use crate::policy::PolicySet;
use crate::policy::effect::Wanted;

/// Requests a second; the lists are few.
const PACE: u32 = 100;
/// What a namespace is enrolled under where nobody says.
const USUAL: &str = "isolate-ingress";
/// What is asked about.
const KIND: &str = "networkpolicies.networking.k8s.io";

/// What is there, and what the policies of `set` would have made in the
/// namespace under this profile; by default under the one that it has.
///
/// # Errors
///
/// There is no such namespace; nobody would make anything in it; what may not
/// be read.
pub async fn look(
    client: &Client,
    set: Arc<PolicySet>,
    name: &str,
    profile: Option<&str>,
) -> Result<Seen> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = namespaces.get_opt(name).await.context("the namespace")?;
    let namespace = namespace.with_context(|| format!("there is no namespace `{name}`"))?;
    let mut namespace = serde_json::to_value(namespace)?;
    let labels = &namespace["metadata"]["labels"];
    let profile = profile
        .or(labels[LABEL].as_str())
        .unwrap_or(USUAL)
        .to_owned();
    let allow = namespace["metadata"]["annotations"][ALLOW].as_str();
    let allow = allow.unwrap_or_default().to_owned();
    namespace["metadata"]["labels"][LABEL] = profile.as_str().into();
    for (member, value) in [("apiVersion", "v1"), ("kind", "Namespace")] {
        namespace[member] = value.into();
    }
    let wanted = wanted(&set, &namespace, &profile)?;
    let spec = match Covering::new(client.clone()).is_covered(&wanted).await {
        Ok(true) => Value::Null,
        Ok(false) => wanted.effect.object["spec"].clone(),
        Err(error) => return Err(error).context("whether another policy covers it"),
    };
    let mut lists = Lists::new(client.clone(), PACE, None);
    let seen = Seen {
        namespace: name.to_owned(),
        profile,
        spec,
        allow,
        ..Seen::default()
    };
    let callers = Callers::new(client.clone()).of(&mut lists, name).await;
    let seen = Seen {
        callers: callers.map_err(|problem| anyhow!(problem))?,
        ..seen
    };
    gather(&mut lists, seen)
        .await
        .map_err(|problem| anyhow!(problem))
}

/// The NetworkPolicy that would be made.
fn wanted(set: &PolicySet, namespace: &Value, profile: &str) -> Result<Wanted> {
    let asked = reconciler::ask(set, namespace, None);
    let wanted = asked.answers.into_iter().flat_map(|answer| answer.wanted);
    let mut wanted = wanted.filter(|wanted| wanted.effect.kind == KIND);
    match (wanted.next(), asked.silent.into_iter().next()) {
        (Some(wanted), _) => Ok(wanted),
        (None, Some((policy, Silence::Denied(why)))) => {
            bail!("policy {policy} refuses the namespace as it is: {why}")
        }
        (None, Some((policy, Silence::Broken(why)))) => bail!("policy {policy} failed: {why}"),
        (None, None) => bail!(
            "no policy would have a NetworkPolicy made there under the profile `{profile}`: \
             `portcullis explain unknown-profile` says which there are, and namespaces that are \
             never judged are never enrolled"
        ),
    }
}

async fn gather(lists: &mut Lists, mut seen: Seen) -> Result<Seen, String> {
    let name = seen.namespace.clone();
    let mut namespaces = BTreeMap::new();
    let mut take = |one: Value| {
        let name = one["metadata"]["name"].as_str().unwrap_or_default();
        namespaces.insert(name.to_owned(), reach::labels(&one));
    };
    callers::each(lists, "/api/v1/namespaces", "namespaces", &mut take).await?;
    seen.namespaces = namespaces;
    let mut services = Vec::new();
    let mut take = |one: Value| services.push(one);
    callers::each(lists, "/api/v1/services", "services", &mut take).await?;
    seen.services = services;
    seen.pods = callers::within(lists, &name, "pods").await?;
    let mut ingresses = Vec::new();
    let mut take = |one: Value| ingresses.push(one);
    let path = format!(
        "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
        escaped(&name)
    );
    callers::each(lists, &path, "ingresses", &mut take).await?;
    seen.ingresses = ingresses;
    let mut monitors = Vec::new();
    for (plural, kind) in [
        ("podmonitors", "PodMonitor"),
        ("servicemonitors", "ServiceMonitor"),
    ] {
        let mut take = |mut one: Value| {
            one["kind"] = kind.into();
            monitors.push(one);
        };
        let path = format!("/apis/monitoring.coreos.com/v1/{plural}");
        callers::each(lists, &path, plural, &mut take).await?;
    }
    seen.monitors = monitors;
    Ok(seen)
}
