//! Which kinds the policies match, of those that the API server has. Nothing
//! here talks to anyone.

mod kind;

use std::collections::{BTreeMap, BTreeSet};

use kube::core::discovery::v2::{APIGroupDiscovery, APIResourceDiscovery, APIVersionDiscovery};
use portcullis_contract::{MatchConstraints, Operation, Rule};
use serde_json::Value;

pub use kind::{Kind, qualified};

use crate::finding::{Failure, PassedOver};
use crate::policy::action::NamespaceLabels;
use crate::policy::{Attributes, PolicySet, matching};
use crate::registration::never::NEVER;

/// What is to be listed, and what cannot be.
#[derive(Debug, Default, PartialEq)]
pub struct Selection {
    /// To be listed, by group and resource.
    pub kinds: Vec<Kind>,
    /// Resources that policies name and the cluster does not have, or does not
    /// list.
    pub passed_over: Vec<PassedOver>,
    /// Groups of which the API server does not know what they hold.
    pub failures: Vec<Failure>,
}

/// The kinds of which a CREATE would reach a policy of the set that is asked
/// in a cluster, whatever the labels of object and namespace. A policy whose constraints are not known
/// matches nothing here: it is a failure anyway.
pub fn select(set: &PolicySet, groups: &[APIGroupDiscovery]) -> Selection {
    let wanted: Vec<Wanted> = set
        .policies()
        .iter()
        .filter(|policy| set.asks(policy))
        .filter_map(|policy| policy.constraints().map(Wanted::of))
        .collect();
    let mut selection = Selection::default();
    for group in groups {
        of_group(&wanted, name(group), &group.versions, &mut selection);
    }
    selection.kinds.sort();
    let missing = missing(&wanted, groups).into_iter();
    selection
        .passed_over
        .extend(missing.map(|resource| PassedOver {
            resource,
            code: "unknown-resource".to_owned(),
            objects: 0,
        }));
    selection
}

/// Whether the API server has a resource in this version of a group.
pub fn has(groups: &[APIGroupDiscovery], group: &str, version: &str, plural: &str) -> bool {
    let of_group = groups.iter().filter(|known| name(known) == group);
    let of_version = of_group
        .flat_map(|known| &known.versions)
        .filter(|known| known.version.as_deref() == Some(version));
    let mut resources = of_version.flat_map(|known| &known.resources);
    resources.any(|known| known.resource.as_deref() == Some(plural))
}

/// All resources that the API server has: group and version as `apiVersion`
/// has them, and the plural.
pub fn served(groups: &[APIGroupDiscovery]) -> BTreeSet<(String, String)> {
    let mut served = BTreeSet::new();
    for group in groups {
        for version in &group.versions {
            let number = version.version.as_deref().unwrap_or_default();
            let api_version = match name(group) {
                "" => number.to_owned(),
                group => format!("{group}/{number}"),
            };
            let resources = version.resources.iter();
            let plurals = resources.filter_map(|one| one.resource.clone());
            served.extend(plurals.map(|plural| (api_version.clone(), plural)));
        }
    }
    served
}

/// The name of a group; empty for the core group.
fn name(group: &APIGroupDiscovery) -> &str {
    let name = group
        .metadata
        .as_ref()
        .and_then(|meta| meta.name.as_deref());
    name.unwrap_or_default()
}

/// What one policy judges.
struct Wanted {
    /// Whatever the labels of object and namespace.
    constraints: MatchConstraints,
    /// The only namespaces, where it names them.
    namespaces: Option<BTreeSet<String>>,
}

impl Wanted {
    fn of(constraints: &MatchConstraints) -> Wanted {
        let names = constraints.namespace_names();
        Wanted {
            namespaces: names.map(|names| names.into_iter().map(str::to_owned).collect()),
            constraints: widened(constraints),
        }
    }
}

/// The constraints without what can only be told of an object.
fn widened(constraints: &MatchConstraints) -> MatchConstraints {
    let any_name = |rule: &Rule| Rule {
        resource_names: vec![],
        ..rule.clone()
    };
    let excluded = constraints.exclude_resource_rules.iter();
    MatchConstraints {
        resource_rules: constraints.resource_rules.iter().map(any_name).collect(),
        exclude_resource_rules: excluded
            .filter(|rule| rule.resource_names.is_empty())
            .cloned()
            .collect(),
        namespace_selector: None,
        object_selector: None,
    }
}

