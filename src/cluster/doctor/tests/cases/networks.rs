//! NetworkPolicies that close nothing, or are not there.

use serde_json::{Value, json};

use super::{Case, Grade, Seen, case};

pub(super) fn networks() -> Vec<Case> {
    use Grade::{Note, Problem};
    vec![
        (
            "networks",
            Problem,
            "close nothing: Flannel does not",
            case(|seen| {
                enrol(seen);
                let flannel = json!({"metadata": {"name": "kube-flannel-ds"}, "spec":
                    {"selector": {}, "template": {"spec": {"containers": []}}}});
                let flannel = serde_json::from_value(flannel).expect("a DaemonSet");
                seen.world.as_mut().expect("seen").daemon_sets.push(flannel);
            }),
        ),
        (
            "networks",
            Note,
            "no network plugin was found that is known",
            case(|seen| {
                grant(seen);
                seen.nodes = Some(vec![]);
            }),
        ),
        (
            "networks",
            Problem,
            "policy tags: 2 are not there yet",
            case(|seen| {
                let condition = json!({"type": "EffectsInPlace", "status": "False", "reason": "R",
                    "message": "2 are not there yet", "lastTransitionTime": "t"});
                let conditions = policy(seen)["status"]["conditions"].as_array_mut();
                conditions.expect("conditions").push(condition);
            }),
        ),
    ]
}

fn policy(seen: &mut Seen) -> &mut Value {
    &mut seen.policies.as_mut().expect("seen")[0]
}

fn grant(seen: &mut Seen) {
    policy(seen)["spec"]["effects"] =
        json!([{"apiGroup": "networking.k8s.io", "resource": "networkpolicies"}]);
}

/// By the label alone: the policy may be one of the profile.
fn enrol(seen: &mut Seen) {
    let namespace = &mut seen.world.as_mut().expect("seen").namespaces[2];
    let labels = namespace.metadata.labels.get_or_insert_default();
    labels.insert("portcullis.dev/network".into(), "isolate-ingress".into());
    seen.nodes = Some(vec![]);
}
