//! What many ConfigMaps cost a replica that only wants to know whether they
//! are there.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use portcullis_cluster::{Namespace, Portcullis, User};
use serde_json::json;

use super::{Stage, Turn, ask, policy};
use crate::policies::{apply, client, eventually};
use crate::support::cluster;

/// What a replica may take more than before: less than half of their data.
const MOST_KIB: u64 = 16 * 1024;

/// How many, and bytes of each: more than `MOST_KIB` in all.
fn size() -> (usize, usize) {
    match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => (10_000, 4 * 1024),
        None => (500, 64 * 1024),
    }
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

#[test]
fn whether_many_objects_are_there_is_known_in_little_memory() {
    let _turn = Turn::take();
    let elsewhere = cluster().namespace().expect("a namespace");
    populate(&elsewhere);
    let stage = Stage::new();
    let before = resident(&stage.portcullis);
    let lookups = json!([{"resource": "configmaps"}]);
    let document = policy(&stage.namespace, "dangling-references", lookups);
    let started = Instant::now();
    apply(&document.to_string()).ok().expect("a policy");
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
    assert!(more < MOST_KIB, "{more} KiB");
}
