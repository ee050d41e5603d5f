//! The entries by which secrets leave ConfigMaps: in namespaces that are
//! enrolled for it, and nowhere else.

mod conditions;

use std::collections::BTreeSet;

use portcullis_contract::NAME_LABEL;
use serde_json::{Value, json};

use crate::cluster::relocation::{LABEL, MOVE};
use crate::registration::Registration;

/// Both halves may wait for the API server: they ask and write there.
const TIMEOUT_SECONDS: u8 = 10;

/// Has an entry of policies let values be put back.
pub(super) fn let_put_back(entry: &mut Value) {
    let condition = conditions::not_put_back();
    match entry["matchConditions"].as_array_mut() {
        Some(conditions) => conditions.push(condition),
        None => entry["matchConditions"] = json!([condition]),
    }
}

/// The validating and the mutating entry.
pub(super) fn entries(registration: &Registration, excluded: &BTreeSet<String>) -> [Value; 2] {
    let mut selected = vec![
        json!({"key": NAME_LABEL, "operator": "NotIn", "values": excluded}),
        json!({"key": LABEL, "operator": "In", "values": [MOVE]}),
    ];
    selected.extend(registration.namespaces.iter().map(|one| json!(one)));
    let entry = |half: &str, failure_policy: &str, conditions: Vec<Value>| {
        let path = format!("/relocate/{half}");
        json!({
            "name": format!("relocate.{half}.portcullis.dev"),
            "admissionReviewVersions": ["v1"],
            "clientConfig": registration
                .target
                .client_config(&path, registration.ca_bundle.as_ref()),
            "failurePolicy": failure_policy,
            "matchPolicy": "Equivalent",
            "matchConditions": conditions,
            "namespaceSelector": {"matchExpressions": selected},
            "rules": [rule("configmaps"), rule("pods"), rule("pods/ephemeralcontainers")],
            "sideEffects": "NoneOnDryRun",
            "timeoutSeconds": TIMEOUT_SECONDS,
        })
    };
    let mut mutating = entry("mutate", "Ignore", conditions::of_moving());
    // What another webhook changes after us is looked at again.
    mutating["reinvocationPolicy"] = "IfNeeded".into();
    [
        entry("validate", "Fail", conditions::of_checking()),
        mutating,
    ]
}

fn rule(resource: &str) -> Value {
    json!({
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": [resource],
        "operations": ["CREATE", "UPDATE"],
        "scope": "Namespaced",
    })
}
