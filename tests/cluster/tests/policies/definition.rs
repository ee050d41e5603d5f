use portcullis_cluster::root;
use serde_json::{Value, json};

use super::{Stage, Turn, admin, apply, eventually, loaded, policy};

fn document(spec: Value) -> String {
    json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "tried"}, "spec": spec})
    .to_string()
}

#[test]
fn the_api_server_refuses_what_the_parser_refuses() {
    let _turn = Turn::take();
    let program = json!({"builtin": "image-tags"});
    let digest = format!("sha256:{}", "0".repeat(64));
    let map = json!({"namespace": "a", "name": "b", "key": "c", "digest": digest});
    let rule = json!({"apiGroups": [""], "apiVersions": ["*"], "resources": ["Pods"],
        "operations": ["*"]});
    let selector = json!({"matchExpressions": [{"key": "a", "operator": "In"}]});
    for (spec, says) in [
        (
            json!({"program": {}}),
            "set exactly one of `builtin`, `configMap`",
        ),
        (
            json!({"program": {"builtin": "a", "configMap": map}}),
            "set exactly one of `builtin`, `configMap`",
        ),
        (
            json!({"program": {"file": "a.wasm"}}),
            "`file` is for files on disk",
        ),
        (
            json!({"program": {"url": "x"}}),
            "unknown field \"spec.program.url\"",
        ),
        (
            json!({"program": program, "setings": {}}),
            "unknown field \"spec.setings\"",
        ),
        (
            json!({"program": {"configMap": {"namespace": "a", "name": "b", "key": "c"}}}),
            "spec.program.configMap.digest: Required value",
        ),
        (
            json!({"program": program, "validationActions": ["Deny", "Warn"]}),
            "would show the same text twice",
        ),
        (
            json!({"program": program, "validationActions": []}),
            "at least 1 items",
        ),
        (
            json!({"program": program, "validationActions": ["Deny", "Deny"]}),
            "Duplicate value",
        ),
        (
            json!({"program": program, "validationActions": ["deny"]}),
            "supported values: \"Deny\", \"Warn\", \"Audit\"",
        ),
        (
            json!({"program": program, "limits": {"deadlineMilliseconds": 0}}),
            "should be greater than or equal to 1",
        ),
        (
            json!({"program": program, "matchConstraints": {}}),
            "spec.matchConstraints.resourceRules: Required value",
        ),
        (
            json!({"program": program, "matchConstraints": {"resourceRules": [rule]}}),
            "resources are plural and lower case",
        ),
        (
            json!({"program": program, "overrides": [
                {"validationActions": ["Warn"], "namespaceSelector": selector}]}),
            "`In` and `NotIn` need at least one value",
        ),
    ] {
        let create = ["create", "--dry-run=server", "-f", "-"];
        let answer = admin(&create, &document(spec.clone()));
        assert_ne!(answer.code, 0, "{spec}");
        assert!(answer.stderr.contains(says), "{spec}: {}", answer.stderr);
    }
}

#[test]
fn the_documents_of_the_pack_are_taken_as_they_are() {
    let _turn = Turn::take();
    for profile in ["observe", "starter", "strict"] {
        let folder = root().join("pack").join(profile).display().to_string();
        let answer = admin(&["create", "--dry-run=server", "-f", &folder], "");
        assert_eq!(answer.code, 0, "{profile}: {}", answer.stderr);
    }
}

#[test]
fn kubectl_get_wp_shows_program_action_and_state() {
    let _turn = Turn::take();
    let stage = Stage::new();
    apply(&policy(&stage.namespace, "tags").to_string())
        .ok()
        .unwrap();
    eventually("loaded", || loaded("tags"), |[status, ..]| status == "True");
    let table = admin(&["get", "wp"], "").ok().unwrap();
    let mut lines = table.lines().map(str::split_whitespace);
    let heading: Vec<&str> = lines.next().unwrap().collect();
    assert_eq!(heading, ["NAME", "PROGRAM", "ACTION", "READY", "AGE"]);
    let row: Vec<&str> = lines.next().unwrap().collect();
    assert_eq!(row[..4], ["tags", "image-tags", "[\"Deny\"]", "True"]);
    let of_category = admin(&["get", "portcullis", "-o", "name"], "");
    assert_eq!(of_category.stdout, "wasmpolicy.portcullis.dev/tags\n");
}
