//! What is there, and what policies want there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use kube::api::{Api, ListParams};
use kube::{Client, Resource as _, ResourceExt};
use portcullis_contract::{Effect, LabelSelector, Unless};
use serde_json::Value;

use super::Keeper;
use crate::admit::{Known, Phase, Scope, Subject, admit};
use crate::cluster::effects::Resource;
use crate::cluster::effects::covered::{Covering, resource};
use crate::cluster::effects::plan::{Answer, Existing, answers};
use crate::cluster::namespaces::{Metadata, value};
use crate::policy::effect::Wanted;
use crate::policy::effect::object::policy_of;
use crate::policy::effect::unless::holds;
use crate::policy::matching::selects_labels;
use crate::policy::{Attributes, Others, PolicySet};
use crate::review;

/// What all policies together may take for one namespace.
const DEADLINE: Duration = Duration::from_secs(10);
/// Namespaces a page of a list.
const PAGE: u32 = 500;

/// The answers of policies, by namespace.
pub(super) type Answers = BTreeMap<String, Vec<Answer>>;

/// The kinds of effects of policies in force.
pub(super) fn kinds(set: &PolicySet) -> BTreeSet<String> {
    let ready = set.policies().iter().filter(|p| p.program.is_ok());
    let described = ready.filter_map(|policy| policy.description.as_ref());
    described
        .flat_map(|description| description.effects.iter().cloned())
        .collect()
}

/// The namespaces that are judged and not being deleted, as policies see them.
pub(super) async fn namespaces(
    client: &Client,
    judged: &LabelSelector,
) -> kube::Result<Vec<Value>> {
    let api: Api<Metadata> = Api::all(client.clone());
    let (mut all, mut page) = (vec![], ListParams::default().limit(PAGE));
    loop {
        let list = api.list(&page).await?;
        let there = list.items.iter();
        let there = there.filter(|one| one.meta().deletion_timestamp.is_none());
        let there = there.filter(|one| selects_labels(judged, one.labels()));
        all.extend(there.map(value));
        page.continue_token = list.metadata.continue_.filter(|token| !token.is_empty());
        if page.continue_token.is_none() {
            return Ok(all);
        }
    }
}

/// What policies want in each of these.
pub(super) async fn ask(
    set: Arc<PolicySet>,
    namespaces: Vec<Value>,
    others: Option<Arc<dyn Others>>,
) -> Result<Answers> {
    let ask = move || {
        let named = namespaces.iter().map(|namespace| {
            let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
            (name.to_owned(), of_one(&set, namespace, others.as_ref()))
        });
        named.collect()
    };
    tokio::task::spawn_blocking(ask).await.context("policies")
}

/// What policies want in a namespace, told by the CREATE that it would be.
pub(in crate::cluster) fn of_one(
    set: &PolicySet,
    namespace: &Value,
    others: Option<&Arc<dyn Others>>,
) -> Vec<Answer> {
    let admission = review::create(namespace, |_, _| false);
    let Ok(attributes) = Attributes::parse(&admission) else {
        return vec![];
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
    };
    let decision = admit(set, &subject, scope, Instant::now() + DEADLINE);
    answers(set, &decision)
}

impl Keeper {
    /// How each kind is asked for: as policies write it, else as the API
    /// server prefers.
    pub(super) async fn learn_resources(
        &mut self,
        kinds: &BTreeSet<String>,
        answers: &Answers,
    ) -> Result<()> {
        self.resources.retain(|kind, _| kinds.contains(kind));
        let wanted = answers.values().flatten().flat_map(|one| &one.wanted);
        for wanted in wanted {
            let (kind, resource) = (&wanted.effect.kind, Resource::of(&wanted.effect));
            if self.resources.get(kind) != Some(&resource) {
                self.resources.insert(kind.clone(), resource);
            }
        }
        for kind in kinds {
            if !self.resources.contains_key(kind)
                && let Some(resource) = preferred(&self.client, kind).await?
            {
                self.resources.insert(kind.clone(), resource);
            }
        }
        Ok(())
    }

    /// All objects of ours, by namespace.
    pub(super) async fn existing(&self) -> Result<BTreeMap<String, Vec<Existing>>> {
        let mut existing: BTreeMap<String, Vec<Existing>> = BTreeMap::new();
        for (kind, resource) in &self.resources {
            let all = self.covering.list(resource, None).await;
            let all = all.with_context(|| kind.clone())?;
            for object in all.into_iter().filter(|one| policy_of(one).is_some()) {
                let one = Existing::new(kind, resource, object);
                let namespace = one.namespace().to_owned();
                existing.entry(namespace).or_default().push(one);
            }
        }
        Ok(existing)
    }
}

async fn preferred(client: &Client, kind: &str) -> Result<Option<Resource>> {
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

/// What may make effects needless, as it was at one look.
pub(super) struct Covered(BTreeMap<(Resource, String), Vec<Value>>);

impl Covered {
    pub(super) async fn look(covering: &Covering, answers: &Answers) -> Result<Covered> {
        let wanted = answers.values().flatten().flat_map(|one| &one.wanted);
        let unless = wanted.flat_map(|wanted| &wanted.effect.unless);
        let resources: BTreeSet<Resource> = unless.map(resource).collect();
        let mut all: BTreeMap<(Resource, String), Vec<Value>> = BTreeMap::new();
        for resource in resources {
            let objects = covering.list(&resource, None).await;
            let objects = objects.with_context(|| resource.plural.clone())?;
            for object in objects {
                let namespace = object["metadata"]["namespace"].as_str();
                let key = (resource.clone(), namespace.unwrap_or_default().to_owned());
                all.entry(key).or_default().push(object);
            }
        }
        Ok(Covered(all))
    }

    pub(super) fn covers(&self, wanted: &Wanted) -> bool {
        let is_met = |unless: &Unless| {
            let namespace = match unless.cluster {
                true => String::new(),
                false => wanted.namespace.clone(),
            };
            let there = self.0.get(&(resource(unless), namespace));
            there.is_some_and(|there| there.iter().any(|object| holds(unless, object)))
        };
        wanted.effect.unless.iter().any(is_met)
    }
}
