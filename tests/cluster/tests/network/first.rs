//! No pod is there before its namespace's NetworkPolicy.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, Resource, ResourceExt};
use portcullis_cluster::User;
use serde_json::{from_str, json};

use super::{NAME, SOON, Stage, create_in, network_policy, pod};
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

/// What was seen of one first pod.
#[derive(Debug, Clone)]
struct Seen {
    /// The versions that both were stored as.
    policy: u64,
    pod: u64,
    took: Duration,
    /// How often the webhook could not be called.
    lost: usize,
}

/// Asks again while the webhook cannot be called, for a while; counts that.
async fn insist<T, F>(lost: &mut usize, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = kube::Result<T>>,
{
    let until = Instant::now() + SOON;
    loop {
        match ask().await {
            Ok(done) => return done,
            Err(error) => {
                let why = error.to_string();
                assert!(why.contains("failed calling webhook"), "{why}");
                assert!(Instant::now() < until, "never: {why}");
                *lost += 1;
            }
        }
    }
}

/// A namespace, an account and a pod, each as soon as the one before is there.
async fn in_one_go(client: &Client, namespace: &Namespace) -> Seen {
    let (create, mut lost) = (PostParams::default(), 0);
    let name = namespace.name_any();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    insist(&mut lost, || namespaces.create(&create, namespace)).await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "own"}});
    let account: ServiceAccount = from_str(&account.to_string()).expect("an object");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    insist(&mut lost, || accounts.create(&create, &account)).await;
    let mut wanted: Pod = from_str(&pod("first")).expect("an object");
    wanted.spec.as_mut().expect("a spec").service_account_name = Some("own".to_owned());
    let pods: Api<Pod> = Api::namespaced(client.clone(), &name);
    let before = Instant::now();
    let created = insist(&mut lost, || pods.create(&create, &wanted)).await;
    let took = before.elapsed();
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), &name);
    let policy = policies.get(NAME).await.expect("it has a policy");
    assert!(policy.meta().deletion_timestamp.is_none());
    Seen {
        policy: version(&policy),
        pod: version(&created),
        took,
        lost,
    }
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// So many namespaces that are not there yet.
fn namespaces(stage: &Stage, number: usize) -> Vec<Namespace> {
    let text = |index: usize| stage.namespace_text(&index.to_string(), "isolate-ingress");
    let object = |index| from_str(&text(index)).expect("an object");
    (0..number).map(object).collect()
}

/// First pods of namespaces, several at once; `meanwhile` is told how many
/// there are.
async fn first_pods(namespaces: &[Namespace], mut meanwhile: impl FnMut(usize)) -> Vec<Seen> {
    let client = client(User::Admin).await;
    let all = stream::iter(namespaces).map(|namespace| in_one_go(&client, namespace));
    let mut all = all.buffer_unordered(CLIENTS);
    let mut seen = Vec::new();
    while let Some(one) = all.next().await {
        seen.push(one);
        meanwhile(seen.len());
    }
    let api: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces {
        api.delete(&namespace.name_any(), &DeleteParams::default())
            .await
            .expect("deleted");
    }
    let late: Vec<&Seen> = seen.iter().filter(|one| one.policy >= one.pod).collect();
    assert!(
        late.is_empty(),
        "policies that came after the pod: {late:?}"
    );
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pod_of_a_namespace_comes_after_its_network_policy() {
    let stage = Stage::new();
    let number = match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => ALL_NAMESPACES,
        None => NAMESPACES,
    };
    let seen = first_pods(&namespaces(&stage, number), |_| {}).await;
    let times = seen.iter().map(|one| one.took).collect();
    eprintln!("{number} first pods, each in {:?} (median)", middle(times));
    assert_eq!(seen.iter().map(|one| one.lost).sum::<usize>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_killed_leaves_no_first_pod_without_a_policy() {
    let mut stage = Stage::new();
    let namespaces = namespaces(&stage, NAMESPACES);
    let seen = first_pods(&namespaces, |count| {
        // Whether it leads or not.
        if count == NAMESPACES / 4 {
            stage.installation.kill("replica-0");
        }
    })
    .await;
    let lost: usize = seen.iter().map(|one| one.lost).sum();
    eprintln!("{lost} calls were lost with a replica");
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
