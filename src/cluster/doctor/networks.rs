//! NetworkPolicies that Portcullis makes close something.

use serde_json::Value;

use super::seen::{list, text};
use super::{Said, Seen, note, problem};
use crate::cluster::effects::reconciler::IN_PLACE;
use crate::cluster::status::Status;
use crate::network::LABEL;
use crate::network::enforcing::{Enforcing, enforcing};

impl Seen {
    /// Whether anybody counts on NetworkPolicies of ours: a policy may have
    /// them made, or a namespace is enrolled.
    pub(super) fn counts_on_networks(&self) -> bool {
        let is_granted = |policy: &Value| {
            let granted = list(policy, "/spec/effects");
            granted
                .iter()
                .any(|one| text(one, "/resource") == "networkpolicies")
        };
        let policies = self.policies.iter().flatten();
        let is_enrolled = |labels: &Option<std::collections::BTreeMap<String, String>>| {
            labels
                .as_ref()
                .is_some_and(|labels| labels.contains_key(LABEL))
        };
        let namespaces = self.world.iter().flat_map(|world| &world.namespaces);
        let mut namespaces = namespaces.map(|one| &one.metadata.labels);
        policies.into_iter().any(is_granted) || namespaces.any(is_enrolled)
    }
}

/// Somebody enforces them, and they are there.
pub(super) fn enforced(seen: &Seen) -> Vec<Said> {
    let mut said: Vec<Said> = seen.policies.iter().flatten().filter_map(waiting).collect();
    let (Some(world), Some(nodes)) = (&seen.world, &seen.nodes) else {
        return said;
    };
    if !seen.counts_on_networks() {
        return said;
    }
    let daemon_sets = world.daemon_sets.iter();
    let daemon_sets: Vec<Value> = daemon_sets.flat_map(serde_json::to_value).collect();
    match enforcing(&daemon_sets, nodes) {
        Enforcing::By(_) => {}
        Enforcing::Nobody(why) => said.push(problem(
            format!("nobody enforces NetworkPolicies, so that they close nothing: {why}"),
            "install a network plugin that does, or switch it on in yours",
        )),
        Enforcing::Unknown => said.push(note(
            "no network plugin was found that is known to enforce NetworkPolicies",
            "see the documentation of yours, or try it: a pod of another namespace must not reach \
             an isolated one",
        )),
    }
    said
}

/// What a policy wants is not there.
fn waiting(policy: &Value) -> Option<Said> {
    let status: Status = serde_json::from_value(policy["status"].clone()).ok()?;
    let condition = status.condition(IN_PLACE)?;
    let name = text(policy, "/metadata/name");
    (condition.status == "False").then(|| {
        problem(
            format!("policy {name}: {}", condition.message),
            "see the Events of these namespaces, `kubectl get events -A --field-selector \
             reportingComponent=portcullis`",
        )
    })
}
