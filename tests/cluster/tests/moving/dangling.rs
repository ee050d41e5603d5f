//! The Secrets of what was moved are gone.

use super::backups::RESTORER;
use super::replay::apply;
use super::{Stage, VALUE, config_map, get, kubectl, served, served_as};
use crate::policies::eventually;
use serde_json::{Value, json};

fn held(namespace: &str) -> Value {
    get(namespace, "configmap", "app")
}

#[test]
fn a_value_whose_secrets_are_gone_is_moved_anew_when_it_is_applied_again() {
    let mut stage = Stage::new();
    let namespace = &stage.enrolled("dangling");
    let map = config_map("app", json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"}));
    apply(namespace, &map).passed();
    served_as(namespace, "app", VALUE);
    let before = held(namespace);
    // Nobody is there to put back what is still served.
    stage.serving = None;
    let all = ["delete", "secrets", "--all"];
    kubectl(namespace, &[&all[..], &RESTORER].concat(), "")
        .ok()
        .expect("deleted");
    stage.serving = Some(stage.serve_too());
    let relocation = || get(namespace, "relocation", "app");
    let told = eventually("it is told", relocation, |found| {
        found["status"]["state"] == "Dangling"
    });
    let message = told["status"]["message"].as_str().expect("a message");
    assert!(message.contains("write its value again"), "{message}");
    // Who looks at it only, or at another key, changes nothing.
    let label = ["label", "configmap", "app", "example.com/a=b"];
    kubectl(namespace, &label, "").ok().expect("labelled");
    assert_eq!(held(namespace)["data"], before["data"]);
    let again = || {
        apply(namespace, &map).passed();
        held(namespace)
    };
    let is_new = |now: &Value| now["data"]["PASSWORD"] != before["data"]["PASSWORD"];
    eventually("it is moved anew", again, is_new);
    served_as(namespace, "app", VALUE);
    // From then on it costs nothing more.
    let version = |object: Value| object["metadata"]["resourceVersion"].clone();
    served(namespace, "app");
    let steady = || (version(held(namespace)), version(again()));
    eventually("nothing is written", steady, |(before, after)| {
        before == after
    });
}
