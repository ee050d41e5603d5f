use std::time::Duration;

use portcullis_cluster::{Line, Portcullis};
use serde_json::json;

use super::{Stage, Turn, admin, apply, eventually, is_denied, policy, timed};
use crate::support::cluster;

/// A replica, and the line to its API server, which can be cut.
fn stage() -> (Stage, Line) {
    let line = Line::new(cluster()).expect("a line");
    let namespace = cluster().namespace().expect("a namespace");
    let portcullis = Portcullis::start_in(cluster(), line.kubeconfig(), "default", "cut off")
        .expect("it gets ready");
    (Stage::of(namespace, portcullis), line)
}

#[test]
fn the_last_set_goes_on_while_the_api_server_is_gone_and_changes_are_seen_after() {
    let _turn = Turn::take();
    let (stage, line) = stage();
    let mut document = policy(&stage.namespace, "tags");
    // Nothing here hangs on labels that it could not ask for.
    document["spec"]["matchConstraints"]["namespaceSelector"] = json!(null);
    let constraints = document["spec"]["matchConstraints"].as_object_mut();
    constraints.unwrap().remove("namespaceSelector");
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();

    line.cut();
    let health = || stage.portcullis.health().unwrap_or_default();
    eventually("noticed", health, |health| {
        health.contains("watch/wasmpolicies: not watched, what is known stays")
    });
    assert!(is_denied(&stage.ask()), "the set before goes on");
    admin(&["delete", "wasmpolicy", "tags"], "").ok().unwrap();
    assert!(is_denied(&stage.ask()), "it cannot know");

    line.mend();
    let (_, took) = timed("allowed", || stage.ask(), |answer| answer.code == 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn what_hangs_on_labels_that_nobody_can_tell_fails_by_its_failure_policy() {
    let _turn = Turn::take();
    let (stage, line) = stage();
    let mut document = policy(&stage.namespace, "tags");
    document["spec"]["matchConstraints"]["namespaceSelector"] = json!({
        "matchLabels": {"kubernetes.io/metadata.name": stage.namespace.name()},
        "matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]});
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();
    line.cut();
    let says = "which could not be read from the API server";
    eventually(
        "failed",
        || stage.ask(),
        |answer| answer.code != 0 && answer.stderr.contains(says),
    );
    line.mend();
    stage.eventually_denied();
}
