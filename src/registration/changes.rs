//! Which updates the API server keeps to itself: those that change nothing
//! that a policy of the entry looks at. So states, finalizers and, where no
//! policy reads them, labels never wait for us: a Job whose finalizer could not
//! be removed once hung a whole namespace (design: reliability.md, 8a).
//!
//! Nothing is lost by it: such an update finds what the object had before, and
//! that is forgiven (`policy::ratchet`).

use std::collections::{BTreeMap, BTreeSet};

use portcullis_contract::{Operation, Rule};
use serde_json::{Value, json};

use crate::policy::Policy;

/// Members of a request that no update changes, or that do not come from whom
/// updates the object.
const CONSTANT: [&str; 8] = [
    "kind",
    "name",
    "namespace",
    "namespaceIsKnown",
    "namespaceObject",
    "operation",
    "resource",
    "subResource",
];
/// Members of `metadata` that no update changes.
const CONSTANT_METADATA: [&str; 5] = [
    "creationTimestamp",
    "generateName",
    "name",
    "namespace",
    "uid",
];
/// Where kinds have their pod template (`portcullis_contract::pod`).
const POD_PARTS: [&str; 2] = ["spec", "template"];
const LABELS: &str = "metadata.labels";
/// Any resource, in rules.
const ANY: &str = "*";

/// The resources of requests, without subresources.
type Resources = BTreeSet<String>;

/// The condition of an entry of these policies; None where every update
/// counts.
///
/// A part counts only for the resources of the policies that look at it: the
/// annotations of a Deployment are nothing to a policy that reads those of
/// Ingresses.
pub(super) fn condition(asked: &[&Policy]) -> Option<Value> {
    let mut readers: BTreeMap<String, Resources> = BTreeMap::new();
    let (mut all, mut always) = (Resources::new(), Resources::new());
    for policy in asked.iter().filter(|policy| judges_updates(policy)) {
        let resources = updated(policy)?;
        all.extend(resources.iter().cloned());
        match parts(policy) {
            Some(parts) => {
                for part in parts {
                    readers.entry(part).or_default().extend(resources.clone());
                }
            }
            None => always.extend(resources),
        }
    }
    if is_covered(&all, &always) || readers.is_empty() {
        return None;
    }
    let mut expression = vec!["request.operation != \"UPDATE\"".to_owned()];
    if !always.is_empty() {
        expression.push(is_among(&always));
    }
    let mut by_resources: BTreeMap<Resources, Vec<String>> = BTreeMap::new();
    for (part, resources) in readers {
        let changed = by_resources.entry(resources).or_default();
        changed.push(has_changed(&part));
    }
    for (resources, changed) in by_resources {
        let changed = changed.join(" || ");
        expression.push(match is_covered(&all, &resources) {
            true => changed,
            false => format!("({} && ({changed}))", is_among(&resources)),
        });
    }
    Some(json!({"name": "changed", "expression": expression.join(" || ")}))
}

fn has_changed(part: &str) -> String {
    format!(
        "has(object.{part}) != has(oldObject.{part}) \
         || (has(object.{part}) && object.{part} != oldObject.{part})"
    )
}

fn is_among(resources: &Resources) -> String {
    format!("request.resource.resource in {}", json!(resources))
}

/// Whether `some` are all there are.
fn is_covered(all: &Resources, some: &Resources) -> bool {
    some.contains(ANY) || all == some
}

/// The resources whose updates the policy judges; None if that is not known.
fn updated(policy: &Policy) -> Option<Resources> {
    let rules = &policy.constraints()?.resource_rules;
    let rules = rules.iter().filter(|rule| has_update(rule));
    let resources = rules.flat_map(|rule| &rule.resources);
    let names = resources.map(|resource| match resource.split_once('/') {
        Some((name, _)) => name.to_owned(),
        None => resource.clone(),
    });
    Some(names.collect())
}

/// What of an object the policy looks at; None if that is not known.
fn parts(policy: &Policy) -> Option<BTreeSet<String>> {
    let mut parts = BTreeSet::new();
    for read in &policy.description.as_ref()?.reads {
        parts.extend(parts_of(read)?);
    }
    if selects_by_label(policy) {
        parts.insert(LABELS.to_owned());
    }
    Some(parts)
}

/// Whether an update can concern the policy at all. One that judges creation
/// alone must not have the updates of all others sent.
fn judges_updates(policy: &Policy) -> bool {
    let constraints = policy.constraints();
    constraints.is_none_or(|constraints| constraints.resource_rules.iter().any(has_update))
}

fn has_update(rule: &Rule) -> bool {
    let mut operations = rule.operations.iter();
    operations.any(|operation| matches!(operation, Operation::Update | Operation::Any))
}

/// Whether a change of labels can bring an object under the policy, or under
/// another of its actions.
fn selects_by_label(policy: &Policy) -> bool {
    let by_constraints = policy.constraints().is_some_and(|constraints| {
        constraints.object_selector.is_some() || constraints.namespace_selector.is_some()
    });
    let mut overrides = policy.spec.overrides.iter();
    by_constraints || overrides.any(|entry| entry.namespace_selector.is_some())
}

/// The parts of an object that hold what a read reads; None if that is not
/// known.
fn parts_of(read: &str) -> Option<Vec<String>> {
    let mut steps = read.split('.');
    let member = steps.next()?;
    if CONSTANT.contains(&member) {
        return Some(vec![]);
    }
    let first = steps.next().and_then(field);
    let second = steps.next();
    // `namespace` is a word of CEL's, and need not be written.
    let is_object = matches!(member, "object" | "oldObject") && first == Some("metadata");
    if is_object && second.is_some_and(|name| CONSTANT_METADATA.contains(&name)) {
        return Some(vec![]);
    }
    let second = second.and_then(field);
    match (member, first, second) {
        ("object" | "oldObject", Some("apiVersion" | "kind"), _) => Some(vec![]),
        ("object" | "oldObject", Some("metadata"), Some(name)) => Some(metadata(name)),
        ("object" | "oldObject", Some("metadata"), None) => None,
        ("object" | "oldObject", Some(part), _) => Some(vec![part.to_owned()]),
        ("pod" | "oldPod", Some("metadata"), Some(name)) => Some([pod(), metadata(name)].concat()),
        ("pod" | "oldPod", Some("spec" | "path"), _) => Some(pod()),
        _ => None,
    }
}

fn pod() -> Vec<String> {
    POD_PARTS.map(String::from).to_vec()
}

fn metadata(name: &str) -> Vec<String> {
    match CONSTANT_METADATA.contains(&name) {
        true => vec![],
        false => vec![format!("metadata.{name}")],
    }
}

/// The field that a step names, with or without an index, if CEL can name it
/// the same way.
fn field(step: &str) -> Option<&str> {
    let name = step.split('[').next()?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // Words that CEL keeps for itself (its language definition).
    let is_word = [
        "in", "as", "break", "const", "continue", "else", "for", "function", "if",
    ]
    .contains(&name)
        || [
            "import",
            "let",
            "loop",
            "package",
            "namespace",
            "return",
            "var",
            "void",
            "while",
        ]
        .contains(&name)
        || ["true", "false", "null"].contains(&name);
    (is_name && !is_word).then_some(name)
}
