//! What comes and goes while others write, where everything fails closed: not
//! one write may fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_cluster::release::{HOME, Release};
use portcullis_cluster::{Answer, Cluster, Namespace, Portcullis, User, helm};
use serde_json::{Value, json};

use super::{ask, eventually};
use crate::policies::policy;
use crate::writers::Load;

/// Nothing waits before it fails closed; who ends serves on for a while, though
/// not the 15 s that it is by default.
const OPTIONS: [&str; 3] = ["--settle=0s", "--resync=1s", "--drain-delay=2s"];
/// What denies is what a test has stored, and nothing else.
const BARE: [&str; 2] = ["--set", "profile=none"];
/// A version before the workspace's.
const OLDER: &str = "0.0.9";
/// WasmPolicy, PolicyExemption and Relocation.
const DEFINITIONS: usize = 3;
/// The member that the definition of [`OLDER`] does not have.
const NEW: &str = "overrides";

/// The chart as an older version had it: other versions, and a definition of
/// WasmPolicy that lacks an optional member.
fn older(folder: &Path) -> PathBuf {
    let chart = folder.join("older");
    let from = helm::chart();
    let copied = Command::new("cp").arg("-r").arg(&from).arg(&chart).status();
    assert!(copied.unwrap().success());
    let file = chart.join("Chart.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace(env!("CARGO_PKG_VERSION"), OLDER);
    assert!(text.contains(OLDER), "{text}");
    std::fs::write(&file, text).unwrap();
    let printed = Portcullis::print(&["crd"]).unwrap();
    let stream = portcullis_manifest::read(printed.as_bytes());
    let definitions = stream.objects.into_iter().map(|one| {
        let mut definition = one.value;
        definition["metadata"]["annotations"] = json!({"helm.sh/resource-policy": "keep"});
        if definition["spec"]["names"]["kind"] == "WasmPolicy" {
            let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
            let members = definition.pointer_mut(spec).and_then(Value::as_object_mut);
            members.unwrap().remove(NEW).expect("a member");
        }
        definition.to_string()
    });
    let definitions: Vec<String> = definitions.collect();
    assert_eq!(definitions.len(), DEFINITIONS);
    let template = chart.join("templates/crd.yaml");
    std::fs::write(template, definitions.join("\n---\n")).unwrap();
    chart
}

/// A policy that fails closed in `shop`, and an exemption from it.
fn store(cluster: &Cluster, shop: &Namespace<'_>) {
    let mut closed = policy(shop, "closed");
    closed["spec"]["failurePolicy"] = json!("Fail");
    closed["spec"]["exemptible"] = json!(true);
    // On a busy machine, too.
    closed["spec"]["limits"] = json!({"deadlineMilliseconds": 5_000});
    let exemption = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "PolicyExemption",
        "metadata": {"name": "old", "namespace": shop.name()},
        "spec": {"policy": "closed", "codes": ["image-latest"], "reason": "it is moved next week",
            "expires": in_a_week(), "selector": {"labelSelector": {"matchLabels": {"team": "none"}}}}});
    for object in [closed, exemption] {
        let apply = cluster.kubectl(User::Admin, &["apply", "-f", "-"], &object.to_string());
        apply.unwrap().ok().unwrap();
    }
}

fn in_a_week() -> String {
    let then = time::OffsetDateTime::now_utc() + time::Duration::days(7);
    let form = time::format_description::well_known::Rfc3339;
    then.replace_nanosecond(0).unwrap().format(&form).unwrap()
}

fn is_denied(answer: &Answer) -> bool {
    answer.code != 0 && answer.stderr.contains("[closed/image-latest]")
}

