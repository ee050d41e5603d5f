//! The whole cluster was switched off, and comes up without Portcullis.

/// What is in the cluster.
mod bench;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_cluster::installation::failure_policies;
use portcullis_cluster::{Answer, Cluster, Installation, Portcullis, User};
use serde_json::{Value, json};

use crate::support::deployment;
use bench::{CNI, Workload, admin, cold, is_tainted, read, wait_for};

/// Two clusters at once are too much for a small machine.
static ONE: Mutex<()> = Mutex::new(());
const SOON: Duration = Duration::from_secs(40);

/// A policy on everything that there is, besides those of the profile.
fn on_everything() -> PathBuf {
    let file = std::env::temp_dir().join(format!("portcullis-cold-{}.yaml", std::process::id()));
    let rule = json!({"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"],
        "operations": ["*"]});
    let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "everything"},
        "spec": {"program": {"builtin": "image-tags"}, "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]}}});
    std::fs::write(&file, policy.to_string()).expect("a temporary file");
    file
}

fn policies_of(installation: &Installation<'_>) -> anyhow::Result<Vec<(String, String)>> {
    let both = installation.configurations()?;
    Ok(both.iter().flat_map(failure_policies).collect())
}

fn is_closed(installation: &Installation<'_>) -> anyhow::Result<bool> {
    let policies = policies_of(installation)?;
    let closed = ("fail.validate.portcullis.dev".into(), "Fail".into());
    Ok(policies.contains(&closed))
}

fn is_open(installation: &Installation<'_>) -> anyhow::Result<bool> {
    let policies = policies_of(installation)?;
    Ok(!policies.is_empty() && policies.iter().all(|(_, policy)| policy == "Ignore"))
}

/// What becomes of a Deployment that the profile denies, in a namespace that is
/// judged.
fn verdict(cluster: &Cluster) -> String {
    let create = ["create", "--dry-run=server", "-n", "default", "-f", "-"];
    let manifest = deployment("web", "nginx:latest");
    let answer = cluster.kubectl(User::Admin, &create, &manifest);
    answer.expect("kubectl").stderr
}

/// Fail is in force, and nobody is there.
fn fails_closed(cluster: &Cluster) {
    let refused = verdict(cluster);
    let why = "failed calling webhook \"fail.";
    assert!(refused.contains(why), "{refused}");
}

fn judges_again(installation: &Installation<'_>) {
    let cluster = installation.home.cluster;
    let is_judged = |_: &Installation<'_>| Ok(verdict(cluster).contains("image-tags/image-latest"));
    installation
        .eventually("it judges", SOON, is_judged)
        .expect("judged");
}

#[test]
fn a_cluster_comes_up_without_portcullis_though_all_policies_fail_closed() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start().unwrap();
    let mut installation = Installation::new(&cluster).unwrap();
    let home = installation.home.name().to_owned();
    let everything = on_everything().display().to_string();
    let options = [
        "--profile",
        "strict",
        "--policies",
        &everything,
        "--settle=0s",
    ];
    // What the profile would deny, where it is not asked; and a stand-in for
    // our own pods.
    let agent = Workload::daemon_set("kube-system", "agent");
    let own = Workload::deployment(&home, "portcullis");
    let workloads = [agent, own];
    let before: Vec<_> = workloads.iter().map(|one| one.create(&cluster)).collect();
    installation.start(&[], &options).unwrap();
    installation
        .eventually("it fails closed", SOON, is_closed)
        .unwrap();
    // The API server makes it anew when it starts, or does not start.
    admin(&cluster, &["delete", "clusterrole", "system:basic-user"]);

    installation.kill("replica-0");
    fails_closed(&cluster);
    cold(&cluster, &workloads);

    wait_for("the taint is lifted", || !is_tainted(&cluster));
    for (one, before) in workloads.iter().zip(before) {
        let now = one.running(&cluster);
        assert_ne!(now, before, "{}: another pod", one.name);
    }
    admin(&cluster, &["get", "clusterrole", "system:basic-user"]);
    // The kubelet ends if it cannot write it.
    admin(&cluster, &["get", "csinode", "node-1"]);
    assert!(is_closed(&installation).unwrap());
    fails_closed(&cluster);

    installation.start(&[], &options).unwrap();
    judges_again(&installation);
    std::fs::remove_file(everything).unwrap();
}

