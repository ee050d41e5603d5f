//! What policies want in a namespace.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube::Client;
use portcullis_contract::Effect;
use serde_json::Value;

use crate::admit::{Known, Phase, Scope, Subject, admit};
use crate::cluster::effects::Resource;
use crate::cluster::effects::plan::{Asked, asked};
use crate::policy::{Attributes, Others, Policy, PolicySet};
use crate::review;

/// What all policies together may take for one namespace.
const DEADLINE: Duration = Duration::from_secs(10);

/// Policies in force that have effects.
fn acting(set: &PolicySet) -> impl Iterator<Item = &Policy> {
    let ready = set.policies().iter().filter(|p| p.program.is_ok());
    ready.filter(|policy| {
        let description = policy.description.as_ref();
        description.is_some_and(|description| !description.effects.is_empty())
    })
}

/// The kinds of effects of policies in force.
pub(super) fn kinds(set: &PolicySet) -> BTreeSet<String> {
    let described = acting(set).filter_map(|policy| policy.description.as_ref());
    described
        .flat_map(|description| description.effects.iter().cloned())
        .collect()
}

/// Whether what they want may change although nothing here does: they look
/// other objects up.
pub(super) fn look_up(set: &PolicySet) -> bool {
    acting(set).any(|policy| !policy.spec.lookups.is_empty())
}

/// What policies want in a namespace, told by the CREATE that it would be.
pub(in crate::cluster) fn ask(
    set: &PolicySet,
    namespace: &Value,
    others: Option<&Arc<dyn Others>>,
) -> Asked {
    let admission = review::create(namespace, |_, _| false);
    let Ok(attributes) = Attributes::parse(&admission) else {
        return Asked::default();
    };
    let subject = Subject {
        admission: &admission,
        attributes: &attributes,
        namespace,
        known: Known::Whole,
        others,
    };
    let scope = Scope {
        phase: Phase::Validate,
        failure_policy: None,
        moving: false,
    };
    let decision = admit(set, &subject, scope, Instant::now() + DEADLINE);
    asked(set, &decision)
}

/// The version of a kind that the API server prefers; None where it does not
/// have the kind.
///
/// # Errors
///
/// What the API server says.
pub(super) async fn preferred(client: &Client, kind: &str) -> Result<Option<Resource>> {
    let (group, plural) = Effect::group_resource(kind);
    let resource = |api_version: String| Resource {
        api_version,
        plural: plural.to_owned(),
    };
    if group.is_empty() {
        return Ok(Some(resource("v1".to_owned())));
    }
    let groups = client.list_api_groups().await.context("API groups")?.groups;
    let group = groups.into_iter().find(|one| one.name == group);
    let version = group.and_then(|group| group.preferred_version);
    Ok(version.map(|version| resource(version.group_version)))
}
