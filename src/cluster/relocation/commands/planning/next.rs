//! The next commands for a ConfigMap.

use std::collections::BTreeSet;

use portcullis_relocation::Field;

use super::looking::Seen;
use super::users::Workload;
use super::verdict::Verdict;
use crate::cluster::relocation::resource::Stage;

/// What to type next; nothing where something else has to be done first, or
/// nothing is left to do. `served` are the keys that pods can read in a Secret.
pub(super) fn commands(seen: &Seen, verdict: &Verdict, served: &BTreeSet<Field>) -> Vec<String> {
    let is_ready = verdict.obstacles.is_empty() && seen.is_enrolled() != Some(false);
    if verdict.to_move.is_empty() || !is_ready {
        return vec![];
    }
    let (namespace, name) = (&seen.name, &verdict.name);
    let read: BTreeSet<&String> = verdict
        .readers
        .values()
        .flat_map(|(keys, _)| keys)
        .collect();
    if read.is_empty() {
        return vec![format!("portcullis secrets redact {namespace} {name}")];
    }
    let is_served = |key: &str| {
        verdict.stage == Stage::Prepare
            && (served.contains(&Field::text(key)) || served.contains(&Field::binary(key)))
    };
    if read.iter().all(|key| is_served(key)) {
        return verdict
            .readers
            .keys()
            .map(|who| restart(who, namespace))
            .collect();
    }
    let keys: String = read.iter().map(|key| format!(" --key {key}")).collect();
    vec![format!(
        "portcullis secrets prepare {namespace} {name}{keys}"
    )]
}

/// Has the pods of something be made anew.
fn restart(who: &Workload, namespace: &str) -> String {
    let name = &who.name;
    match who.kind.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" => {
            let kind = who.kind.to_lowercase();
            format!("kubectl rollout restart {kind}/{name} --namespace {namespace}")
        }
        kind => format!("replace the pods of {kind} {name} (they read it until then)"),
    }
}
