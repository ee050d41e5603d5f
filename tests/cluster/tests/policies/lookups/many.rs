//! What many ConfigMaps cost a replica that only wants to know whether they
//! are there.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use portcullis_cluster::{Namespace, Portcullis, User};
use serde_json::{Value, json};

use super::{Stage, Turn, ask, policy};
use crate::policies::{apply, client, eventually, loaded};
use crate::support::cluster;

/// What a replica may take more than before, in KiB; their data is more than
/// that. A policy that is loaded anew takes some 10 MiB of it.
const MOST_KIB: u64 = 24 * 1024;
/// The same with PORTCULLIS_FULL: 22 to 30 MiB as a rule, and once 55.
const MOST_KIB_OF_ALL: u64 = 64 * 1024;

/// How many, and bytes of each.
fn size() -> (usize, usize) {
    match is_full() {
        true => (10_000, 8 * 1024),
        false => (500, 64 * 1024),
    }
}

fn is_full() -> bool {
    std::env::var_os("PORTCULLIS_FULL").is_some()
}

fn populate(namespace: &Namespace<'_>) {
    let (count, bytes) = size();
    let create = |api: Api<ConfigMap>, number: usize| async move {
        let object = json!({"metadata": {"name": format!("config-{number}"), "labels":
            {"app.kubernetes.io/name": "config", "app.kubernetes.io/instance": format!("i-{number}")}},
            "data": {"settings": "x".repeat(bytes)}});
        let object = serde_json::from_value(object).expect("a ConfigMap");
        let created = api.create(&PostParams::default(), &object).await;
        created.expect("created");
    };
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let api = Api::namespaced(client(User::Admin).await, namespace.name());
        let making = stream::iter(0..count).map(|number| create(api.clone(), number));
        making.buffer_unordered(16).for_each(|()| async {}).await;
    });
}

/// The resident memory of the replica, in KiB.
fn resident(portcullis: &Portcullis) -> u64 {
    let folder = portcullis.ca();
    let folder = folder.parent().expect("a folder").display().to_string();
    let processes = std::fs::read_dir("/proc").expect("processes");
    let of_replica = processes.flatten().find_map(|one| {
        let command = std::fs::read(one.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).into_owned();
        let mut words = command.split('\0');
        let is_ours = words.next()?.ends_with("/portcullis");
        let serves = words.any(|word| word.contains(&folder));
        (is_ours && serves).then(|| one.path().join("status"))
    });
    let status = std::fs::read_to_string(of_replica.expect("it runs")).expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.expect("KiB")
}

const POLICY: &str = "dangling-references";

fn in_force(stage: &Stage, lookups: Value) {
    let document = policy(&stage.namespace, POLICY, lookups);
    apply(&document.to_string()).ok().expect("a policy");
}

#[test]
fn whether_many_objects_are_there_is_known_in_little_memory() {
    let _turn = Turn::take();
    let elsewhere = cluster().namespace().expect("a namespace");
    populate(&elsewhere);
    let stage = Stage::new();
    // The program itself takes some, and so does the first that it is asked.
    in_force(&stage, json!([]));
    eventually("loaded", || loaded(POLICY), |told| told[0] == "True");
    for _ in 0..10 {
        assert_eq!(ask(&stage).code, 0, "nothing is granted");
    }
    let before = resident(&stage.portcullis);
    let started = Instant::now();
    in_force(&stage, json!([{"resource": "configmaps"}]));
    let watched = || stage.portcullis.health().unwrap_or_default();
    let line = "lookup/configmaps: watched, ";
    let health = eventually("watched", watched, |health| health.contains(line));
    let took = started.elapsed();
    let count = health
        .split(line)
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let count: usize = count
        .and_then(|count| count.parse().ok())
        .expect("a number");
    assert!(count >= size().0, "{health}");
    assert_eq!(ask(&stage).code, 0, "it names no ConfigMap");
    let more = resident(&stage.portcullis).saturating_sub(before);
    eprintln!("{count} ConfigMaps are known after {took:?}, in {more} KiB");
    let most = if is_full() { MOST_KIB_OF_ALL } else { MOST_KIB };
    assert!(more < most, "{more} KiB");
}
