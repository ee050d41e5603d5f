//! What replicas know of the cluster is seconds old: each event of a watch
//! comes late.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::PostParams;
use kube::{Api, Client};
use portcullis_cluster::User;
use portcullis_cluster::proxy::{Fault, Rule};
use serde_json::json;

use super::first::{either, first_pods_while, gated, namespaces};
use super::witness::Witness;
use super::{Stage, network_policy, pod, proxied};
use crate::policies::{admin, client, eventually};

/// By which replicas are behind.
const LAG: Duration = Duration::from_secs(3);

/// A namespace of this name, with a profile or none, and not yet its account.
fn create(stage: &Stage, short: &str, profile: Option<&str>) {
    let mut text = stage.namespace_text(short, profile.unwrap_or_default());
    if profile.is_none() {
        text = text.replace("\"portcullis.dev/network\":\"\",", "");
    }
    let created = admin(&["create", "-f", "-"], &text);
    created.ok().expect("a namespace");
}

/// A pod as soon as the namespace has its account.
async fn first_pod(client: &Client, namespace: &str) {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let object: Pod = serde_json::from_value(gated(&pod("first"))).expect("an object");
    loop {
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => return,
            Err(error) => {
                let why = error.to_string();
                let is_early = ["error looking up service account", "being terminated"];
                let is_early = is_early.iter().any(|text| why.contains(text));
                assert!(is_early || why.contains("to try again is safe"), "{why}");
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_known_may_be_seconds_old() {
    let proxy = proxied();
    let mut late = Vec::new();
    for resource in ["namespaces", "networkpolicies"] {
        let rule = Rule::new(Fault::Lag(LAG)).verb("watch").resource(resource);
        late.push(proxy.inject(rule));
    }
    let stage = Stage::through(Some(&proxy));
    assert!(late.iter().all(|one| one.hits() > 0), "nobody is late");
    first_pods_while(namespaces(&stage, either(6, 100)), |_| {}).await;

    let client = client(User::Admin).await;
    let mut witness = Witness::new(&client).await;
    // Another namespace under the same name: the one before was not enrolled.
    let name = stage.name("again");
    let rounds = either(2, 20);
    for round in 0..rounds {
        create(&stage, "again", None);
        let account = [
            "wait",
            "--for=create",
            "serviceaccount/default",
            "-n",
            &name,
        ];
        admin(&account, "").ok().expect("an account");
        // They know it by now as it is.
        tokio::time::sleep(LAG).await;
        admin(&["delete", "namespace", &name], "")
            .ok()
            .expect("deleted");
        create(&stage, "again", Some("isolate-ingress"));
        first_pod(&client, &name).await;
        let pods = witness.judge(&[name.clone()].into(), round + 1).await;
        assert_eq!(pods, round + 1);
        admin(&["delete", "namespace", &name], "")
            .ok()
            .expect("deleted");
    }

    // Several ask at once, and of both replicas.
    create(&stage, "at-once", Some("isolate-ingress"));
    let name = stage.name("at-once");
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &name);
    let (create, object) = (PostParams::default(), |number: usize| {
        let object = json!({"metadata": {"name": format!("own-{number}")}});
        serde_json::from_value::<ServiceAccount>(object).expect("an object")
    });
    let objects: Vec<ServiceAccount> = (0..8).map(object).collect();
    let created = join_all(objects.iter().map(|one| accounts.create(&create, one))).await;
    assert!(created.iter().all(Result::is_ok), "{created:?}");
    first_pod(&client, &name).await;
    witness.judge(&BTreeSet::from([name.clone()]), 1).await;

    // What is deleted by hand is back before the next pod.
    let delete = ["delete", "networkpolicy", super::NAME, "-n", &name];
    admin(&delete, "").ok().expect("deleted");
    let second = gated(&pod("second")).to_string();
    super::create_in(&name, &second).ok().expect("a pod");
    witness.judge(&BTreeSet::from([name.clone()]), 2).await;

    // Who is taken out stays out, although that is known late.
    let label = ["label", "namespace", &name, "portcullis.dev/network-"];
    admin(&label, "").ok().expect("taken out");
    eventually(
        "withdrawn",
        || network_policy(&name),
        serde_json::Value::is_null,
    );
    admin(&["delete", "namespace", &name, "--wait=false"], "");
}