fn of_group(
    wanted: &[Wanted],
    group: &str,
    versions: &[APIVersionDiscovery],
    selection: &mut Selection,
) {
    // By resource, the policies that a version was chosen for already: those
    // that come later match what they can of the others.
    let mut covered: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for version in versions {
        let name = version.version.clone().unwrap_or_default();
        if version.freshness.as_deref() == Some("Stale") && may_want(wanted, group) {
            selection.failures.push(stale(group, &name));
        }
        for resource in &version.resources {
            let mut kind = kind(group, &name, resource);
            let covered = covered.entry(kind.plural.clone()).or_default();
            let matching = wanted.iter().enumerate();
            let matching: Vec<(usize, &Wanted)> = matching
                .filter(|(index, _)| !covered.contains(index))
                .filter(|(_, one)| reaches(&one.constraints, &kind))
                .collect();
            if matching.is_empty() {
                continue;
            }
            covered.extend(matching.iter().map(|(index, _)| *index));
            let of_each = matching.iter().map(|(_, one)| one.namespaces.clone());
            kind.namespaces = of_each
                .collect::<Option<Vec<_>>>()
                .map(|names| names.into_iter().flatten().collect());
            let can = |verb: &str| resource.verbs.iter().any(|known| known == verb);
            match (can("list"), can("create")) {
                (true, true) => selection.kinds.push(kind),
                // Nothing can be created, so that nothing would be asked.
                (_, false) => {}
                (false, true) => selection.passed_over.push(PassedOver {
                    resource: kind.resource(),
                    code: "never-listed".to_owned(),
                    objects: 0,
                }),
            }
        }
    }
}

fn kind(group: &str, version: &str, resource: &APIResourceDiscovery) -> Kind {
    let kind = resource.response_kind.as_ref();
    Kind {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: resource.resource.clone().unwrap_or_default(),
        kind: kind.and_then(|kind| kind.kind.clone()).unwrap_or_default(),
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        namespaces: None,
    }
}

fn stale(group: &str, version: &str) -> Failure {
    Failure {
        cause: format!(
            "the API server does not know which resources {group}/{version} has: see \
             `kubectl get apiservice {version}.{group}`, and mend what serves it"
        ),
        ..Failure::default()
    }
}

fn may_want(wanted: &[Wanted], group: &str) -> bool {
    let mut rules = wanted
        .iter()
        .flat_map(|one| &one.constraints.resource_rules);
    rules.any(|rule| rule.api_groups.iter().any(|g| g == group || g == "*"))
}

/// Whether a CREATE of an object of this kind would be asked about.
fn reaches(constraints: &MatchConstraints, kind: &Kind) -> bool {
    let attributes = Attributes {
        operation: Operation::Create,
        group: kind.group.clone(),
        version: kind.version.clone(),
        resource: kind.plural.clone(),
        subresource: None,
        kind: kind.kind.clone(),
        namespace: kind.namespaced.then(String::new),
        name: String::new(),
        username: String::new(),
        groups: vec![],
        dry_run: false,
        uid: String::new(),
    };
    let matches = |constraints: &MatchConstraints| {
        let labels = NamespaceLabels::ClusterScoped;
        let objects = [&Value::Null, &Value::Null];
        matching::matches(constraints, &attributes, objects, labels).matches
    };
    let is_never = NEVER
        .iter()
        .any(|never| never.is(&kind.group, &kind.plural));
    matches(constraints) && (!is_never || matches(&named_only(constraints)))
}

/// Without rules on `*`.
fn named_only(constraints: &MatchConstraints) -> MatchConstraints {
    let mut named = constraints.clone();
    for rule in &mut named.resource_rules {
        rule.resources.retain(|resource| !resource.starts_with('*'));
    }
    named
}

/// Resources that rules name and that no group has.
fn missing(wanted: &[Wanted], groups: &[APIGroupDiscovery]) -> BTreeSet<String> {
    let has = |group: &str, plural: &str| {
        groups.iter().any(|known| {
            let resources = known.versions.iter().flat_map(|version| &version.resources);
            (group == "*" || name(known) == group)
                && resources
                    .into_iter()
                    .any(|resource| resource.resource.as_deref() == Some(plural))
        })
    };
    let mut missing = BTreeSet::new();
    for rule in wanted
        .iter()
        .flat_map(|one| &one.constraints.resource_rules)
    {
        let is_create =
            |operation: &Operation| matches!(operation, Operation::Create | Operation::Any);
        if !rule.operations.iter().any(is_create) {
            continue;
        }
        for plural in rule.resources.iter().filter(|r| !r.contains(['*', '/'])) {
            let groups = rule.api_groups.iter();
            let gone = groups.filter(|group| !has(group, plural));
            missing.extend(gone.map(|group| qualified(group, plural)));
        }
    }
    missing
}

#[cfg(test)]
mod tests;
