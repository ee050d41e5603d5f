//! Nobody answers for a while, and everything is changed meanwhile.

use std::time::{Duration, Instant};

use portcullis_cluster::Installation;
use serde_json::{Value, json};

use super::cases::is_full;
use super::ways::{Undo, Way};
use super::{RECOVERED, Stage};
use crate::installed::{SOON, ask, is_closed};
use crate::policies::{Turn, admin, apply, eventually, is_denied, policy};

/// Sixty seconds are the promise; a few show the same unless all is asked for.
fn length() -> Duration {
    Duration::from_secs(if is_full() { 60 } else { 6 })
}

/// Asks for as long as the outage is to last; gives how often.
fn deny_on(stage: &Stage) -> u32 {
    let (started, mut asked) = (Instant::now(), 0);
    while started.elapsed() < length() {
        assert!(is_denied(&ask(&stage.namespace)), "the set before goes on");
        asked += 1;
    }
    asked
}

fn has_label(configuration: &Value) -> bool {
    configuration["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "portcullis"
}

/// How long the bundle is that callers are told of; 0 where it is not that of
/// the Secret.
fn bundle(installation: &Installation<'_>) -> anyhow::Result<usize> {
    let secret = installation.get("secret/portcullis-certificates")?;
    let kept = secret["data"]["ca.crt"].as_str().unwrap_or_default();
    let [validating, _] = installation.configurations()?;
    let registered = validating["webhooks"][0]["clientConfig"]["caBundle"].as_str();
    Ok(if registered == Some(kept) {
        kept.len()
    } else {
        0
    })
}

/// A policy that warns in namespaces of which it knows that they are `prod`.
fn labels(stage: &Stage) {
    let mut document = policy(&stage.namespace, "labels");
    document["spec"]["failurePolicy"] = json!("Ignore");
    document["spec"]["validationActions"] = json!(["Warn"]);
    document["spec"]["matchConstraints"]["namespaceSelector"] = json!({"matchLabels":
        {"kubernetes.io/metadata.name": stage.namespace.name(), "env": "prod"}});
    apply(&document.to_string()).ok().expect("a policy");
}

#[test]
fn verdicts_go_on_without_an_api_server_and_every_change_is_seen_soon_after() {
    let _turn = Turn::take();
    let stage = Stage::of(2);
    let before = bundle(&stage.installation).expect("certificates");
    let outage = stage.proxy.outage();
    // One for each watch: policies, configurations, namespaces, certificates,
    // and what is remembered.
    stage.disturb(3);
    labels(&stage);
    let undone = [
        stage.provoke(Way::Edit, "mutatingwebhookconfigurations", 3),
        stage.provoke(Way::Damage, "secrets", 3),
    ];
    assert!(undone.iter().all(|one| matches!(one, Undo::Nothing)));
    let label = ["label", "namespace", stage.namespace.name(), "env=prod"];
    admin(&label, "").ok().expect("a label");
    let asked = deny_on(&stage);
    drop(outage);
    let started = Instant::now();
    let is_right = |installation: &Installation<'_>| {
        let [_, mutating] = installation.configurations()?;
        let answer = ask(&stage.namespace);
        let warned = answer.stderr.matches("Warning: ").count();
        Ok(stage.is_right(3)?
            && has_label(&mutating)
            && bundle(installation)? > before
            // Of both policies.
            && warned == 2)
    };
    let right = stage.installation.eventually("right", RECOVERED, is_right);
    right.expect("all is right");
    let (took, length) = (started.elapsed(), length());
    eprintln!("{asked} denials in {length:?} of outage, right {took:?} after it");
}

#[test]
fn a_pause_during_an_outage_is_known_to_each_replica_soon_after() {
    let _turn = Turn::take();
    let stage = Stage::of(2);
    let paused = |installation: &Installation<'_>| installation.metric("portcullis_paused");
    assert_eq!(paused(&stage.installation).expect("metrics"), [0.0, 0.0]);
    let outage = stage.proxy.outage();
    stage.installation.command("pause").expect("paused");
    eventually(
        "allowed",
        || ask(&stage.namespace),
        |answer| answer.code == 0,
    );
    let started = Instant::now();
    while started.elapsed() < length() {
        assert_eq!(ask(&stage.namespace).code, 0, "nobody brings it back");
    }
    drop(outage);
    let is_known = |installation: &Installation<'_>| Ok(paused(installation)? == [1.0, 1.0]);
    let known = stage.installation.eventually("known", RECOVERED, is_known);
    eprintln!("known {:?} after it", known.expect("to both"));
    let configurations = stage.installation.configurations().expect("an answer");
    assert!(configurations.iter().all(Value::is_null), "it stays away");
    stage.installation.command("resume").expect("resumed");
    let closed = stage.installation.eventually("closed", SOON, is_closed);
    closed.expect("as before");
}
