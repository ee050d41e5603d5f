//! What becomes of pods where the NetworkPolicy cannot be had.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use portcullis_cluster::User;
use portcullis_cluster::proxy::{Fault, Proxy, Rule};
use serde_json::{Value, json};

use super::first::{either, first_pods_while, gated, namespaces};
use super::witness::Witness;
use super::{NAME, Stage, create_in, enrol, network_policy, pod, proxied};
use crate::policies::{admin, client, eventually};
use crate::support::{Chance, cluster, seed};

/// What befalls calls, each of them several times.
fn faults() -> [Fault; 7] {
    [
        Fault::Conflict,
        Fault::TooManyRequests { seconds: 1 },
        Fault::InternalError,
        Fault::Unavailable,
        Fault::ResetBefore,
        Fault::ResetAfter,
        Fault::Latency(Duration::from_secs(2)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn faults_of_the_api_server_leave_no_first_pod_without_a_policy() {
    let proxy = proxied();
    let stage = Stage::through(Some(&proxy));
    let (number, mut chance) = (either(14, 200), Chance::new(seed()));
    let mut rules = Vec::new();
    for verb in ["get", "list", "create"] {
        // One after the other, so that none hides another.
        let mut at = 1;
        while at < u64::try_from(number).expect("few") {
            let fault = faults()[chance.below(7)];
            let rule = Rule::new(fault).resource("networkpolicies").verb(verb);
            rules.push(proxy.inject(rule.calls(at..=at)));
            at += 1 + u64::try_from(chance.below(3)).expect("few");
        }
    }
    first_pods_while(namespaces(&stage, number), |_| {}).await;
    let hits: u64 = rules
        .iter()
        .map(portcullis_cluster::proxy::Injection::hits)
        .sum();
    eprintln!("{hits} calls went wrong");
    assert!(hits > 5, "{hits}");
}

#[test]
fn a_pod_is_refused_while_its_policy_cannot_be_made_and_a_dry_run_makes_none() {
    let proxy = Proxy::start(cluster()).expect("a proxy");
    let mut stage = Stage::through(Some(&proxy));
    let namespace = stage.namespace("a", None);
    let account = stage.installation.account_name();
    let rule = Rule::new(Fault::Unavailable).account(&account);
    let away = proxy.inject(rule.resource("networkpolicies").verb("create"));
    enrol(&namespace);

    let ask = || create_in(&namespace, &pod("web"));
    let refused = eventually("refused", ask, |answer| answer.code != 0);
    for text in [
        "NetworkPolicy `portcullis-default` in the namespace",
        "to try again is safe",
        "[host/effect]",
    ] {
        assert!(refused.stderr.contains(text), "{refused:?}");
    }
    let dry = ["create", "--dry-run=server", "-n", &namespace, "-f", "-"];
    let dry = admin(&dry, &pod("web"));
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(network_policy(&namespace).is_null());

    drop(away);
    eventually("allowed", ask, |answer| answer.code == 0);
    assert!(!network_policy(&namespace).is_null());
}

#[test]
fn a_policy_of_that_name_that_somebody_else_made_is_left_alone() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("b", None);
    let theirs = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": NAME},
        "spec": {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"]}});
    create_in(&namespace, &theirs.to_string())
        .ok()
        .expect("theirs");
    let before = network_policy(&namespace);
    enrol(&namespace);
    let ask = || create_in(&namespace, &pod("web"));
    let refused = eventually("refused", ask, |answer| answer.code != 0);
    assert!(
        refused.stderr.contains("was not made by Portcullis"),
        "{refused:?}"
    );
    let events = ["get", "events", "-n", &namespace, "-o", "json"];
    let told = || serde_json::from_str::<Value>(&admin(&events, "").stdout).unwrap_or_default();
    eventually("an event", told, |events| {
        let mut items = events["items"].as_array().into_iter().flatten();
        items.any(|event| event["reason"] == "NameTaken")
    });
    assert_eq!(network_policy(&namespace), before);
}

#[test]
fn pods_made_while_the_policy_is_deleted_again_and_again_never_come_before_it() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("c", Some("isolate-ingress"));
    for number in 0..10 {
        let delete = [
            "delete",
            "networkpolicy",
            NAME,
            "-n",
            &namespace,
            "--ignore-not-found",
        ];
        admin(&delete, "").ok().expect("deleted");
        let created = create_in(&namespace, &pod(&format!("web-{number}")));
        created.ok().expect("a pod");
        let policy = network_policy(&namespace);
        assert!(!policy.is_null(), "pod {number} is there, and no policy");
    }
}

/// While somebody who may deletes the policy again and again, a pod is admitted
/// by a policy that was there while it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_pod_is_admitted_by_a_policy_that_is_there_whoever_deletes_it_meanwhile() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("race", Some("isolate-ingress"));
    let client = client(User::Admin).await;
    let mut witness = Witness::new(&client).await;
    let policies: Api<NetworkPolicy> = Api::namespaced(client.clone(), &namespace);
    let created = Api::<Pod>::namespaced(client.clone(), &namespace);
    let done = AtomicUsize::new(0);
    let deleting = async {
        let mut number = 0;
        loop {
            let deleted = policies.delete(NAME, &DeleteParams::default()).await;
            number += usize::from(deleted.is_ok());
            done.store(number, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    let creating = async {
        let one = async |index: usize| {
            let name = format!("pod-{index}");
            let object = serde_json::from_value(gated(&pod(&name))).expect("an object");
            let list = created.list(&ListParams::default().limit(1)).await;
            let from = list
                .expect("a list")
                .metadata
                .resource_version
                .expect("a version");
            let done = created.create(&PostParams::default(), &object).await;
            let denied = done
                .as_ref()
                .err()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                done.is_ok() || denied.contains("to try again is safe"),
                "{denied}"
            );
            let from = from.parse::<u64>().expect("a version");
            done.is_ok().then(|| (namespace.clone(), name, from))
        };
        let all = stream::iter(0..either(120, 2_000)).map(one);
        all.buffer_unordered(4)
            .filter_map(async |one| one)
            .collect::<Vec<_>>()
            .await
    };
    tokio::pin!(deleting);
    let pods = tokio::select! {
        pods = creating => pods,
        () = &mut deleting => vec![],
    };
    let deleted = done.load(Ordering::Relaxed);
    eprintln!(
        "{} pods, while the policy was deleted {deleted} times",
        pods.len()
    );
    assert!(pods.len() > 20 && deleted > 5);
    witness.judge_while(&pods).await;
}
