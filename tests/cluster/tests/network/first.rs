//! No pod is there before its namespace's NetworkPolicy.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use portcullis_cluster::User;
use serde_json::{from_str, json};

use super::{NAME, Stage, create_in, network_policy, pod};
use crate::policies::{admin, client};

/// Clients at once.
const CLIENTS: usize = 8;
/// Namespaces in CI, and when all is asked for.
const NAMESPACES: usize = 20;
const ALL_NAMESPACES: usize = 500;

/// The version that an object was stored as; versions of a cluster grow.
fn version(object: &impl ResourceExt) -> u64 {
    let version = object.resource_version();
    version
        .and_then(|text| text.parse().ok())
        .expect("a version")
}

/// A namespace, an account and a pod, each as soon as the one before is there:
/// the versions of policy and pod, and how long the pod took.
async fn in_one_go(client: &Client, namespace: &Namespace) -> (u64, u64, Duration) {
    let create = PostParams::default();
    let name = namespace.name_any();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces
        .create(&create, namespace)
        .await
        .expect("a namespace");
    let account: ServiceAccount = from_str(
        &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "own"}})
            .to_string(),
    )
    .expect("an object");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    accounts
        .create(&create, &account)
        .await
        .expect("an account");
    let mut wanted: Pod = from_str(&pod("first")).expect("an object");
    wanted.spec.as_mut().expect("a spec").service_account_name = Some("own".to_owned());
    let pods: Api<Pod> = Api::namespaced(client.clone(), &name);
    let before = Instant::now();
    let created = pods.create(&create, &wanted).await.expect("a pod");
    let took = before.elapsed();
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), &name);
    let policy = policies.get(NAME).await.expect("it has a policy");
    assert!(policy.meta().deletion_timestamp.is_none());
    (version(&policy), version(&created), took)
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pod_of_a_namespace_comes_after_its_network_policy() {
    let stage = Stage::new();
    let number = match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => ALL_NAMESPACES,
        None => NAMESPACES,
    };
    let namespaces: Vec<Namespace> = (0..number)
        .map(|index| {
            let text = stage.namespace_text(&index.to_string(), "isolate-ingress");
            from_str(&text).expect("an object")
        })
        .collect();
    let client = client(User::Admin).await;
    let next = AtomicUsize::new(0);
    let work = || async {
        let mut seen = Vec::new();
        while let Some(namespace) = namespaces.get(next.fetch_add(1, Ordering::Relaxed)) {
            seen.push(in_one_go(&client, namespace).await);
        }
        seen
    };
    let seen = futures_util::future::join_all((0..CLIENTS).map(|_| work())).await;
    let seen: Vec<(u64, u64, Duration)> = seen.concat();
    let all: Api<Namespace> = Api::all(client.clone());
    for namespace in &namespaces {
        all.delete(&namespace.name_any(), &DeleteParams::default())
            .await
            .expect("deleted");
    }
    let times = seen.iter().map(|(.., took)| *took).collect();
    eprintln!("{number} first pods, each in {:?} (median)", middle(times));
    assert_eq!(seen.len(), number);
    let late: Vec<_> = seen
        .iter()
        .filter(|(policy, pod, _)| policy >= pod)
        .collect();
    assert!(
        late.is_empty(),
        "policies that came after the pod: {late:?}"
    );
}

#[test]
fn one_apply_of_everything_gives_no_pod_without_a_policy() {
    let stage = Stage::new();
    let name = stage.name("at-once");
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": name},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "replicas": 2,
            "template": {"metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}}});
    let namespace = stage.namespace_text("at-once", "isolate-full");
    let both = format!("{namespace}\n---\n{deployment}\n");
    admin(&["apply", "-f", "-"], &both).ok().expect("applied");
    let get = ["get", "pods", "-n", &name, "-o", "json"];
    let pods = crate::policies::eventually(
        "two pods",
        || serde_json::from_str::<serde_json::Value>(&admin(&get, "").stdout).unwrap_or_default(),
        |list| {
            list["items"]
                .as_array()
                .is_some_and(|items| items.len() == 2)
        },
    );
    let policy = network_policy(&name);
    admin(&["delete", "namespace", &name, "--wait=false"], "");
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    let created = |object: &serde_json::Value| {
        let at = object["metadata"]["creationTimestamp"].as_str();
        at.expect("a time").to_owned()
    };
    for pod in pods["items"].as_array().into_iter().flatten() {
        assert!(created(&policy) <= created(pod), "{pod}");
    }
}

#[test]
fn a_pod_in_the_network_of_its_node_is_warned_of() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("node", Some("isolate-ingress"));
    let mut object: serde_json::Value = serde_json::from_str(&pod("node")).expect("an object");
    object["spec"]["hostNetwork"] = json!(true);
    let warned = create_in(&namespace, &object.to_string());
    assert!(
        warned.code == 0
            && warned
                .stderr
                .contains("[default-network-policy/host-network]"),
        "{warned:?}"
    );
}
