//! The entries by which secrets leave ConfigMaps: in namespaces that are
//! enrolled for it, and nowhere else.

use std::collections::BTreeSet;

use portcullis_contract::NAME_LABEL;
use serde_json::{Value, json};

use crate::cluster::relocation::{LABEL, MOVE};
use crate::registration::Registration;

/// Both halves may wait for the API server: they ask and write there.
const TIMEOUT_SECONDS: u8 = 10;

const CONDITIONS: [(&str, &str); 3] = [NOT_PUT_BACK, NOT_CLUSTER_CA, CHANGED];

/// The one write of who may put values back (`restore` on `relocations`), by
/// the version that it replaces. It holds of all entries: whatever fails closed
/// would keep values from being put back while we are down.
const NOT_PUT_BACK: (&str, &str) = (
    "not-put-back",
    "request.kind.kind != \"ConfigMap\" || request.operation != \"UPDATE\" || \
     object.metadata.?annotations[?\"portcullis.dev/restored\"].orValue(\"\") != \
     oldObject.metadata.resourceVersion || \
     !authorizer.group(\"portcullis.dev\").resource(\"relocations\")\
     .namespace(request.namespace).check(\"restore\").allowed()",
);

/// Every namespace has this one, which nobody moves anything out of. One whose
/// name the API server is yet to make has none.
const NOT_CLUSTER_CA: (&str, &str) = (
    "not-the-cluster-ca",
    "request.kind.kind != \"ConfigMap\" || !has(request.name) || request.name != \"kube-root-ca.crt\"",
);

/// Most updates of pods are no concern of ours, and must pass while we are down:
/// a Job whose pods cannot lose their finalizers never ends (design:
/// reliability.md, 8a).
const CHANGED: (&str, &str) = (
    "changed",
    "request.operation != \"UPDATE\" || request.kind.kind != \"Pod\" || \
     object.spec != oldObject.spec",
);

/// Has an entry of policies let values be put back.
pub(super) fn let_put_back(entry: &mut Value) {
    let condition = condition(NOT_PUT_BACK);
    match entry["matchConditions"].as_array_mut() {
        Some(conditions) => conditions.push(condition),
        None => entry["matchConditions"] = json!([condition]),
    }
}

fn condition((name, expression): (&str, &str)) -> Value {
    json!({"name": name, "expression": expression})
}

/// The validating and the mutating entry.
pub(super) fn entries(registration: &Registration, excluded: &BTreeSet<String>) -> [Value; 2] {
    let conditions = CONDITIONS.map(condition);
    let mut selected = vec![
        json!({"key": NAME_LABEL, "operator": "NotIn", "values": excluded}),
        json!({"key": LABEL, "operator": "In", "values": [MOVE]}),
    ];
    selected.extend(registration.namespaces.iter().map(|one| json!(one)));
    let entry = |half: &str, failure_policy: &str| {
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
    let mut mutating = entry("mutate", "Ignore");
    // What another webhook changes after us is looked at again.
    mutating["reinvocationPolicy"] = "IfNeeded".into();
    [entry("validate", "Fail"), mutating]
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
