//! What others wrote that covers a namespace already. Ours would be added to
//! it, since policies are additive, and could loosen a stricter one.

use std::collections::BTreeMap;

use portcullis_sdk::contract::{Condition, Test, Unless};
use serde_json::{Value, json};

/// Objects of which one covers the namespace `name` with these labels.
pub fn of(name: &str, labels: &BTreeMap<String, String>) -> Vec<Unless> {
    let mut all = vec![network_policy()];
    all.extend(cilium(name));
    all.extend(calico(name));
    all.extend(admin(labels));
    all
}

/// Any NetworkPolicy of the namespace.
pub(crate) fn any_network_policy() -> Unless {
    within("networking.k8s.io/v1", "networkpolicies", vec![])
}

fn at(path: &str, is: Test) -> Condition {
    Condition {
        path: path.to_owned(),
        is,
    }
}

fn one_of<const N: usize>(path: &str, values: [Value; N]) -> Condition {
    at(path, Test::OneOf(values.into()))
}

fn within(api_version: &str, resource: &str, holds: Vec<Condition>) -> Unless {
    Unless {
        api_version: api_version.to_owned(),
        resource: resource.to_owned(),
        cluster: false,
        holds,
    }
}

fn of_cluster(api_version: &str, resource: &str, holds: Vec<Condition>) -> Unless {
    Unless {
        cluster: true,
        ..within(api_version, resource, holds)
    }
}

fn network_policy() -> Unless {
    let holds = vec![
        one_of("/spec/podSelector", [json!({})]),
        at("/spec/policyTypes", Test::Contains(json!("Ingress"))),
    ];
    within("networking.k8s.io/v1", "networkpolicies", holds)
}

/// CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy: whoever names
/// ingress isolates (Cilium: "Policy Enforcement Modes", default).
fn cilium(name: &str) -> Vec<Unless> {
    let of_namespace = |key: &str| json!({"matchLabels": {key: name}});
    let everywhere = || {
        let keys = [
            "k8s:io.kubernetes.pod.namespace",
            "io.kubernetes.pod.namespace",
        ];
        let [one, other] = keys.map(of_namespace);
        one_of("/spec/endpointSelector", [json!({}), one, other])
    };
    ["/spec/ingress", "/spec/ingressDeny"]
        .into_iter()
        .flat_map(|ingress| {
            let all = one_of("/spec/endpointSelector", [json!({})]);
            [
                within(
                    "cilium.io/v2",
                    "ciliumnetworkpolicies",
                    vec![all, at(ingress, Test::Present)],
                ),
                of_cluster(
                    "cilium.io/v2",
                    "ciliumclusterwidenetworkpolicies",
                    vec![everywhere(), at(ingress, Test::Present)],
                ),
            ]
        })
        .collect()
}

/// Calico's own, as its datastore in Kubernetes has them.
fn calico(name: &str) -> [Unless; 2] {
    let all = |path| one_of(path, [Value::Null, json!(""), json!("all()")]);
    let ingress = || at("/spec/types", Test::Contains(json!("Ingress")));
    let here = [
        Value::Null,
        json!(""),
        json!("all()"),
        json!(format!("projectcalico.org/name == '{name}'")),
        json!(format!("projectcalico.org/name == \"{name}\"")),
    ];
    let version = "crd.projectcalico.org/v1";
    [
        within(
            version,
            "networkpolicies",
            vec![all("/spec/selector"), ingress()],
        ),
        of_cluster(
            version,
            "globalnetworkpolicies",
            vec![
                all("/spec/selector"),
                one_of("/spec/namespaceSelector", here),
                ingress(),
            ],
        ),
    ]
}

fn admin(labels: &BTreeMap<String, String>) -> [Unless; 2] {
    let holds = || {
        vec![
            at("/spec/subject/namespaces", Test::Selecting(labels.clone())),
            at("/spec/ingress", Test::Present),
        ]
    };
    let version = "policy.networking.k8s.io/v1alpha1";
    [
        of_cluster(version, "adminnetworkpolicies", holds()),
        of_cluster(version, "baselineadminnetworkpolicies", holds()),
    ]
}