/// The kind WasmPolicy is there, though no policy is: a profile is in force.
fn define(cluster: &Cluster) {
    let definition = Portcullis::print(&["crd"]).expect("a definition");
    let apply = cluster.kubectl(User::Admin, &["apply", "-f", "-"], &definition);
    apply.and_then(Answer::ok).expect("it is taken");
}

/// What the condition says of the network's namespace.
fn is_withheld(installation: &Installation<'_>) -> anyhow::Result<bool> {
    let state = installation.state()?;
    let conditions = state["conditions"].as_array().cloned().unwrap_or_default();
    let mut withheld = conditions
        .iter()
        .filter(|one| one["type"] == "FailWithheld");
    Ok(withheld.any(|one| {
        let message = one["message"].to_string();
        message.contains(&format!(
            "{CNI} holds the pod network (DaemonSet {CNI}): give --exclude-namespace={CNI}"
        ))
    }))
}

/// Somebody forces what is withheld.
fn force(installation: &Installation<'_>) {
    let kinds = [
        "validatingwebhookconfiguration",
        "mutatingwebhookconfiguration",
    ];
    let both = installation.configurations().unwrap();
    for (kind, live) in kinds.iter().zip(both) {
        // Where no policy changes anything, nobody is asked to mutate.
        let entries = live["webhooks"].as_array().map_or(&[][..], Vec::as_slice);
        if entries.is_empty() {
            continue;
        }
        let closed = (0..entries.len()).map(|index| {
            let path = format!("/webhooks/{index}/failurePolicy");
            json!({"op": "replace", "path": path, "value": "Fail"})
        });
        let patch = Value::from_iter(closed).to_string();
        let cluster = installation.home.cluster;
        let patch = [
            "patch",
            kind,
            installation.name(),
            "--type=json",
            "-p",
            &patch,
        ];
        admin(cluster, &patch);
    }
}

/// The node waits for its network, and the network for Portcullis.
fn hangs(cluster: &Cluster) {
    let events = ["get", "events", "-n", CNI, "-o", "json"];
    wait_for("the network is refused", || {
        let events = read(cluster, &events).to_string();
        events.contains("FailedCreate") && events.contains("failed calling webhook")
    });
    assert!(is_tainted(cluster));
}

#[test]
fn the_pod_network_never_waits_for_portcullis_unless_somebody_forces_it() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let cluster = Cluster::start_with_network_from(CNI).unwrap();
    let _network = cluster.namespace_named(CNI).unwrap();
    let mut installation = Installation::new(&cluster).unwrap();
    let own = Workload::deployment(installation.home.name(), "portcullis");
    own.apply(&cluster);
    wait_for("the node waits", || is_tainted(&cluster));
    let network = Workload::network();
    network.create(&cluster);
    let workloads = [network, own];
    let [network, own] = &workloads;
    let before = own.running(&cluster);
    define(&cluster);
    let options = ["--profile", "strict", "--settle=0s"];
    installation.start(&[], &options).unwrap();
    let stays = installation.eventually("it stays open", SOON, |installation| {
        Ok(is_withheld(installation)? && is_open(installation)?)
    });
    stays.unwrap();
    judges_again(&installation);

    installation.kill("replica-0");
    cold(&cluster, &workloads);
    network.running(&cluster);
    wait_for("the taint is lifted", || !is_tainted(&cluster));
    assert_ne!(own.running(&cluster), before);

    // So it is the withheld Fail that it hangs on.
    force(&installation);
    cold(&cluster, &workloads);
    hangs(&cluster);
    let both = "validatingwebhookconfiguration,mutatingwebhookconfiguration";
    admin(&cluster, &["delete", both, installation.name()]);
    own.running(&cluster);

    let exclude = format!("--exclude-namespace={CNI}");
    let options = [&options[..], &[&exclude]].concat();
    installation.start(&[], &options).unwrap();
    let is_told = |installation: &Installation<'_>| {
        let away = installation.state()?["away"].clone();
        Ok(away.as_object().is_some_and(|away| away.len() == 2))
    };
    installation
        .eventually("it stays away", SOON, is_told)
        .unwrap();
    installation.command("resume").unwrap();
    installation
        .eventually("it fails closed", SOON, is_closed)
        .unwrap();
    installation.kill("replica-1");
    cold(&cluster, &workloads);
    network.running(&cluster);
    own.running(&cluster);
    fails_closed(&cluster);
}
