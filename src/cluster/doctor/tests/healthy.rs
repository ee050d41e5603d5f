//! An installation in which nothing is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{Place, Seen};
use crate::cluster::certificates::Lifetimes;
use crate::cluster::certificates::contents::Contents;
use crate::cluster::crd;
use crate::cluster::doctor::manifests::{RIGHTS, ROLES};
use crate::cluster::doctor::served::{Answer, Served};
use crate::cluster::safety::World;
use crate::cluster::state::State;

pub(in crate::cluster::doctor::tests) const NOW: i64 = 1_800_000_000;
pub(in crate::cluster::doctor::tests) const DAY: i64 = 24 * 60 * 60;

pub(in crate::cluster::doctor::tests) fn certificates(at: i64) -> Contents {
    let names = ["portcullis.portcullis.svc".to_owned()];
    Contents::begin(&names, at, &Lifetimes::default()).expect("made")
}

pub(in crate::cluster::doctor::tests) fn secret(contents: &Contents) -> Secret {
    Secret {
        data: Some(contents.data()),
        ..Secret::default()
    }
}

pub(in crate::cluster::doctor::tests) fn stored(state: &State) -> Option<Option<ConfigMap>> {
    Some(Some(ConfigMap {
        data: Some(state.data()),
        ..ConfigMap::default()
    }))
}

/// A configuration as the API server has it.
pub(in crate::cluster::doctor::tests) fn configuration(
    kind: &str,
    name: &str,
    bundle: &str,
) -> Value {
    json!({
        "kind": kind,
        "metadata": {
            "name": name,
            "ownerReferences": [{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "name": "portcullis-installation", "uid": "u"}],
            "managedFields": [{"manager": "portcullis", "fieldsV1": {"f:webhooks": {}}}],
        },
        "webhooks": [{
            "name": "fail.portcullis.dev",
            "failurePolicy": "Fail",
            "clientConfig": {"caBundle": STANDARD.encode(bundle)},
            "namespaceSelector": {"matchExpressions": [{"key": "kubernetes.io/metadata.name",
                "operator": "NotIn", "values": ["portcullis", "kube-system"]}]},
            "rules": [{"apiGroups": ["", "apps"], "apiVersions": ["*"],
                "resources": ["pods", "deployments"], "operations": ["CREATE"], "scope": "*"}],
        }],
    })
}

pub(in crate::cluster::doctor::tests) fn pod(name: &str, image: &str, is_ready: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "portcullis", "image": image}]},
        "status": {"conditions": [{"type": "Ready", "status": is_ready}],
            "containerStatuses": [{"imageID": ""}]},
    })
}

pub(in crate::cluster::doctor::tests) fn policy(loaded: &str) -> Value {
    let condition = |kind: &str, status: &str| {
        json!({"type": kind, "status": status, "reason": "R",
        "message": "the settings are refused", "lastTransitionTime": "2027-01-01T00:00:00Z"})
    };
    json!({
        "metadata": {"name": "tags", "generation": 2},
        "status": {"observedGeneration": 2,
            "conditions": [condition("Loaded", loaded), condition("Registered", "True")]},
    })
}

pub(in crate::cluster::doctor::tests) fn world() -> World {
    let names = ["portcullis", "kube-system", "network", "shop"];
    let namespaces = names.map(|name| {
        let labels = json!({"kubernetes.io/metadata.name": name});
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).expect("one")
    });
    World {
        namespaces: namespaces.to_vec(),
        ..World::default()
    }
}

/// What the manifests grant our account, as the API server has it.
pub(in crate::cluster::doctor::tests) fn granted() -> Vec<(Option<String>, Value)> {
    let documents = RIGHTS.split("\n---\n");
    let parsed = documents.map(|text| portcullis_manifest::parse_document(text.as_bytes()));
    // The first holds comments alone.
    let ours = parsed
        .filter_map(Result::ok)
        .filter(|one| one["metadata"]["name"] == ROLES);
    let roles = ours.filter(|one| one["kind"] == "ClusterRole" || one["kind"] == "Role");
    let at = |role: &Value| role["metadata"]["namespace"].as_str().map(str::to_owned);
    roles.map(|role| (at(&role), role)).collect()
}

pub(in crate::cluster::doctor::tests) fn healthy() -> Seen {
    let contents = certificates(NOW - DAY);
    let bundle = contents.bundle();
    let mut state = State::default();
    state.say("Registered", true, "AsAsked", "", "t");
    state.say("FailWithheld", false, "AsAsked", "", "t");
    let kinds = [
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ];
    Seen {
        place: Place {
            namespace: "portcullis".into(),
            registration: "portcullis".into(),
            service: "portcullis".into(),
            served_at: None,
        },
        now: Timestamp::from_second(NOW).expect("a time"),
        unseen: vec![],
        webhooks: kinds.map(|kind| Some(vec![configuration(kind, "portcullis", &bundle)])),
        world: Some(world()),
        service: Some(json!({"spec": {"type": "ClusterIP", "selector": {"app": "portcullis"}}})),
        slices: Some(vec![
            json!({"endpoints": [{"conditions": {"ready": true}}]}),
        ]),
        served: vec![Served {
            at: "10.0.0.1:8443".into(),
            answer: Answer::Taken(NOW + 29 * DAY),
        }],
        secret: Some(Some(secret(&contents))),
        state: stored(&state),
        lease: Some(json!({"spec": {"holderIdentity": "a", "renewTime": "2027-01-15T07:59:50Z"}})),
        pods: Some(vec![pod("a", "p:1", "True"), pod("b", "p:1", "True")]),
        budgets: Some(vec![
            json!({"metadata": {"name": "p"}, "status": {"currentHealthy": 2, "desiredHealthy": 1}}),
        ]),
        definitions: Some(crd::definitions().to_vec()),
        policies: Some(vec![policy("True")]),
        anchor: Some(
            json!({"metadata": {"name": "portcullis-installation", "uid": "u",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "portcullis", "uid": "n"}]}}),
        ),
        rights: Some(granted()),
        nodes: None,
        relocating: None,
    }
}
