//! Audit, prepare, rollout, redact; and restore.

use portcullis_cluster::{Portcullis, User};
use serde_json::json;

use super::{Stage, VALUE, config_map, get, kubectl, served};
use crate::policies::eventually;
use crate::support::cluster;

/// A pod that reads one key.
fn pod(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
    "containers": [{"name": "a", "image": "example.com/a:1", "env": [
        {"name": "ONE", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "PASSWORD"}}},
    ]}]}})
    .to_string()
}

#[test]
fn what_is_there_is_moved_step_by_step_and_back() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("stages");
    let map = config_map("app", json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"}));
    let apply = |text: &str| kubectl(&namespace, &["apply", "-f", "-"], text);
    assert_eq!(apply(&map).code, 0);
    assert_eq!(apply(&pod("old")).code, 0);
    let said = stage.enrol(&namespace);
    assert!(said.contains("1 ConfigMaps that are there stay"), "{said}");
    // Audit: it stays, with a warning.
    let audited = apply(&map);
    assert_eq!(audited.code, 0, "{}", audited.stderr);
    assert_eq!(
        get(&namespace, "configmap", "app")["data"]["PASSWORD"],
        VALUE
    );
    // Redact at once would show the old pod a placeholder.
    let refused = stage
        .secrets(&["redact", &namespace, "app"])
        .expect_err("refused");
    assert!(
        refused.contains("old") && refused.contains("prepare"),
        "{refused}"
    );
    assert!(!refused.contains(VALUE), "{refused}");
    // Prepare: new pods read it in the Secret.
    let said = stage
        .secrets(&["prepare", &namespace, "app", "--key=PASSWORD"])
        .expect("prepared");
    assert!(said.contains("are served"), "{said}");
    assert_eq!(
        get(&namespace, "configmap", "app")["data"]["PASSWORD"],
        VALUE
    );
    let created = apply(&pod("new"));
    assert_eq!(created.code, 0, "{}", created.stderr);
    let rewritten = get(&namespace, "pod", "new");
    let source = &rewritten["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"];
    assert_eq!(source["name"], "portcullis-moved-t-app", "{rewritten}");
    // Rollout, redact.
    let delete = ["delete", "pod", "old", "--grace-period=0", "--force"];
    assert_eq!(kubectl(&namespace, &delete, "").code, 0);
    stage
        .secrets(&["redact", &namespace, "app"])
        .expect("redacted");
    let stored = get(&namespace, "configmap", "app");
    let placeholder = stored["data"]["PASSWORD"].as_str().expect("text");
    assert!(placeholder.starts_with("moved-secret:v1:"), "{placeholder}");
    let status = || stage.secrets(&["status", &namespace]).expect("a table");
    let said = eventually("told", status, |said| {
        said.contains("Redact") && said.contains("Served")
    });
    assert!(said.contains("data.PASSWORD"), "{said}");
    // Back, with nobody of ours there.
    stage.serving = None;
    for name in ["replica-0", "replica-1"] {
        stage.installation.kill(name);
    }
    let said = stage.secrets(&["restore", &namespace]).expect("restored");
    assert!(said.contains("put back"), "{said}");
    let restored = get(&namespace, "configmap", "app");
    assert_eq!(restored["data"]["PASSWORD"], VALUE, "{restored}");
}

/// What somebody may who is no administrator: all but to go round the webhook.
fn rights(namespace: &str) -> String {
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| {
        json!({"apiGroups": [group],
        "resources": resources, "verbs": verbs})
    };
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({"name": "puts-back", "namespace": namespace});
    let role = json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata,
    "rules": [
        rule("", &["configmaps", "secrets"], &["get", "list", "update", "create"]),
        rule("portcullis.dev", &["relocations"], &["get", "list", "create", "patch"]),
    ]});
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "puts-back"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "dev-user"}]});
    json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]}).to_string()
}

#[test]
fn who_may_not_go_round_the_webhook_puts_values_back_all_the_same() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("asked");
    kubectl(&namespace, &["apply", "-f", "-"], &rights(&namespace))
        .ok()
        .expect("rights");
    let config = cluster().kubeconfig(User::Dev).display().to_string();
    let restore = ["secrets", "restore", &namespace, "--kubeconfig", &config];
    let trusting = ["--installation=default", "--trusting"];
    for number in 0..5 {
        let map = config_map(&format!("app-{number}"), json!({"PASSWORD": VALUE}));
        let applied = kubectl(&namespace, &["apply", "-f", "-"], &map);
        assert_eq!(applied.code, 0, "{}", applied.stderr);
        served(&namespace, &format!("app-{number}"));
    }
    let said = Portcullis::print(&[&restore[..], &trusting].concat()).expect("put back");
    for number in 0..5 {
        let name = format!("app-{number}");
        assert!(
            said.contains(&format!("{namespace}/{name}: put back")),
            "{said}"
        );
        assert_eq!(
            get(&namespace, "configmap", &name)["data"]["PASSWORD"],
            VALUE
        );
    }
}
