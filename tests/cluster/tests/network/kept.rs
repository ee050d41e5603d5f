//! What is kept, repaired and taken away.

use serde_json::{Value, json};

use super::{NAME, Stage, network_policy};
use crate::policies::{admin, eventually};

fn is_there(policy: &Value) -> bool {
    policy["metadata"]["name"] == NAME
}

fn label(namespace: &str, label: &str) {
    let label = ["label", "--overwrite", "namespace", namespace, label];
    admin(&label, "").ok().expect("labelled");
}

fn change(namespace: &str, patch: &Value) {
    let patch = patch.to_string();
    let patch = [
        "patch",
        "networkpolicy",
        NAME,
        "-n",
        namespace,
        "--type=merge",
        "-p",
        &patch,
    ];
    admin(&patch, "").ok().expect("changed");
}

#[test]
fn a_namespace_that_was_there_before_is_kept_as_its_label_says() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("kept", None);
    let now = || network_policy(&namespace);
    assert!(now().is_null());
    label(&namespace, "portcullis.dev/network=isolate-ingress");
    let made = eventually("made", now, is_there);
    assert_eq!(made["spec"]["policyTypes"], json!(["Ingress"]));

    label(&namespace, "portcullis.dev/network=isolate-full");
    eventually("closed", now, |policy| {
        policy["spec"]["policyTypes"] == json!(["Ingress", "Egress"])
    });

    let allow = [
        "annotate",
        "namespace",
        &namespace,
        "portcullis.dev/network-allow=from=arr:5432",
    ];
    admin(&allow, "").ok().expect("annotated");
    eventually("opened", now, |policy| {
        let rules = policy["spec"]["ingress"].as_array();
        rules.is_some_and(|rules| rules.iter().any(|rule| rule["ports"][0]["port"] == 5432))
    });

    change(&namespace, &json!({"spec": {"ingress": [{}]}}));
    eventually("brought back", now, |policy| {
        policy["spec"]["ingress"] != json!([{}])
    });
    let delete = ["delete", "networkpolicy", NAME, "-n", &namespace];
    admin(&delete, "").ok().expect("deleted");
    eventually("made again", now, is_there);

    let elsewhere = stage.namespace("elsewhere", Some("isolate-ingress"));
    eventually("made", || network_policy(&elsewhere), is_there);
    label(&namespace, "portcullis.dev/network-");
    eventually("withdrawn", now, Value::is_null);
    assert!(is_there(&network_policy(&elsewhere)));
}

#[test]
fn what_somebody_changed_is_not_taken_away() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("changed", Some("isolate-ingress"));
    let now = || network_policy(&namespace);
    eventually("made", now, is_there);
    let delete = ["delete", "wasmpolicy", "default-network-policy"];
    admin(&delete, "").ok().expect("nobody looks");
    let out = |installation: &portcullis_cluster::Installation<'_>| {
        let [validating, _] = installation.configurations()?;
        let entries = portcullis_cluster::installation::failure_policies(&validating);
        Ok(entries
            .iter()
            .all(|(name, _)| name == "policies.portcullis.dev"))
    };
    stage
        .installation
        .eventually("its entry is gone", super::SOON, out)
        .expect("gone");
    // A policy that is gone takes nothing with it.
    assert!(is_there(&now()));
    change(&namespace, &json!({"spec": {"ingress": [{}]}}));
    label(&namespace, "portcullis.dev/network-");
    super::apply(&super::document().to_string())
        .ok()
        .expect("a policy");
    let left = || stage.installation.log();
    eventually("left alone", left, |log| log.contains("LeftAlone"));
    assert_eq!(now()["spec"]["ingress"], json!([{}]));
}

#[test]
fn a_fight_ends_after_five_repairs_with_an_event() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("fight", Some("isolate-ingress"));
    let now = || network_policy(&namespace);
    eventually("made", now, is_there);
    let events = ["get", "events", "-n", &namespace, "-o", "json"];
    let is_told = || {
        let events: Value = serde_json::from_str(&admin(&events, "").stdout).unwrap_or_default();
        let mut items = events["items"].as_array().into_iter().flatten();
        items.any(|event| event["reason"] == "RepairsStopped")
    };
    for round in 1..=5 {
        change(&namespace, &json!({"spec": {"ingress": [{}]}}));
        let what = format!("repair {round}");
        eventually(&what, now, |policy| {
            policy["spec"]["ingress"] != json!([{}])
        });
        assert!(!is_told(), "after {round}");
    }
    change(&namespace, &json!({"spec": {"ingress": [{}]}}));
    eventually("told", is_told, |told| *told);
    assert_eq!(now()["spec"]["ingress"], json!([{}]));
}