/// What it judges is denied, and it fails closed.
fn wait_until_closed(release: &Release<'_>, shop: &Namespace<'_>) {
    eventually(release, "denied", || ask(shop, "nginx:latest"), is_denied);
    let get = ["validatingwebhookconfiguration", HOME];
    let live = || release.get(&get).unwrap()["webhooks"].to_string();
    let fails = |entries: &String| entries.contains(r#""failurePolicy":"Fail""#);
    eventually(release, "it fails closed", live, fails);
}

fn are_of(release: &Release<'_>, version: &str) {
    let images: Vec<_> = release.containers().map(|one| one.image.clone()).collect();
    let is_it = |image: &String| image.ends_with(&format!(":{version}"));
    assert!(images.len() == 2 && images.iter().all(is_it), "{images:?}");
}

fn ended(load: Load, during: &str) {
    let (done, failed) = load.end();
    assert!(failed.is_empty(), "of {done} writes: {failed:?}");
    eprintln!("{done} writes during {during}, none failed");
}

/// A policy that uses what is new in the definition.
fn major_only(shop: &Namespace<'_>) -> Value {
    let mut document = policy(shop, "major");
    document["spec"]["failurePolicy"] = json!("Fail");
    document["spec"]["limits"] = json!({"deadlineMilliseconds": 5_000});
    document["spec"][NEW] = json!([{"codes": ["image-major-only"], "validationActions": ["Deny"]}]);
    document
}

fn is_major_denied(answer: &Answer) -> bool {
    answer.code != 0 && answer.stderr.contains("[major/image-major-only]")
}

/// Two versions of the chart, each with its image, its definitions and its
/// values. What runs is this build both times: there is no other.
#[test]
fn an_upgrade_a_rollback_and_an_uninstallation_fail_no_write() {
    let cluster = Cluster::start_with_services().unwrap();
    let shop = cluster.namespace_named("shop").unwrap();
    let mut release = Release::new(&cluster, &OPTIONS).unwrap();
    let newer = release.chart.clone();
    release.chart = older(release.folder());
    let install = [&["--create-namespace"], &BARE[..]].concat();
    release.helm("install", &install).unwrap();
    release.run(2).unwrap();
    release.service.wait_to_be_told();
    are_of(&release, OLDER);
    store(&cluster, &shop);
    wait_until_closed(&release, &shop);
    let load = Load::start(&cluster, &shop);
    load.more(50);

    release.chart = newer;
    let options = ["--wait", "--timeout=120s", "--set", "auditInterval=off"];
    let upgrade = [&options, &BARE[..]].concat();
    release.helm("upgrade", &upgrade).unwrap();
    release.run(2).unwrap();
    are_of(&release, env!("CARGO_PKG_VERSION"));
    load.more(50);
    let apply = ["apply", "-f", "-"];
    let stored = cluster.kubectl(User::Admin, &apply, &major_only(&shop).to_string());
    stored.unwrap().ok().unwrap();
    let major = || ask(&shop, "nginx:1");
    eventually(&release, "the new member holds", major, is_major_denied);

    let back = ["rollback", HOME, "1", "--wait", "--timeout=120s"];
    release.helm_of(&back).unwrap();
    release.run(2).unwrap();
    are_of(&release, OLDER);
    what_was_stored_is_valid_and_in_force(&release, &shop);
    load.more(50);

    release.helm_of(&["uninstall", HOME]).unwrap();
    load.more(50);
    ended(load, "an upgrade, a rollback and an uninstallation");
    // Each ended in its time, and the definitions stay with what is stored.
    release.run(0).unwrap();
    let kept = release.get(&["wasmpolicies,policyexemptions", "--all-namespaces"]);
    assert_eq!(kept.unwrap()["items"].as_array().map(Vec::len), Some(3));
}

/// The API server leaves out what the definition does not have, and the rest
/// decides.
fn what_was_stored_is_valid_and_in_force(release: &Release<'_>, shop: &Namespace<'_>) {
    let major = || ask(shop, "nginx:1");
    let goes_without = |answer: &Answer| !is_major_denied(answer);
    eventually(release, "the member is gone", major, goes_without);
    let denied = ask(shop, "nginx:latest");
    assert!(is_denied(&denied), "{denied:?}");
    let all_loaded = || {
        let policies = release.get(&["wasmpolicies"]).unwrap();
        let policies = policies["items"].as_array().cloned().unwrap_or_default();
        let is_loaded = |policy: &Value| {
            let conditions = policy["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|one| one["type"] == "Loaded" && one["status"] == "True")
                && policy["spec"][NEW].is_null()
        };
        (policies.len(), policies.iter().all(is_loaded))
    };
    eventually(release, "all load", all_loaded, |seen| *seen == (2, true));
    let state = release.get(&["configmap", "portcullis-state", "-n", HOME]);
    let state = state.unwrap()["data"]["state.json"].to_string();
    assert!(state.contains("AsAsked"), "{state}");
}

#[test]
fn kubectl_delete_takes_the_registration_first_and_fails_no_write() {
    let cluster = Cluster::start_with_services().unwrap();
    let shop = cluster.namespace_named("shop").unwrap();
    let mut release = Release::new(&cluster, &OPTIONS).unwrap();
    let manifests = release.manifests(&BARE).unwrap();
    let kubectl = |command: &'static str| {
        let manifests = manifests.clone();
        move |cluster: &Cluster| {
            let arguments = [command, "-f", "-"];
            cluster.kubectl(User::Admin, &arguments, &manifests)?.ok()
        }
    };
    release.during(kubectl("apply")).unwrap();
    release.run(2).unwrap();
    release.service.wait_to_be_told();
    store(&cluster, &shop);
    wait_until_closed(&release, &shop);
    // What is applied once more leaves what was filled in.
    let again = release.during(kubectl("apply")).unwrap();
    let registration = "validatingwebhookconfiguration.admissionregistration.k8s.io/portcullis";
    assert!(
        again.contains(&format!("{registration} unchanged")),
        "{again}"
    );
    wait_until_closed(&release, &shop);

    let load = Load::start(&cluster, &shop);
    load.more(50);
    release.during(kubectl("delete")).unwrap();
    load.more(50);
    ended(load, "`kubectl delete -f`");
    release.run(0).unwrap();
}
