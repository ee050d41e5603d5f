use portcullis_cluster::{Namespace, User};
use serde_json::{Value, json};

use super::{exemption, get, in_force, is_allowed, soon, write};
use crate::installed::place;
use crate::live::audit;
use crate::policies::{Turn, eventually};
use crate::support::deployment;

/// The status of an exemption: `.status` and its only condition.
fn status(namespace: &Namespace<'_>, name: &str) -> Value {
    let text = get(namespace, &["get", "pex", name, "-o", "json"]);
    let object: Value = serde_json::from_str(&text).unwrap();
    object["status"].clone()
}

#[test]
fn audits_tell_what_each_exemption_is_good_for() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    let options = ["--settle=0s", "--audit-interval=10s"];
    installation.start(&[&namespace], &options).unwrap();
    in_force(&installation, &namespace);
    write(&namespace, User::Admin, &exemption("legacy", 3_600))
        .ok()
        .unwrap();
    let mut idle = exemption("idle", 3_600);
    idle["spec"]["selector"] = json!({"names": ["nothing"]});
    write(&namespace, User::Admin, &idle).ok().unwrap();
    write(&namespace, User::Admin, &exemption("short", 8))
        .ok()
        .unwrap();
    soon("exempted", &namespace, is_allowed);
    let create = ["create", "-f", "-"];
    let manifest = deployment("web", "nginx:latest");
    let created = namespace.kubectl(User::Dev, &create, &manifest).unwrap();
    created.ok().unwrap();

    // From outside, with the rights of who audits.
    let ask = || {
        let home = installation.home.name();
        audit(&["--namespace", namespace.name(), "--installation", home])
    };
    let of = |report: &Value| {
        let findings = report["findings"].as_array().unwrap().iter();
        let mut of: Vec<String> = findings
            .map(|one| {
                let text = |member: &str| one[member].as_str().unwrap_or_default();
                format!(
                    "{} {} {} {}",
                    text("kind"),
                    text("name"),
                    text("code"),
                    text("action")
                )
            })
            .collect();
        of.sort();
        of
    };
    let expected = [
        "Deployment web image-latest audit",
        "PolicyExemption idle exemption-unused warn",
        "PolicyExemption short exemption-expired warn",
    ];
    let audited = eventually("told", ask, |audited| of(&audited.report) == expected);
    assert_eq!(audited.code(), 0, "{audited:?}");
    let finding = &audited.report["findings"][0];
    assert_eq!(finding["exemption"]["name"], "legacy", "{finding}");
    let listed = audited.report["exemptions"].as_array().unwrap();
    let used: Vec<(&str, u64)> = listed
        .iter()
        .map(|one| {
            (
                one["name"].as_str().unwrap(),
                one["objects"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(used, [("idle", 0), ("legacy", 1), ("short", 0)]);

    // And again and again, by the replica that leads.
    let status = |name: &'static str| {
        let namespace = &namespace;
        move || status(namespace, name)
    };
    let says = |status: &Value, objects: u64, reason: &str| {
        status["objects"] == objects && status["conditions"][0]["reason"] == reason
    };
    let legacy = eventually("used", status("legacy"), |one| says(one, 1, "AsWritten"));
    assert!(legacy["lastUsed"].is_string(), "{legacy}");
    eventually("idle", status("idle"), |one| says(one, 0, "Unused"));
    let over = eventually("over", status("short"), |one| says(one, 0, "Expired"));
    assert_eq!(over["conditions"][0]["status"], "False", "{over}");
    let shown = get(&namespace, &["get", "pex"]);
    let line = |name: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert!(shown.starts_with("NAME     POLICY   CODES"), "{shown}");
    let words = line("legacy");
    assert!(
        words.contains("tags") && words.contains(r#"["image-latest"]"#),
        "{shown}"
    );
    let events = [
        "get",
        "events.events.k8s.io",
        "-o",
        "jsonpath={.items[*].reason}",
    ];
    let told = |reasons: &String| {
        reasons.contains("ExemptionUnused") && reasons.contains("ExemptionExpired")
    };
    eventually("events", || get(&namespace, &events), told);
    // The object that it let in did not slip in.
    get(&namespace, &["delete", "pex", "legacy"]);
    eventually("denied", ask, |audited| audited.code() == 1);
    installation.check().unwrap();
}
