//! What others wrote counts, and ours gives way to it.

use serde_json::{Value, json};

use super::{Stage, create_in, enrol, network_policy, pod};
use crate::policies::{admin, eventually};

/// A policy that covers its namespace.
pub(super) fn closed() -> String {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "theirs"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}})
    .to_string()
}

#[test]
fn a_namespace_that_another_policy_covers_gets_none_and_ours_gives_way() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("covered", None);
    create_in(&namespace, &closed()).ok().expect("theirs");
    enrol(&namespace);
    // Admitted by the label, and by a live look at what is there.
    create_in(&namespace, &pod("web")).ok().expect("a pod");
    assert!(network_policy(&namespace).is_null());

    let delete = ["delete", "networkpolicy", "theirs", "-n", &namespace];
    admin(&delete, "").ok().expect("deleted");
    let ours = || network_policy(&namespace);
    eventually("ours is made", ours, |policy| !policy.is_null());

    create_in(&namespace, &closed()).ok().expect("theirs");
    eventually("ours is withdrawn", ours, Value::is_null);
    let partial = json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}).to_string();
    let patch = [
        "patch",
        "networkpolicy",
        "theirs",
        "-n",
        &namespace,
        "--type=merge",
        "-p",
        &partial,
    ];
    admin(&patch, "").ok().expect("changed");
    eventually("ours is made again", ours, |policy| !policy.is_null());
}
