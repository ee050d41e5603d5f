//! Whether policies are in force.

use serde_json::Value;

use super::seen::text;
use super::{Said, Seen, note, problem};
use crate::cluster::report::ANSWERED;
use crate::cluster::status::Status;

/// Each policy is loaded and registered.
pub(super) fn loaded(seen: &Seen) -> Vec<Said> {
    let Some(policies) = &seen.policies else {
        return vec![];
    };
    if policies.is_empty() {
        let message = "the cluster has no WasmPolicies: nothing is judged";
        return vec![note(message, "apply some: `kubectl apply -f pack/starter`")];
    }
    policies.iter().flat_map(one).collect()
}

fn one(policy: &Value) -> Vec<Said> {
    let name = text(policy, "/metadata/name");
    let status: Status = serde_json::from_value(policy["status"].clone()).unwrap_or_default();
    if status.observed_generation != policy["metadata"]["generation"].as_i64() {
        let message = format!("nobody has looked at policy {name} as it is now");
        return vec![problem(message, "see that a replica leads")];
    }
    let bad = ["Loaded", "Registered"].into_iter().filter_map(|kind| {
        let condition = status.condition(kind);
        let why = condition.map_or("nobody has said so", |one| one.message.as_str());
        let holds = condition.is_some_and(|one| one.status == "True");
        let word = kind.to_lowercase();
        (!holds).then(|| {
            problem(
                format!("policy {name} is not {word}: {why}"),
                format!("mend it as it says: `kubectl describe wasmpolicy {name}`"),
            )
        })
    });
    bad.chain(unanswered(name, &status)).collect()
}

/// What a policy looks up is known, if it looks anything up.
fn unanswered(name: &str, status: &Status) -> Option<Said> {
    let condition = status.condition(ANSWERED)?;
    (condition.status != "True").then(|| {
        problem(
            format!(
                "lookups of policy {name} are not answered: {}",
                condition.message
            ),
            "give the account of Portcullis the right that it names",
        )
    })
}
