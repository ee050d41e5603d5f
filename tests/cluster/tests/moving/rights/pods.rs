//! Pods that name Secrets of ours, in every field that has one.

use serde_json::{Value, json};

use super::world::World;
use super::{Case, Wanted, merge};
use crate::asked::{Ask, Verb};

const OURS: Wanted = Wanted::Refused("is Portcullis' own");

fn pods(world: &World) -> String {
    format!("/api/v1/namespaces/{}/pods", world.home)
}

/// One that nobody starts.
fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "schedulingGates": [{"name": "example.com/never"}],
        "containers": [{"name": "a", "image": "example.com/a:1"}]}});
    merge(&mut pod["spec"], spec);
    pod
}

/// A container with these members, of this list.
fn container(list: &str, members: Value) -> Value {
    let mut container = json!({"name": "a", "image": "example.com/a:1"});
    if list != "containers" {
        container["name"] = "b".into();
    }
    merge(&mut container, &members);
    json!({list: [container]})
}

fn volume(source: Value) -> Value {
    let mut volume = json!({"name": "v"});
    merge(&mut volume, &source);
    json!({"volumes": [volume]})
}

/// Every field that names a Secret.
fn forms(secret: &str, key: &str) -> Vec<(&'static str, Value)> {
    let env = json!({"env": [{"name": "LD_PRELOAD",
        "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}]});
    let optional = json!({"env": [{"name": "LD_PRELOAD", "valueFrom":
        {"secretKeyRef": {"name": secret, "key": key, "optional": true}}}]});
    let from = json!({"envFrom": [{"secretRef": {"name": secret}}]});
    let perhaps = json!({"envFrom": [{"prefix": "X_", "secretRef":
        {"name": secret, "optional": true}}]});
    let behind = json!({"envFrom": [{"configMapRef": {"name": "app", "optional": true}},
        {"secretRef": {"name": secret, "optional": true}}]});
    let items = json!([{"key": key, "path": "p"}]);
    let projected = |source: Value| volume(json!({"projected": {"sources": [source]}}));
    let reference = json!({"name": secret});
    let monitors = json!(["192.0.2.1:6789"]);
    vec![
        ("env", container("containers", env.clone())),
        ("env of an init container", container("initContainers", env)),
        ("optional env", container("containers", optional)),
        ("envFrom", container("containers", from.clone())),
        (
            "envFrom of an init container",
            container("initContainers", from),
        ),
        ("optional envFrom", container("containers", perhaps)),
        (
            "envFrom behind another's map",
            container("containers", behind),
        ),
        ("volume", volume(json!({"secret": {"secretName": secret}}))),
        (
            "items of a volume",
            volume(json!({"secret": {"secretName": secret, "items": items}})),
        ),
        ("projected", projected(json!({"secret": {"name": secret}}))),
        (
            "optional projected",
            projected(json!({"secret": {"name": secret, "optional": true}})),
        ),
        (
            "items projected",
            projected(json!({"secret": {"name": secret, "items": items}})),
        ),
        (
            "image pull",
            json!({"imagePullSecrets": [{"name": secret}]}),
        ),
        (
            "CSI",
            volume(json!({"csi": {"driver": "example.com", "nodePublishSecretRef": reference}})),
        ),
        (
            "flexVolume",
            volume(json!({"flexVolume": {"driver": "a/b", "secretRef": reference}})),
        ),
        (
            "CephFS",
            volume(json!({"cephfs": {"monitors": monitors, "secretRef": reference}})),
        ),
        (
            "RBD",
            volume(json!({"rbd": {"monitors": monitors, "image": "i", "secretRef": reference}})),
        ),
        (
            "iSCSI",
            volume(json!({"iscsi": {"targetPortal": "192.0.2.1:3260",
            "iqn": "iqn.2026-11.com.example:a", "lun": 0, "chapAuthSession": true,
            "secretRef": reference}})),
        ),
        (
            "Azure file",
            volume(json!({"azureFile": {"secretName": secret, "shareName": "s"}})),
        ),
        (
            "ScaleIO",
            volume(json!({"scaleIO": {"gateway": "https://192.0.2.1/api",
            "system": "s", "volumeName": "v", "secretRef": reference}})),
        ),
    ]
}

pub(super) fn cases(world: &World) -> Vec<Case> {
    let mut cases = vec![];
    let staged = world.of.password.split(':').nth(2).expect("a Secret");
    let targets = [
        // Whoever makes that one would have his code run.
        ("of nobody yet", "portcullis-moved-t-none", "LD_PRELOAD"),
        (
            "another's, a key that is not there",
            "portcullis-moved-t-db",
            "LOG_LEVEL",
        ),
        ("staged", staged, "PASSWORD"),
        ("like ours", "portcullis-moved-x", "PASSWORD"),
    ];
    for (what, secret, key) in targets {
        for (number, (form, spec)) in forms(secret, key).into_iter().enumerate() {
            let wanted = refused(form, secret);
            let mut case = created(world, format!("pat {form} {what}"), &spec, wanted);
            // Each form with and without a dry run, over all targets.
            case.ask.dry_run = (number + secret.len()) % 2 == 0;
            cases.push(case);
        }
    }
    for (form, spec) in forms("portcullis-moved-t-app", "LOG_LEVEL") {
        if IS_KEY.contains(&form) {
            let name = format!("pat {form} another's, a plain key");
            cases.push(created(world, name, &spec, Wanted::Instead));
        }
    }
    cases.extend(as_rewritten(world));
    cases.extend(later(world));
    cases
}

/// Forms that name one key.
const IS_KEY: [&str; 4] = [
    "env",
    "env of an init container",
    "optional env",
    "items projected",
];

/// A key of a serving Secret is as good as that key of its ConfigMap: where it is
/// not there, the pod waits for what the ConfigMap would give it, and for nothing
/// that anybody else could put there.
fn refused(form: &str, secret: &str) -> Wanted {
    match IS_KEY.contains(&form) && secret.starts_with("portcullis-moved-t-") {
        true => Wanted::Allowed,
        false => OURS,
    }
}

fn created(world: &World, name: String, spec: &Value, wanted: Wanted) -> Case {
    let short = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let pod = pod(&short.to_lowercase(), spec);
    Case {
        by: world.pat.clone(),
        ask: Ask::new(Verb::Create, pods(world), pod),
        name,
        wanted,
    }
}

/// What a pod may have: what a reference to the ConfigMap would have given, and
/// Secrets that are not ours, as ever.
fn as_rewritten(world: &World) -> Vec<Case> {
    let private = forms("private", "PASSWORD");
    let mut cases: Vec<Case> = private
        .into_iter()
        .filter(|(form, _)| form.contains("env") || form.contains("volume"))
        .map(|(form, spec)| {
            let name = format!("pat {form} not ours");
            created(world, name, &spec, Wanted::Allowed)
        })
        .collect();
    let of_map = json!({"env": [{"name": "ONE", "valueFrom": {"configMapKeyRef":
        {"name": "db", "key": "PASSWORD"}}}],
        "envFrom": [{"configMapRef": {"name": "app"}}]});
    let reads = container("containers", of_map);
    cases.push(created(
        world,
        "pat reads maps".to_owned(),
        &reads,
        Wanted::Allowed,
    ));
    let key = json!({"env": [{"name": "ONE", "valueFrom": {"secretKeyRef":
        {"name": "portcullis-moved-t-db", "key": "PASSWORD"}}}]});
    let key = container("containers", key);
    cases.push(created(
        world,
        "pat reads a moved key".to_owned(),
        &key,
        Wanted::Allowed,
    ));
    // The kubelet's own pods are left alone, and nobody else may make one that
    // names a Secret.
    let from = json!({"envFrom": [{"secretRef": {"name": "portcullis-moved-t-db"}}]});
    let mut mirror = created(
        world,
        "pat makes a mirror".to_owned(),
        &container("containers", from),
        Wanted::Refused("mirror pod"),
    );
    mirror.ask.body["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    cases.push(mirror);
    cases
}

/// A pod that is there is changed.
fn later(world: &World) -> Vec<Case> {
    let there = pod("pat-is-there", &json!({}));
    world.asker.admin(Verb::Create, &pods(world), there);
    let path = format!("{}/pat-is-there", pods(world));
    let mut cases = vec![];
    for secret in ["portcullis-moved-t-none", "portcullis-moved-t-db"] {
        for (form, spec) in forms(secret, "LD_PRELOAD") {
            let Some(container) = spec["containers"].get(0) else {
                continue;
            };
            let mut container = container.clone();
            container["name"] = format!("e{}", cases.len()).into();
            let body = json!({"spec": {"ephemeralContainers": [container]}});
            let ask = Ask::new(Verb::Strategic, format!("{path}/ephemeralcontainers"), body);
            cases.push(Case {
                name: format!("pat ephemeral {form} {secret}"),
                by: world.pat.clone(),
                ask,
                wanted: refused(form, secret),
            });
        }
    }
    let label = json!({"metadata": {"labels": {"portcullis.dev/relocation": "serving"},
        "annotations": {"kubernetes.io/config.mirror": "x"}}});
    cases.push(Case {
        name: "pat makes a mirror of what is there".to_owned(),
        by: world.pat.clone(),
        ask: Ask::new(Verb::Merge, path, label),
        wanted: Wanted::Refused("mirror"),
    });
    cases
}
