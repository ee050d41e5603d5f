//! Who may enrol a namespace, and take it out.

use portcullis_cluster::User;
use serde_json::{Value, json};

use super::{Stage, apply};
use crate::policies::{admin, eventually};
use crate::support::cluster;

/// The label as `Stage::namespace` sets it here.
const ENROLLED: &str = "portcullis.dev/network=isolate-ingress";

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
    let refused = label(ENROLLED);
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
        || label(ENROLLED),
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

#[test]
fn the_label_is_no_way_in_by_a_subresource() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("parts", Some("isolate-ingress"));
    let plain = stage.namespace("parts-plain", None);
    let parts = ["status", "finalize"];
    let roles = parts.map(|part| stage.name(part));
    for (name, part) in roles.iter().zip(parts) {
        let resource = format!("namespaces/{part}");
        apply(&role(name, "", &resource, &["update"]))
            .ok()
            .expect("rights");
    }
    let put = |namespace: &str, part: &str, label: &str, value: Value| {
        let one = ["get", "namespace", namespace, "-o", "json"];
        let object = admin(&one, "").ok().expect("the namespace");
        let mut object: Value = serde_json::from_str(&object).expect("JSON");
        let labels = object["metadata"]["labels"].as_object_mut();
        let labels = labels.expect("labels");
        match value.is_null() {
            true => drop(labels.remove(label)),
            false => drop(labels.insert(label.to_owned(), value)),
        }
        let path = format!("/api/v1/namespaces/{namespace}/{part}");
        let put = ["replace", "--raw", &path, "-f", "-"];
        let answer = cluster().kubectl(User::Dev, &put, &object.to_string());
        answer.expect("kubectl runs")
    };
    for part in parts {
        let changed = format!("example.com/{part}");
        let may = || put(&namespace, part, &changed, json!("by-dev"));
        eventually("another label is his", may, |answer| answer.code == 0);
        let put = |namespace: &str, value| put(namespace, part, "portcullis.dev/network", value);
        let is_told = |text: &str| text.contains("ask somebody who may update wasmpolicies");
        for value in [json!(null), json!(""), json!("isolate-full")] {
            // The API server takes a ValidatingAdmissionPolicy in some time later.
            let refused = || put(&namespace, value.clone());
            eventually("it is kept", refused, |answer| is_told(&answer.stderr));
            admin(
                &["label", "--overwrite", "namespace", &namespace, ENROLLED],
                "",
            )
            .ok()
            .expect("as it was");
        }
        for value in ["", "isolate-ingress"] {
            let refused = put(&plain, json!(value));
            assert!(is_told(&refused.stderr), "{value:?}: {}", refused.stderr);
        }
    }
    for name in &roles {
        let kinds = "clusterrole,clusterrolebinding";
        admin(&["delete", kinds, name], "")
            .ok()
            .expect("taken back");
    }
}
