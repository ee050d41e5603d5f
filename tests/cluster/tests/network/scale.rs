//! Many namespaces: how soon each has its NetworkPolicy, and what that costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ListParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use portcullis_cluster::User;
use serde_json::from_str;

use super::{NAME, SOON, Stage, network_policy};
use crate::policies::{admin, apply, client, eventually};

/// Namespaces in CI, and when all is asked for.
const NAMESPACES: usize = 200;
const ALL_NAMESPACES: usize = 5_000;
/// For all of them, from nothing (issue: 5 minutes).
const MOST: Duration = Duration::from_secs(300);
/// What a replica may take of memory meanwhile, in MB (the same).
const MOST_MEMORY: f64 = 150.0;
/// Requests of the test at once.
const AT_ONCE: usize = 16;

/// Namespaces that are enrolled, and that nobody looks after.
async fn create(stage: &Stage, client: &Client, number: usize) {
    let api: Api<Namespace> = Api::all(client.clone());
    let one = async |index: usize| {
        let text = stage.namespace_text(&format!("many-{index}"), "isolate-ingress");
        let object = from_str(&text).expect("an object");
        let created = api.create(&PostParams::default(), &object).await;
        created.expect("a namespace");
    };
    let all = stream::iter(0..number).map(one);
    all.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// How many namespaces of the stage have theirs.
async fn kept(stage: &Stage, client: &Client) -> usize {
    let api: Api<PartialObjectMeta<NetworkPolicy>> = Api::all(client.clone());
    let ours = ListParams::default().labels("app.kubernetes.io/managed-by=portcullis");
    let list = api.list(&ours).await.expect("a list");
    let prefix = stage.name("many-");
    let is_one = |one: &&PartialObjectMeta<NetworkPolicy>| {
        let namespace = one.namespace().unwrap_or_default();
        one.name_any() == NAME && namespace.starts_with(&prefix)
    };
    list.items.iter().filter(is_one).count()
}

/// What the API server was asked so far about what matters here, by verb and
/// resource; of all who ask.
fn requests() -> BTreeMap<String, u64> {
    let metrics = admin(&["get", "--raw", "/metrics"], "").ok().expect("text");
    let mut counts = BTreeMap::new();
    for line in metrics.lines() {
        let Some(rest) = line.strip_prefix("apiserver_request_total{") else {
            continue;
        };
        let label = |name: &str| {
            let start = rest.find(&format!("{name}=\""))? + name.len() + 2;
            rest[start..].split('"').next()
        };
        let (Some(verb), Some(resource)) = (label("verb"), label("resource")) else {
            continue;
        };
        if !matches!(resource, "namespaces" | "networkpolicies") {
            continue;
        }
        let count = line.rsplit(' ').next().and_then(|count| count.parse().ok());
        *counts.entry(format!("{verb} {resource}")).or_default() += count.unwrap_or(0_u64);
    }
    counts
}

/// Nobody looks after namespaces while the policy is gone.
fn take_away(stage: &Stage) {
    let delete = ["delete", "wasmpolicy", "default-network-policy"];
    admin(&delete, "").ok().expect("deleted");
    let out = |installation: &portcullis_cluster::Installation<'_>| {
        let [validating, _] = installation.configurations()?;
        let entries = portcullis_cluster::installation::failure_policies(&validating);
        let is_left = |(name, _): &(String, String)| name == "policies.portcullis.dev";
        Ok(entries.iter().all(is_left))
    };
    let waited = stage.installation.eventually("it is gone", SOON, out);
    waited.expect("gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_namespaces_that_were_there_before_are_kept_within_minutes() {
    let number = match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => ALL_NAMESPACES,
        None => NAMESPACES,
    };
    let stage = Stage::new();
    let client = client(User::Admin).await;
    take_away(&stage);
    let idle = stage.installation.memory().expect("figures");
    create(&stage, &client, number).await;
    assert_eq!(kept(&stage, &client).await, 0);

    let before = requests();
    let (started, mut looks) = (Instant::now(), 0);
    apply(&super::document().to_string())
        .ok()
        .expect("a policy");
    loop {
        let kept = kept(&stage, &client).await;
        looks += 1;
        if kept == number {
            break;
        }
        assert!(started.elapsed() < MOST, "{kept} of {number}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let took = started.elapsed();
    let after = requests();
    let asked: BTreeMap<&String, u64> = after
        .iter()
        .map(|(what, count)| (what, count - before.get(what).unwrap_or(&0)))
        .collect();
    let memory = stage.installation.memory().expect("figures");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().expect("cores");
    eprintln!("{number} namespaces kept after {took:.1?}; {cores} cores, load {load}");
    eprintln!("memory {memory:.1?}, before {idle:.1?}");
    eprintln!("requests of everybody, {looks} lists of them the test's: {asked:?}");

    // What is deleted by hand comes back, however many others there are.
    let namespace = stage.name(&format!("many-{}", number / 2));
    let delete = ["delete", "networkpolicy", NAME, "-n", &namespace];
    let deleted = Instant::now();
    admin(&delete, "").ok().expect("deleted");
    eventually(
        "made again",
        || network_policy(&namespace),
        |one| !one.is_null(),
    );
    eprintln!(
        "one that was deleted is back after {:.1?}",
        deleted.elapsed()
    );
    let most = memory.iter().map(|one| one.peak).fold(0.0, f64::max);
    assert!(most <= MOST_MEMORY, "{most} MB");
}
