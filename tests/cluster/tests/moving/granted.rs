//! Least privilege: what the two accounts do in an enrolled namespace, and what the
//! chart grants them there, are the same.

use std::collections::BTreeSet;

use portcullis_cluster::LOGGED;
use serde_json::{Value, json};

use super::{OTHER, Stage, VALUE, config_map, get, kubectl, served};
use crate::policies::{admin, eventually};
use crate::support::{cluster, rights_of};

/// Group, resource and verb.
type Right = [String; 3];

/// What a ClusterRole of the chart grants.
fn granted(role: &str) -> BTreeSet<Right> {
    let found = admin(&["get", "clusterrole", role, "-o", "json"], "");
    let role: Value = serde_json::from_str(&found.ok().expect("a role")).expect("JSON");
    rights_of(&role)
}

/// What an account of the installation did in a namespace, by the API server's own
/// log, and what it was refused.
fn done(account: &str, namespace: &str) -> [BTreeSet<Right>; 2] {
    let (mut done, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let events = cluster().audit_events().expect("a log").expect("our own");
    for event in events {
        let object = &event["objectRef"];
        if event["user"]["username"] != account || object["namespace"] != namespace {
            continue;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let resource = match object["subresource"].as_str() {
            Some(part) => format!("{}/{part}", text(&object["resource"])),
            None => text(&object["resource"]),
        };
        let right = [text(&object["apiGroup"]), resource, text(&event["verb"])];
        match event["responseStatus"]["code"] == 403 {
            true => refused.insert(right),
            false => done.insert(right),
        };
    }
    [done, refused]
}

#[test]
fn the_chart_grants_what_a_move_uses_and_nothing_else() {
    let mut stage = Stage::new();
    let namespace = stage.named(LOGGED);
    stage.enrol(&namespace);
    let apply = |text: &str| kubectl(&namespace, &["apply", "-f", "-"], text);
    let map = |value: &str| config_map("app", json!({"PASSWORD": value}));
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "containers": [{"name": "a", "image": "example.com/a:1",
            "envFrom": [{"configMapRef": {"name": "app"}}]}]}});
    for text in [map(VALUE), pod.to_string(), map(OTHER)] {
        let applied = apply(&text);
        assert_eq!(applied.code, 0, "{}", applied.stderr);
    }
    served(&namespace, "app");
    let taken_along = || {
        let deleted = kubectl(&namespace, &["delete", "configmap", "app"], "");
        assert_eq!(deleted.code, 0, "{}", deleted.stderr);
        let serving = || get(&namespace, "secret", "portcullis-moved-t-app");
        eventually("taken along", serving, Value::is_null);
    };
    taken_along();

    let home = stage.installation.home.name().to_owned();
    let run = stage.installation.name().to_owned();
    for (account, role) in [
        (run.as_str(), "portcullis-relocation-admission"),
        ("portcullis-relocation", "portcullis-relocation-serving"),
    ] {
        let user = format!("system:serviceaccount:{home}:{account}");
        let granted = granted(role);
        assert!(!granted.is_empty(), "{role}");
        let missing = || -> Vec<Right> {
            let [done, _] = done(&user, &namespace);
            let missing: Vec<Right> = granted.difference(&done).cloned().collect();
            // The cluster's own garbage collection may have been there first.
            if missing.iter().any(|[_, _, verb]| verb == "delete") {
                assert_eq!(apply(&map(VALUE)).code, 0);
                served(&namespace, "app");
                taken_along();
            }
            missing
        };
        eventually("each right is used", missing, Vec::is_empty);
        let [_, refused] = done(&user, &namespace);
        assert_eq!(refused, BTreeSet::new(), "{user} is refused");
    }
}
