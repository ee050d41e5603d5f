//! Tries objects, on the API server. Every create is a dry-run.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ApiResource, GroupVersionKind, PostParams};
use kube::core::DynamicObject;
use kube::{Client, ResourceExt};
use portcullis_contract::LabelSelector;
use serde_json::Value;

use super::{Answer, Line, expected, judge, objects, refusal};
use crate::cluster::audit::lists::Lists;
use crate::cluster::audit::others;
use crate::cluster::namespaces::{self, Metadata};
use crate::cluster::registrations::api::Slot;
use crate::cluster::registrations::{away_line, entries};
use crate::cluster::state::{self, Kind, State};
use crate::policy::action::NamespaceLabels;
use crate::policy::kinds::{group_version, resource};
use crate::policy::matching::selects_namespace;
use crate::policy::{Others, PolicySet};

/// What policies look up is asked for at no more than the usual pace.
const REQUESTS_PER_SECOND: u32 = 20;

/// Where it is tried.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The namespace of the installation.
    pub home: String,
    /// The name of its webhook configurations.
    pub registration: String,
    /// The namespace in which objects are tried.
    pub target: String,
}

/// Tries all objects, one after another.
///
/// # Errors
///
/// There is no such namespace, or nothing in it is judged; the API server does
/// not answer.
pub async fn smoke(client: &Client, set: &PolicySet, wish: &Wish) -> Result<Vec<Line>> {
    let namespace = target(client, &wish.target).await?;
    let registered = registered(client, wish).await?;
    let away = match registered.is_empty() {
        true => Some(why_away(client, wish).await),
        false => None,
    };
    if set.excluded_namespaces.contains(&wish.target)
        || !(registered.is_empty() || reaches(&registered, &namespace))
    {
        bail!(
            "nothing in namespace {} is judged by {}: give one that is with --in NAMESPACE",
            wish.target,
            wish.registration
        );
    }
    let mut lists = Lists::new(client.clone(), REQUESTS_PER_SECOND, None);
    let others = others::gather(&mut lists, set, std::slice::from_ref(&wish.target)).await;
    let others: Arc<dyn Others> = Arc::new(others);
    let mut lines = vec![];
    for object in objects(&wish.target) {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let tried = format!("{kind} {}/{name}", wish.target);
        let expected = expected(set, &object, &namespace, &others);
        let answer = create(client, &object, &wish.target).await?;
        lines.push(judge(tried, &expected, &answer, away.as_deref()));
    }
    Ok(lines)
}

async fn target(client: &Client, name: &str) -> Result<Value> {
    let all: Api<Metadata> = Api::all(client.clone());
    let found = all.get_opt(name).await;
    let found = found.with_context(|| format!("reading Namespace {name}"))?;
    let Some(found) = found else {
        bail!("there is no namespace {name}: give one that is judged with --in NAMESPACE");
    };
    Ok(namespaces::value(&found))
}

/// The entries of ours that judge.
async fn registered(client: &Client, wish: &Wish) -> Result<Vec<Value>> {
    let slot = Slot::new(client.clone(), Kind::Validating, &wish.registration);
    let live = slot.read().await?.unwrap_or_default();
    let judging = entries(&live)
        .iter()
        .filter(|entry| entry["name"] != "policies.portcullis.dev");
    Ok(judging.cloned().collect())
}

/// Whether an entry looks into the namespace.
fn reaches(registered: &[Value], namespace: &Value) -> bool {
    let labels = namespace["metadata"]["labels"].clone();
    let labels = serde_json::from_value(labels).unwrap_or_default();
    registered.iter().any(|entry| {
        let selector = serde_json::from_value::<LabelSelector>(entry["namespaceSelector"].clone());
        selects_namespace(
            &selector.unwrap_or_default(),
            NamespaceLabels::Known(&labels),
        )
        .matches
    })
}

/// As far as the state tells, or may be read.
async fn why_away(client: &Client, wish: &Wish) -> String {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &wish.home);
    let state = maps.get_opt(state::NAME).await.ok().flatten();
    match State::parse(state.as_ref()) {
        Ok(state) if state.is_paused() => away_line(&state),
        _ => format!(
            "no ValidatingWebhookConfiguration {} with an entry",
            wish.registration
        ),
    }
}

/// Creates it as a dry-run.
async fn create(client: &Client, object: &Value, namespace: &str) -> Result<Answer> {
    let document: DynamicObject = serde_json::from_value(object.clone())?;
    let types = document.types.clone().unwrap_or_default();
    let (group, version) = group_version(&types.api_version);
    let kind = GroupVersionKind::gvk(group, version, &types.kind);
    let kind = ApiResource::from_gvk_with_plural(&kind, &resource(group, &types.kind).plural);
    let all: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match all.create(&parameters, &document).await {
        Ok(_) => Ok(Answer::Allowed),
        Err(kube::Error::Api(status)) => Ok(refusal(&status.message)),
        Err(error) => Err(error).with_context(|| format!("trying {}", document.name_any())),
    }
}
