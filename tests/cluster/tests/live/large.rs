use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use portcullis_cluster::{User, binary};
use serde_json::{Value, json};

use crate::policies::client;
use crate::support::cluster;

/// Objects that are made at once.
const AT_ONCE: usize = 16;
/// What is promised of 10,000 objects (issue 7).
const MOST_TIME: Duration = Duration::from_secs(60);
const MOST_KIB: u64 = 150 * 1024;

/// How many objects: as many as are promised with PORTCULLIS_FULL.
fn objects() -> usize {
    match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => 10_000,
        None => 500,
    }
}

/// Nobody runs it; of the size that Pods have.
fn object(number: usize) -> Value {
    let env: Vec<Value> = (0..30)
        .map(|at| json!({"name": format!("SETTING_{at}"), "value": format!("value-{number}-{at}")}))
        .collect();
    let container = json!({"name": "a", "image": "nginx:latest", "env": env});
    let pod =
        json!({"schedulerName": "nobody", "restartPolicy": "Never", "containers": [container]});
    let name = json!({"name": format!("object-{number}")});
    match number % 2 {
        0 => json!({"apiVersion": "v1", "kind": "Pod", "metadata": name, "spec": pod}),
        _ => json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": name,
            "spec": {"schedule": "0 4 * * *", "suspend": true,
                "jobTemplate": {"spec": {"template": {"spec": pod}}}}}),
    }
}

async fn create(client: &Client, namespace: &str, number: usize) {
    let object: DynamicObject = serde_json::from_value(object(number)).unwrap();
    let types = object.types.clone().unwrap();
    let kind = GroupVersionKind::try_from(&types).unwrap();
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    api.create(&PostParams::default(), &object).await.unwrap();
}

fn populate(namespace: &str, count: usize) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(async {
        let client = client(User::Admin).await;
        let making = stream::iter(0..count).map(|number| create(&client, namespace, number));
        making
            .buffer_unordered(AT_ONCE)
            .for_each(|()| async {})
            .await;
    });
}

/// Runs an audit; what it printed, its time, and the most memory it had, in KiB.
fn measured(arguments: &[&str]) -> (String, Duration, u64) {
    let started = Instant::now();
    let mut child = Command::new(binary().unwrap())
        .arg("audit")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    // Its peak only grows, until the process is gone.
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(peak.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = reader.join().unwrap().unwrap();
    (text, started.elapsed(), most)
}

#[test]
fn many_objects_are_audited_in_a_minute_with_little_memory() {
    let namespace = cluster().namespace().unwrap();
    let count = objects();
    let making = Instant::now();
    populate(namespace.name(), count);
    eprintln!("{count} objects made in {:?}", making.elapsed());
    let config = cluster().kubeconfig(User::Admin).display().to_string();
    let place = ["--kubeconfig", &config, "--namespace", namespace.name()];
    let (text, took, kib) =
        measured(&[&place[..], &["--profile", "strict", "--output", "json"]].concat());
    let report: Value = serde_json::from_str(&text).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let latest = findings.iter().filter(|one| one["code"] == "image-latest");
    assert_eq!(latest.count(), count);
    assert_eq!(report["failures"], json!([]));
    eprintln!(
        "{count} objects, {} findings: {took:?}, {} MiB",
        findings.len(),
        kib / 1024
    );
    assert!(took < MOST_TIME, "{took:?}");
    assert!(kib < MOST_KIB, "{kib} KiB");
}
