//! What a pod costs, by what there is in its namespace: measured in turns, in
//! one run.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Pod, ServiceAccount};
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use portcullis_cluster::User;
use serde_json::json;

use super::coverage::closed;
use super::first::{either, gated, namespaces};
use super::{NAME, Stage, create_in, enrol, network_policy, pod};
use crate::policies::{admin, client, eventually};

/// Pods in each of the namespaces.
const PODS: usize = 40;
const ALL_PODS: usize = 400;
/// Namespaces that are new.
const NEW: usize = 10;
/// One read of an object more, on a machine that does much else.
const OURS: Duration = Duration::from_millis(25);
/// A list more: the API server waits until its cache is as new as etcd, which
/// tells it so every 100 ms where nothing of that kind changes.
const LISTED: Duration = Duration::from_millis(250);

async fn took(client: &Client, namespace: &str, name: &str) -> Duration {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let object: Pod = serde_json::from_value(gated(&pod(name))).expect("an object");
    let before = Instant::now();
    let created = api.create(&PostParams::default(), &object).await;
    created.expect("a pod");
    before.elapsed()
}

/// The middle one, and that of which nine of ten are quicker.
fn figures(mut times: Vec<Duration>) -> [Duration; 2] {
    times.sort();
    [times[times.len() / 2], times[times.len() * 9 / 10]]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_costs_little_more_in_an_enrolled_namespace() {
    let mut stage = Stage::new();
    let plain = stage.namespace("plain", None);
    let ours = stage.namespace("ours", Some("isolate-ingress"));
    let covered = stage.namespace("theirs", None);
    create_in(&covered, &closed()).ok().expect("theirs");
    enrol(&covered);
    eventually(
        "ours",
        || network_policy(&ours),
        |one| one["metadata"]["name"] == NAME,
    );
    let client = client(User::Admin).await;
    let mut times = [vec![], vec![], vec![]];
    for number in 0..either(PODS, ALL_PODS) {
        for (namespace, times) in [&plain, &ours, &covered].into_iter().zip(&mut times) {
            times.push(took(&client, namespace, &format!("pod-{number}")).await);
        }
    }
    // What is first in a namespace is an account, which brings the policy.
    let mut first = Vec::new();
    let namespaces_api: Api<Namespace> = Api::all(client.clone());
    for namespace in namespaces(&stage, NEW) {
        let name = namespace.name_any();
        let create = PostParams::default();
        let created = namespaces_api.create(&create, &namespace).await;
        created.expect("a namespace");
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
        let object = serde_json::from_value(json!({"metadata": {"name": "own"}}));
        let before = Instant::now();
        let created = accounts.create(&create, &object.expect("an object")).await;
        first.push(before.elapsed());
        created.expect("an account");
        admin(&["delete", "namespace", &name, "--wait=false"], "");
    }
    let [plain, ours, covered] = times.map(figures);
    let first = figures(first);
    let cores = std::thread::available_parallelism().expect("cores");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    eprintln!(
        "a pod, median and of nine in ten; {cores} cores, load {}",
        load.trim()
    );
    eprintln!("not enrolled {plain:.2?}, ours in force {ours:.2?}, another covers {covered:.2?}");
    eprintln!("what comes first to a new namespace {first:.2?}");
    let more = |than: [Duration; 2]| than[0].saturating_sub(plain[0]);
    assert!(more(ours) < OURS, "{:?} more", more(ours));
    assert!(more(covered) < LISTED, "{:?} more", more(covered));
    assert!(more(first) < LISTED, "{:?} more", more(first));
}
