//! A built-in policy that changes objects, behind the real server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis::policy::patch;
use portcullis_contract::PatchOperation;
use serde_json::{Value, json};

use super::server::Server;
use super::{body, pod};
use crate::support::Scratch;

fn with_defaults() -> Server {
    let scratch = Scratch::new();
    let tier = json!({"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}});
    let defaults =
        json!({"namespaceLabel": "kubernetes.io/metadata.name", "tiers": {"shop": tier}});
    let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "resources"},
        "spec": {"program": {"builtin": "resources"}, "failurePolicy": "Fail",
            "settings": {"defaults": defaults}}});
    let policy = scratch.file("p/resources.json", policy.to_string());
    Server::start_in(scratch, &["--profile", "none", "--policies", &policy])
}

#[test]
fn missing_resources_are_filled_in_over_tls_and_then_pass() {
    let server = with_defaults();
    let mut review: Value = serde_json::from_slice(&pod("nginx:1.27.3")).expect("JSON");
    let refused = server.review("/validate/fail", review.to_string().as_bytes());
    assert_eq!(refused["allowed"], false);

    let changed = server.review("/mutate/fail", review.to_string().as_bytes());
    assert_eq!(changed["allowed"], true);
    assert_eq!(changed["patchType"], "JSONPatch");
    let text = STANDARD.decode(changed["patch"].as_str().expect("a patch"));
    let operations: Vec<PatchOperation> =
        serde_json::from_slice(&text.expect("base64")).expect("operations");
    let object = &review["request"]["object"];
    let filled = patch::apply(object, &operations).expect("it applies");
    let mut expected = object.clone();
    expected["spec"]["containers"][0]["resources"] = json!({
        "requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}});
    assert_eq!(filled, expected);

    review["request"]["object"] = filled;
    let passed = server.review("/validate/fail", review.to_string().as_bytes());
    assert_eq!(
        (&passed["allowed"], &passed["warnings"]),
        (&json!(true), &Value::Null)
    );
    let again = server.review("/mutate/fail", review.to_string().as_bytes());
    assert_eq!(
        (&again["allowed"], &again["patch"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn another_namespace_gets_nothing() {
    let server = with_defaults();
    let review: Value = serde_json::from_slice(&pod("nginx:1.27.3")).expect("JSON");
    let mut request = review["request"].clone();
    request["namespace"] = json!("till");
    let answer = server.review("/mutate/fail", body(&request.to_string()).as_bytes());
    assert_eq!(
        (&answer["allowed"], &answer["patch"]),
        (&json!(true), &Value::Null)
    );
}
