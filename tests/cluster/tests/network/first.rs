//! No pod is there before its namespace's NetworkPolicy.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt};
use portcullis_cluster::User;
use serde_json::{Value, from_str, json};

use super::witness::Witness;
use super::{SOON, Stage, create_in, network_policy, pod};
use crate::policies::{admin, client};
use crate::support::{Chance, seed};

/// Clients at once.
const CLIENTS: usize = 8;
/// Namespaces in CI, and when all is asked for.
const NAMESPACES: usize = 24;
const ALL_NAMESPACES: usize = 500;
/// How often replicas are killed meanwhile.
const KILLS: usize = 2;
const ALL_KILLS: usize = 20;

/// The one in CI, the other when all is asked for.
pub(super) fn either(share: usize, all: usize) -> usize {
    match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => all,
        None => share,
    }
}

/// What was seen of one namespace.
#[derive(Debug, Clone)]
struct Seen {
    /// Until its first pod, or what makes it, was there.
    took: Duration,
    /// How often it had to be tried again.
    lost: usize,
    /// Pods that come by it.
    pods: usize,
}

/// Asks again while the webhook cannot be called, or says that to try again is
/// safe, for a while; counts that.
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
                let is_expected = ["failed calling webhook", "to try again is safe"];
                assert!(is_expected.iter().any(|text| why.contains(text)), "{why}");
                assert!(Instant::now() < until, "never: {why}");
                *lost += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Which runs nowhere, so that nothing but admission is busy with it.
pub(super) fn gated(object: &str) -> Value {
    let mut object: Value = from_str(object).expect("an object");
    object["spec"]["schedulingGates"] = json!([{"name": "example.com/never"}]);
    object
}

/// A namespace, an account and a pod, or a Deployment of two, each as soon as
/// the one before is there.
async fn in_one_go(client: &Client, namespace: &Namespace, is_deployment: bool) -> Seen {
    let (create, mut lost) = (PostParams::default(), 0);
    let name = namespace.name_any();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    insist(&mut lost, || namespaces.create(&create, namespace)).await;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "own"}});
    let account: ServiceAccount = serde_json::from_value(account).expect("an object");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    insist(&mut lost, || accounts.create(&create, &account)).await;
    let mut wanted = gated(&pod("first"));
    wanted["spec"]["serviceAccountName"] = json!("own");
    let before = Instant::now();
    let pods = match is_deployment {
        true => {
            let labels = json!({"app": "web"});
            let template = json!({"metadata": {"labels": labels}, "spec": wanted["spec"]});
            let object = json!({"metadata": {"name": "web"},
                "spec": {"replicas": 2, "selector": {"matchLabels": labels},
                    "template": template}});
            let object: Deployment = serde_json::from_value(object).expect("an object");
            let api: Api<Deployment> = Api::namespaced(client.clone(), &name);
            insist(&mut lost, || api.create(&create, &object)).await;
            2
        }
        false => {
            let object: Pod = serde_json::from_value(wanted).expect("an object");
            let api: Api<Pod> = Api::namespaced(client.clone(), &name);
            insist(&mut lost, || api.create(&create, &object)).await;
            1
        }
    };
    Seen {
        took: before.elapsed(),
        lost,
        pods,
    }
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// So many namespaces that are not there yet.
pub(super) fn namespaces(stage: &Stage, number: usize) -> Vec<Namespace> {
    let text = |index: usize| stage.namespace_text(&index.to_string(), "isolate-ingress");
    let object = |index| from_str(&text(index)).expect("an object");
    (0..number).map(object).collect()
}

/// First pods of namespaces, several at once; counts those that are there.
async fn first_pods(namespaces: Vec<Namespace>, done: Arc<AtomicUsize>) {
    let client = client(User::Admin).await;
    let mut witness = Witness::new(&client).await;
    let one = |(index, namespace): (usize, Namespace)| {
        let client = client.clone();
        async move { in_one_go(&client, &namespace, index % 3 == 0).await }
    };
    let all = stream::iter(namespaces.clone().into_iter().enumerate()).map(one);
    let mut all = all.buffer_unordered(CLIENTS);
    let mut seen = Vec::new();
    while let Some(one) = all.next().await {
        seen.push(one);
        done.store(seen.len(), Ordering::SeqCst);
    }
    let names: BTreeSet<String> = namespaces.iter().map(ResourceExt::name_any).collect();
    let pods = seen.iter().map(|one| one.pods).sum();
    let pods = witness.judge(&names, pods).await;
    let lost: usize = seen.iter().map(|one| one.lost).sum();
    let alone = seen.iter().filter(|one| one.pods == 1);
    let took = middle(alone.map(|one| one.took).collect());
    let number = seen.len();
    eprintln!(
        "{pods} pods of {number} namespaces, none before its policy; {lost} requests were tried \
         again, a first pod took {took:?} (median)"
    );
    let api: Api<Namespace> = Api::all(client.clone());
    for name in names {
        let deleted = api.delete(&name, &DeleteParams::default()).await;
        deleted.expect("deleted");
    }
}

/// The same, while something else is done.
pub(super) async fn first_pods_while(
    namespaces: Vec<Namespace>,
    meanwhile: impl FnOnce(&dyn Fn() -> usize),
) {
    let done = Arc::<AtomicUsize>::default();
    let pods = tokio::spawn(first_pods(namespaces, Arc::clone(&done)));
    tokio::task::block_in_place(|| meanwhile(&|| done.load(Ordering::SeqCst)));
    pods.await.expect("no pod came too early");
}

/// Waits until so many are there.
pub(super) fn wait_for(number: usize, done: &dyn Fn() -> usize) {
    let until = Instant::now() + SOON * 5;
    while done() < number {
        assert!(Instant::now() < until, "only {} of {number}", done());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn the_first_pod_of_a_namespace_comes_after_its_network_policy() {
    let stage = Stage::new();
    let number = either(NAMESPACES, ALL_NAMESPACES);
    first_pods_while(namespaces(&stage, number), |_| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn replicas_that_are_killed_leave_no_first_pod_without_a_policy() {
    let mut stage = Stage::new();
    let kills = either(KILLS, ALL_KILLS);
    let number = either(NAMESPACES, ALL_NAMESPACES);
    let mut chance = Chance::new(seed());
    let namespaces = namespaces(&stage, number);
    first_pods_while(namespaces, |done| {
        let mut running = vec![0, 1];
        for kill in 0..kills {
            // Within its share, and whether it leads or not.
            let share = number * 3 / 4 / kills;
            wait_for(kill * share + chance.below(share.max(1)), done);
            let killed = running.remove(chance.below(2));
            stage.installation.kill(&format!("replica-{killed}"));
            running.push(stage.replace().expect("another replica"));
        }
    })
    .await;
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
