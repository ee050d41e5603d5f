//! What is no concern of a move passes while nobody answers, and what is one waits.

use serde_json::{Value, json};

use super::{Stage, VALUE, config_map, get, served};
use crate::asked::{Ask, Asker, Person, Verb};
use crate::policies::{admin, eventually};

/// A Secret of ours that a pod names though it follows from nothing.
const OURS: &str = "portcullis-moved-t-app";

/// A pod with one container of these members, and these members of its own.
fn pod(container: Value, spec: Value) -> Value {
    let mut pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec});
    pod["spec"]["schedulingGates"] = json!([{"name": "example.com/never"}]);
    pod["spec"]["containers"] = json!([{"name": "a", "image": "example.com/a:1"}]);
    let members = container.as_object().expect("members").clone();
    let first = pod["spec"]["containers"][0].as_object_mut();
    first.expect("a container").extend(members);
    pod
}

/// A pod with this volume.
fn holding(volume: Value) -> Value {
    let mut volume = volume;
    volume["name"] = json!("v");
    pod(json!({}), json!({"volumes": [volume]}))
}

fn projecting(source: Value) -> Value {
    holding(json!({"projected": {"sources": [source]}}))
}

fn beside(list: &str, container: Value) -> Value {
    let mut other = container;
    other["name"] = json!("b");
    other["image"] = json!("example.com/b:1");
    pod(json!({}), json!({list: [other]}))
}

fn variable(from: Value) -> Value {
    json!({"env": [{"name": "PLAIN", "value": "1"}, {"name": "ONE", "valueFrom": from}]})
}

/// Pods that read nothing which can have been moved.
fn free() -> Vec<Value> {
    let key = json!({"name": "own", "key": "k"});
    vec![
        pod(json!({}), json!({})),
        pod(variable(json!({"secretKeyRef": key})), json!({})),
        pod(
            variable(json!({"fieldRef": {"fieldPath": "metadata.name"}})),
            json!({}),
        ),
        pod(
            json!({"envFrom": [{"secretRef": {"name": "own"}}]}),
            json!({}),
        ),
        pod(json!({}), json!({"imagePullSecrets": [{"name": "own"}]})),
        beside(
            "initContainers",
            json!({"env": [{"name": "A", "value": "1"}]}),
        ),
        holding(json!({"emptyDir": {}})),
        holding(json!({"secret": {"secretName": "own"}})),
        holding(json!({"downwardAPI": {"items": []}})),
        holding(json!({"persistentVolumeClaim": {"claimName": "own"}})),
        projecting(json!({"secret": {"name": "own"}})),
        projecting(json!({"configMap": {"name": "kube-root-ca.crt"}})),
        projecting(json!({"serviceAccountToken": {"path": "token"}})),
    ]
}

/// Pods that somebody has to look at.
fn bound() -> Vec<Value> {
    let key = json!({"name": "app", "key": "PASSWORD"});
    let from_map = json!({"envFrom": [{"configMapRef": {"name": "app"}}]});
    vec![
        pod(variable(json!({"configMapKeyRef": key})), json!({})),
        pod(from_map.clone(), json!({})),
        beside("initContainers", from_map),
        beside("initContainers", variable(json!({"configMapKeyRef": key}))),
        holding(json!({"configMap": {"name": "app"}})),
        projecting(json!({"configMap": {"name": "app"}})),
        pod(
            variable(json!({"secretKeyRef": {"name": OURS, "key": "k"}})),
            json!({}),
        ),
        pod(
            json!({"envFrom": [{"secretRef": {"name": OURS}}]}),
            json!({}),
        ),
        pod(json!({}), json!({"imagePullSecrets": [{"name": OURS}]})),
        holding(json!({"secret": {"secretName": OURS}})),
        projecting(json!({"secret": {"name": OURS}})),
        // A kind of volume that may hold a Secret, and is not known.
        holding(json!({"csi": {"driver": "example.com", "nodePublishSecretRef": {"name": "own"}}})),
    ]
}

#[test]
fn what_is_no_concern_of_a_move_passes_while_nobody_answers() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("alone");
    let manifest = config_map("app", json!({"PASSWORD": VALUE, "LEVEL": "info"}));
    let applied = super::kubectl(&namespace, &["apply", "-f", "-"], &manifest);
    applied.ok().expect("it is moved");
    served(&namespace, "app");
    for name in ["replica-0", "replica-1"] {
        stage.installation.kill(name);
    }
    let asker = Asker::new();
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let create = |pod: Value| {
        let ask = Ask {
            dry_run: true,
            ..Ask::new(Verb::Create, &*pods, pod)
        };
        asker.ask(&Person::Admin, &ask)
    };
    eventually(
        "nobody answers",
        || create(bound().remove(0)),
        |said| !said.is_good(),
    );
    for pod in free() {
        let said = create(pod.clone());
        assert!(said.is_good(), "{pod}: {}", said.body);
    }
    for pod in bound() {
        let said = create(pod.clone());
        let refused = said.message().contains("relocate.validate.portcullis.dev");
        assert!(refused, "{pod}: {}", said.body);
    }
    maps(&asker, &namespace, &manifest);
}

/// Metadata passes, and what a ConfigMap holds does not; a deletion does.
fn maps(asker: &Asker, namespace: &str, manifest: &str) {
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/app");
    let patched = |patch: Value| asker.ask(&Person::Admin, &Ask::new(Verb::Merge, &*path, patch));
    let labelled = patched(json!({"metadata": {"labels": {"team": "a"},
        "finalizers": ["example.com/waits"]}}));
    assert!(labelled.is_good(), "{}", labelled.body);
    for patch in [
        json!({"data": {"LEVEL": "debug"}}),
        json!({"data": {"PASSWORD": VALUE}}),
        json!({"metadata": {"annotations": {"example.com/copy": VALUE}}}),
        json!({"metadata": {"labels": {"portcullis.dev/moved": null}}}),
    ] {
        let said = patched(patch.clone());
        assert!(!said.is_good(), "{patch}: {}", said.body);
    }
    let stored = get(namespace, "configmap", "app");
    assert_eq!(stored["metadata"]["labels"]["team"], "a");
    assert!(!stored.to_string().contains(VALUE), "{stored}");
    let applied = super::kubectl(namespace, &["apply", "-f", "-"], manifest);
    assert_ne!(applied.code, 0, "a value passed: {applied:?}");
    let finalizers = patched(json!({"metadata": {"finalizers": null}}));
    assert!(finalizers.is_good(), "{}", finalizers.body);
    let delete = ["delete", "configmap", "app", "-n", namespace];
    admin(&delete, "").ok().expect("it goes");
}
