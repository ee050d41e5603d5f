//! What policies look up in a cluster: the built-in `disruption-budget` and
//! `dangling-references`.

/// Of very many objects.
mod many;

use portcullis_cluster::{Answer, Line, Namespace, Portcullis, User};
use serde_json::{Value, json};

use super::{Stage, Turn, admin, apply, eventually, loaded};
use crate::support::cluster;

/// A policy of the pack that denies here what it finds.
fn policy(namespace: &Namespace<'_>, name: &str, lookups: Value) -> Value {
    let rule = json!({"apiGroups": ["apps"], "apiVersions": ["*"], "resources": ["deployments"],
        "operations": ["CREATE", "UPDATE"]});
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace.name()}});
    json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": name},
        "spec": {"program": {"builtin": name}, "lookups": lookups,
            "overrides": [{"validationActions": ["Deny"]}],
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": selector}}})
}

fn budgets() -> Value {
    json!([{"apiGroup": "policy", "resource": "poddisruptionbudgets"}])
}

/// Two replicas, with variables from a Secret; not stored.
fn ask(stage: &Stage) -> Answer {
    let container = json!({"name": "web", "image": "nginx:1.27.3",
        "envFrom": [{"secretRef": {"name": "db"}}]});
    let labels = json!({"app": "web"});
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}});
    let create = ["create", "--dry-run=server", "-f", "-"];
    let asked = stage
        .namespace
        .kubectl(User::Dev, &create, &object.to_string());
    asked.expect("kubectl runs")
}

fn eventually_says(stage: &Stage, text: &str) {
    let says = |answer: &Answer| answer.code != 0 && answer.stderr.contains(text);
    eventually(text, || ask(stage), says);
}

fn eventually_allowed(stage: &Stage) {
    eventually("allowed", || ask(stage), |answer| answer.code == 0);
}

fn make(namespace: &Namespace<'_>, object: &Value) {
    let made = namespace.kubectl(User::Admin, &["apply", "-f", "-"], &object.to_string());
    made.unwrap().ok().unwrap();
}

fn remove(namespace: &Namespace<'_>, object: &str) {
    let removed = namespace.kubectl(User::Admin, &["delete", object], "");
    removed.unwrap().ok().unwrap();
}

fn budget() -> Value {
    json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}})
}

#[test]
fn what_is_looked_up_follows_the_objects_of_the_namespace_and_of_no_other() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let elsewhere = cluster().namespace().expect("a namespace");
    make(&elsewhere, &budget());
    let document = policy(&stage.namespace, "disruption-budget", budgets());
    apply(&document.to_string()).ok().unwrap();
    eventually_says(&stage, "disruption-budget/no-pdb");
    make(&stage.namespace, &budget());
    eventually_allowed(&stage);
    let mut closed = budget();
    closed["spec"]["maxUnavailable"] = 0.into();
    make(&stage.namespace, &closed);
    eventually_says(&stage, "disruption-budget/pdb-allows-none");
    remove(&stage.namespace, "pdb/web");
    eventually_says(&stage, "disruption-budget/no-pdb");
    let health = stage.portcullis.health().unwrap_or_default();
    let line = "lookup/poddisruptionbudgets.policy: watched, 1 objects";
    assert!(health.contains(line), "{health}");
}

#[test]
fn a_secret_is_seen_and_nothing_of_its_value_kept() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let document = policy(
        &stage.namespace,
        "dangling-references",
        json!([{"resource": "secrets"},
        {"apiGroup": "external-secrets.io", "resource": "externalsecrets"}]),
    );
    apply(&document.to_string()).ok().unwrap();
    eventually_says(&stage, "there is no Secret `db`");
    make(
        &stage.namespace,
        &json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "db"}, "stringData": {"password": "hunter2"}}),
    );
    eventually_allowed(&stage);
}

#[test]
fn what_is_known_goes_on_while_the_api_server_is_gone() {
    let _turn = Turn::take();
    let line = Line::new(cluster()).expect("a line");
    let namespace = cluster().namespace().expect("a namespace");
    let portcullis = Portcullis::start_in(cluster(), line.kubeconfig(), "default", "looks up");
    let stage = Stage::of(namespace, portcullis.expect("it gets ready"));
    let mut document = policy(&stage.namespace, "disruption-budget", budgets());
    // Nothing here hangs on labels that it could not ask for.
    let constraints = document["spec"]["matchConstraints"].as_object_mut();
    constraints.unwrap().remove("namespaceSelector");
    make(&stage.namespace, &budget());
    apply(&document.to_string()).ok().unwrap();
    let health = || stage.portcullis.health().unwrap_or_default();
    let watched = "lookup/poddisruptionbudgets.policy: watched";
    eventually("watched", health, |health| health.contains(watched));
    line.cut();
    let lost = "lookup/poddisruptionbudgets.policy: not watched, what is known stays";
    eventually("noticed", health, |health| health.contains(lost));
    assert_eq!(ask(&stage).code, 0, "the budget is known");
    remove(&stage.namespace, "pdb/web");
    assert_eq!(ask(&stage).code, 0, "it cannot know");
    line.mend();
    eventually_says(&stage, "disruption-budget/no-pdb");
}

#[test]
fn a_grant_of_what_is_not_looked_up_is_refused_when_it_is_written_down() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let document = policy(
        &stage.namespace,
        "disruption-budget",
        json!([{"resource": "pods"}]),
    );
    apply(&document.to_string()).ok().unwrap();
    let told = eventually(
        "told",
        || loaded("disruption-budget"),
        |told| told[0] == "False",
    );
    assert!(told[2].contains("grants `pods`"), "{told:?}");
    admin(&["delete", "wasmpolicy", "disruption-budget"], "")
        .ok()
        .unwrap();
}
