use serde_json::json;

use super::{Stage, Turn, admin, apply, policy};

#[test]
fn a_namespace_selector_follows_the_labels_of_the_namespace() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let namespace = stage.namespace.name();
    let mut document = policy(&stage.namespace, "tags");
    // Unknown labels would match `NotIn` by guessing; known ones do not.
    document["spec"]["matchConstraints"]["namespaceSelector"] = json!({
        "matchLabels": {"kubernetes.io/metadata.name": namespace},
        "matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]});
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();
    let label = |value: &str| {
        let change = ["label", "--overwrite", "namespace", namespace, value];
        admin(&change, "").ok().unwrap();
    };
    label("env=dev");
    stage.eventually_allowed();
    label("env=prod");
    stage.eventually_denied();
}

#[test]
fn an_override_for_some_namespaces_holds_by_their_labels() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let mut document = policy(&stage.namespace, "tags");
    document["spec"]["overrides"] = json!([{"validationActions": ["Warn"],
        "namespaceSelector": {"matchLabels": {"env": "dev"}}}]);
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();
    let change = ["label", "namespace", stage.namespace.name(), "env=dev"];
    admin(&change, "").ok().unwrap();
    let warned = stage.eventually_allowed();
    assert!(warned.stderr.contains("Warning: "), "{warned:?}");
}
