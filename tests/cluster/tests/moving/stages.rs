//! Audit, prepare, rollout, redact; and restore.

use serde_json::json;

use super::{Stage, VALUE, config_map, get, kubectl};
use crate::policies::eventually;

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
