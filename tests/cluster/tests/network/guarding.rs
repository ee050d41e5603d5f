//! Who may enrol a namespace, and take it out.

use portcullis_cluster::User;
use serde_json::json;

use super::{Stage, apply};
use crate::policies::{admin, eventually};
use crate::support::cluster;

/// Rights that a developer has not by itself: these verbs on these resources.
fn role(name: &str, group: &str, resource: &str, verbs: &[&str]) -> String {
    let of = "rbac.authorization.k8s.io";
    let role = json!({"apiVersion": format!("{of}/v1"), "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [{"apiGroups": [group], "resources": [resource], "verbs": verbs}]});
    let binding = json!({"apiVersion": format!("{of}/v1"), "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": of, "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": of, "kind": "User", "name": "dev-user"}]});
    format!("{role}\n---\n{binding}\n")
}

#[test]
fn the_label_is_for_those_who_may_write_policies() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("mine", None);
    let (namespaces, policies) = (stage.name("namespaces"), stage.name("policies"));
    apply(&role(
        &namespaces,
        "",
        "namespaces",
        &["get", "patch", "update"],
    ))
    .ok()
    .expect("rights");
    let label = |label: &str| {
        let label = ["label", "--overwrite", "namespace", &namespace, label];
        cluster()
            .kubectl(User::Dev, &label, "")
            .expect("kubectl runs")
    };
    eventually(
        "he may label",
        || label("team=a"),
        |answer| answer.code == 0,
    );
    let enrolling = "portcullis.dev/network=isolate-ingress";
    let refused = label(enrolling);
    assert!(
        refused
            .stderr
            .contains("[default-network-policy/not-yours]"),
        "{refused:?}"
    );
    apply(&role(
        &policies,
        "portcullis.dev",
        "wasmpolicies",
        &["update"],
    ))
    .ok()
    .expect("rights");
    eventually(
        "he may enrol",
        || label(enrolling),
        |answer| answer.code == 0,
    );
    let kinds = "clusterrole,clusterrolebinding";
    admin(&["delete", kinds, &policies], "")
        .ok()
        .expect("taken back");
    let out = || label("portcullis.dev/network-");
    // The API server's authorizer learns of it a moment later.
    let still = || cluster().kubectl(User::Dev, &["auth", "can-i", "update", "wasmpolicies"], "");
    eventually(
        "he may not",
        || still().expect("kubectl runs").stdout,
        |may| may.contains("no"),
    );
    let refused = out();
    assert!(
        refused
            .stderr
            .contains("[default-network-policy/not-yours]"),
        "{refused:?}"
    );
    assert_eq!(label("team=b").code, 0, "other labels are his");
    admin(&["delete", kinds, &namespaces], "")
        .ok()
        .expect("taken back");
}

#[test]
fn a_profile_that_is_none_and_a_flow_that_is_none_are_refused_at_the_namespace() {
    let mut stage = Stage::new();
    let wrong = stage.namespace_text("wrong", "isolate");
    let refused = admin(&["create", "-f", "-"], &wrong);
    assert!(
        refused
            .stderr
            .contains("[default-network-policy/unknown-profile]"),
        "{refused:?}"
    );
    let namespace = stage.namespace("flows", Some("isolate-ingress"));
    let flow = [
        "annotate",
        "namespace",
        &namespace,
        "portcullis.dev/network-allow=from=a:http",
    ];
    let refused = admin(&flow, "");
    assert!(
        refused.stderr.contains("[default-network-policy/bad-flow]"),
        "{refused:?}"
    );
}
