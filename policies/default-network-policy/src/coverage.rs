//! What others wrote that covers a namespace already. Ours would be added to
//! it, since policies are additive, and could loosen a stricter one.

use std::collections::BTreeMap;

use portcullis_sdk::contract::{Condition, Test, Unless};
use serde_json::{Value, json};

/// Rules of an AdminNetworkPolicy that are looked at.
const RULES: usize = 4;

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

/// A selector that selects everything, however it is written.
fn everything(path: &str) -> Condition {
    one_of(path, empty())
}

fn empty() -> [Value; 4] {
    [
        json!({}),
        json!({"matchLabels": {}}),
        json!({"matchExpressions": []}),
        json!({"matchLabels": {}, "matchExpressions": []}),
    ]
}

fn network_policy() -> Unless {
    let holds = vec![
        everything("/spec/podSelector"),
        at("/spec/policyTypes", Test::Contains(json!("Ingress"))),
    ];
    within("networking.k8s.io/v1", "networkpolicies", holds)
}

/// CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy: whoever has a rule for
/// ingress isolates (Cilium: "Policy Enforcement Modes", default), but where
/// `enableDefaultDeny` says no.
fn cilium(name: &str) -> Vec<Unless> {
    let of_namespace = |key: &str| json!({"matchLabels": {key: name}});
    let everywhere = || {
        let keys = [
            "k8s:io.kubernetes.pod.namespace",
            "io.kubernetes.pod.namespace",
        ];
        let mut values = keys.map(of_namespace).to_vec();
        values.extend(empty());
        at("/spec/endpointSelector", Test::OneOf(values))
    };
    // No rule, and the list says nothing.
    ["/spec/ingress/0", "/spec/ingressDeny/0"]
        .into_iter()
        .flat_map(|ingress| {
            let isolates = || {
                one_of(
                    "/spec/enableDefaultDeny/ingress",
                    [Value::Null, json!(true)],
                )
            };
            let all = everything("/spec/endpointSelector");
            [
                within(
                    "cilium.io/v2",
                    "ciliumnetworkpolicies",
                    vec![all, isolates(), at(ingress, Test::Present)],
                ),
                of_cluster(
                    "cilium.io/v2",
                    "ciliumclusterwidenetworkpolicies",
                    vec![everywhere(), isolates(), at(ingress, Test::Present)],
                ),
            ]
        })
        .collect()
}

/// Calico's own, as its datastore in Kubernetes has them. Without `types` a policy is
/// for ingress unless it has rules for egress alone (Calico: "Network policy",
/// `types`).
fn calico(name: &str) -> Vec<Unless> {
    let all = |path| one_of(path, [Value::Null, json!(""), json!("all()")]);
    let pods = || vec![all("/spec/selector"), all("/spec/serviceAccountSelector")];
    let here = || {
        let values = [
            Value::Null,
            json!(""),
            json!("all()"),
            json!(format!("projectcalico.org/name == '{name}'")),
            json!(format!("projectcalico.org/name == \"{name}\"")),
        ];
        one_of("/spec/namespaceSelector", values)
    };
    // Those isolate hosts, or let everything past the rest.
    let no = |path| one_of(path, [Value::Null, json!(false)]);
    let said = || {
        vec![
            at("/spec/types", Test::Present),
            at("/spec/types", Test::Contains(json!("Ingress"))),
        ]
    };
    let unsaid = || {
        let none = |path| one_of(path, [Value::Null]);
        vec![none("/spec/types"), none("/spec/egress")]
    };
    let version = "crd.projectcalico.org/v1";
    [said(), unsaid()]
        .into_iter()
        .flat_map(|ingress| {
            let of_all = [here(), no("/spec/preDNAT"), no("/spec/doNotTrack")];
            let one = [pods(), ingress.clone()].concat();
            let all = [pods(), of_all.to_vec(), ingress].concat();
            [
                within(version, "networkpolicies", one),
                of_cluster(version, "globalnetworkpolicies", all),
            ]
        })
        .collect()
}

/// AdminNetworkPolicy and BaselineAdminNetworkPolicy: what only allows or passes on
/// isolates nothing. Few have more rules than are looked at here; where none of
/// those denies, ours is made, which they are not loosened by.
fn admin(labels: &BTreeMap<String, String>) -> Vec<Unless> {
    let resources = ["adminnetworkpolicies", "baselineadminnetworkpolicies"];
    let denies = |resource| {
        (0..RULES).map(move |rule| {
            let action = format!("/spec/ingress/{rule}/action");
            let holds = vec![
                at("/spec/subject/namespaces", Test::Selecting(labels.clone())),
                one_of(&action, [json!("Deny")]),
            ];
            of_cluster("policy.networking.k8s.io/v1alpha1", resource, holds)
        })
    };
    resources.into_iter().flat_map(denies).collect()
}
