//! What webhooks that fail closed would hold up, ours and those of others.

use std::collections::BTreeMap;

use portcullis_contract::LabelSelector;
use serde_json::Value;

use super::seen::{list, text};
use super::{Said, Seen, note, problem};
use crate::cluster::registrations::entries;
use crate::cluster::safety;
use crate::policy::action::NamespaceLabels;
use crate::policy::matching::selects_namespace;

/// Whether an entry is asked about the creation of these: pods, deployments.
fn is_about(entry: &Value, group: &str, resource: &str) -> bool {
    let has = |rule: &Value, member: &str, wanted: &str| {
        let mut all = list(rule, member).iter().filter_map(Value::as_str);
        all.any(|one| one == "*" || one == "*/*" || one == wanted)
    };
    list(entry, "/rules").iter().any(|rule| {
        rule["scope"] != "Cluster"
            && has(rule, "/apiGroups", group)
            && has(rule, "/resources", resource)
            && has(rule, "/operations", "CREATE")
    })
}

/// Whether an entry looks into a namespace with these labels. A selector that
/// cannot be read looks everywhere.
fn selects(entry: &Value, labels: &BTreeMap<String, String>) -> bool {
    let selector = match &entry["namespaceSelector"] {
        Value::Null => LabelSelector::default(),
        selector => serde_json::from_value(selector.clone()).unwrap_or_default(),
    };
    selects_namespace(&selector, NamespaceLabels::Known(labels)).matches
}

fn labels(seen: &Seen) -> Option<BTreeMap<String, String>> {
    let mut all = seen.world.as_ref()?.namespaces.iter();
    let home = all.find(|one| one.metadata.name.as_ref() == Some(&seen.place.namespace))?;
    Some(home.metadata.labels.clone().unwrap_or_default())
}

/// No webhook keeps our own pods from starting.
pub(super) fn own_namespace(seen: &Seen) -> Vec<Said> {
    let Some(labels) = labels(seen) else {
        return vec![];
    };
    let name = &seen.place.namespace;
    let mut said = vec![];
    for ours in seen.ours().into_iter().flatten() {
        let judging = entries(ours)
            .iter()
            .filter(|entry| is_about(entry, "", "pods"));
        for entry in judging.filter(|entry| selects(entry, &labels)) {
            said.push(problem(
                format!(
                    "our own entry {} judges namespace {name}: our pods would wait for themselves",
                    text(entry, "/name")
                ),
                "see that a replica leads: it mends that within seconds",
            ));
        }
    }
    for (kind, other) in seen.others() {
        let closed = entries(other).iter().filter(|entry| {
            // The API server's own default is Fail.
            entry["failurePolicy"] != "Ignore"
                && is_about(entry, "", "pods")
                && selects(entry, &labels)
        });
        for entry in closed {
            said.push(note(
                format!(
                    "{kind} {}, entry {}, fails closed on pods of namespace {name}: while it does not answer no replica of ours can start",
                    text(other, "/metadata/name"),
                    text(entry, "/name"),
                ),
                format!("exclude namespace {name} there"),
            ));
        }
    }
    said
}

/// With all replicas gone, what they need to come back is not held up.
pub(super) fn all_gone(seen: &Seen) -> Vec<Said> {
    let Some(world) = &seen.world else {
        return vec![];
    };
    let needs = safety::needs(world);
    let ours = seen.ours().into_iter().flatten();
    let judged = ours.flat_map(|ours| safety::judged(ours, &needs, world));
    let judged: std::collections::BTreeSet<_> = judged.collect();
    let said = judged.into_iter().map(|need| {
        problem(
            format!(
                "with all replicas gone none could start again: an entry with Fail judges namespace {}, which holds {}",
                need.namespace, need.what
            ),
            format!("start `serve` with --exclude-namespace={}", need.namespace),
        )
    });
    said.collect()
}

/// Who changes objects after us may undo what our policies changed.
pub(super) fn other_webhooks(seen: &Seen) -> Vec<Said> {
    let [_, Some(ours)] = seen.ours() else {
        return vec![];
    };
    let kinds = [("", "pods"), ("apps", "deployments")];
    let changed = kinds.into_iter().filter(|(group, resource)| {
        entries(ours)
            .iter()
            .any(|entry| is_about(entry, group, resource))
    });
    let changed: Vec<_> = changed.collect();
    let is_after = |other: &Value| text(other, "/metadata/name") > seen.place.registration.as_str();
    let others = seen
        .others()
        .filter(|(kind, other)| *kind == "MutatingWebhookConfiguration" && is_after(other));
    let overlap = others.filter(|(_, other)| {
        entries(other).iter().any(|entry| {
            entry["reinvocationPolicy"] == "IfNeeded"
                && changed
                    .iter()
                    .any(|(group, resource)| is_about(entry, group, resource))
        })
    });
    overlap
        .map(|(kind, other)| {
            note(
                format!(
                    "{kind} {} is asked after ours, and again after it changed something: it may undo what our policies changed",
                    text(other, "/metadata/name")
                ),
                "compare an object with what `portcullis check` would change; what is denied is judged last, and holds",
            )
        })
        .collect()
}
