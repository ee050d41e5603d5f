use portcullis_cluster::proxy::{Fault, Proxy, Rule};
use portcullis_cluster::{Installation, User};
use serde_json::{Value, json};

use super::{SOON, STRICT, closed, cluster, installed, is_closed, verdict};

const SECRET: &str = "secret/portcullis-certificates";

/// The events about the state, with the object that they are about.
fn events(installation: &Installation<'_>) -> anyhow::Result<Vec<Value>> {
    let list = installation.get("events.events.k8s.io")?;
    let all = list["items"].as_array().cloned().unwrap_or_default();
    let about = |event: &Value| event["regarding"]["name"] == "portcullis-state";
    Ok(all.into_iter().filter(about).collect())
}

/// How often this was told, in one event or in several.
fn told(installation: &Installation<'_>, reason: &str, note: &str) -> anyhow::Result<u64> {
    let events = events(installation)?;
    let of_it = events.iter().filter(|event| {
        let text = event["note"].as_str().unwrap_or_default();
        event["reason"] == reason && text.contains(note)
    });
    Ok(of_it
        .map(|event| event["series"]["count"].as_u64().unwrap_or(1))
        .sum())
}

pub(super) fn eventually_told(installation: &Installation<'_>, reason: &str, note: &str) {
    let is_told = |i: &Installation<'_>| Ok(told(i, reason, note)? > 0);
    let what = format!("told: {reason}");
    installation.eventually(&what, SOON, is_told).unwrap();
}

fn admin(installation: &Installation<'_>, arguments: &[&str]) -> String {
    let answer = installation.home.kubectl(User::Admin, arguments, "");
    answer.unwrap().ok().unwrap()
}

#[test]
fn what_becomes_of_certificates_and_registration_is_told_once() {
    let (installation, _namespace) = closed(&["--resync=300ms"]);
    let label = "app.kubernetes.io/managed-by";
    admin(&installation, &["label", SECRET, &format!("{label}-")]);
    let note = "is not of Portcullis, which leaves it alone";
    eventually_told(&installation, "CertificatesNotKept", note);
    // Many passes later, since these were awaited, nothing was told again.
    installation.command("pause").unwrap();
    eventually_told(
        &installation,
        "RegistrationAway",
        "until `portcullis resume`",
    );
    installation.command("resume").unwrap();
    installation
        .eventually("closed again", SOON, is_closed)
        .unwrap();
    admin(
        &installation,
        &["label", SECRET, &format!("{label}=portcullis")],
    );
    for reason in ["CertificatesNotKept", "RegistrationAway"] {
        assert_eq!(told(&installation, reason, "").unwrap(), 1, "{reason}");
    }
    let described = admin(&installation, &["describe", "configmap/portcullis-state"]);
    let (_, events) = described.split_once("Events:").unwrap();
    assert!(events.contains("RegistrationAway"), "{described}");
    let broken = [
        "delete",
        "validatingwebhookconfiguration",
        installation.name(),
    ];
    admin(&installation, &broken);
    eventually_told(&installation, "RegistrationAway", "");
}

#[test]
fn a_secret_that_cannot_be_written_is_told_and_what_was_served_goes_on() {
    let (mut installation, namespace) = installed();
    let proxy = Proxy::start(cluster()).unwrap();
    installation.through(&proxy).unwrap();
    let options = [&STRICT[..], &["--settle=0s"]].concat();
    installation.start(&[&namespace], &options).unwrap();
    installation.eventually("closed", SOON, is_closed).unwrap();
    let rule = Rule::new(Fault::InternalError).verb("update");
    let injection = proxy.inject(rule.resource("secrets"));
    let damage = json!({"stringData": {"ca.key": "oops"}}).to_string();
    admin(&installation, &["patch", SECRET, "-p", &damage]);
    eventually_told(&installation, "CertificatesNotKept", "writing Secret");
    assert!(injection.hits() > 0);
    assert_eq!(verdict(&namespace).code, 1);
    assert!(
        !events(&installation)
            .unwrap()
            .iter()
            .any(|event| { event["note"].as_str().unwrap_or_default().contains("oops") })
    );
    drop(injection);
    let is_kept = |installation: &Installation<'_>| {
        let state = installation.state()?;
        let conditions = state["conditions"].as_array().into_iter().flatten();
        let mut kept = conditions.filter(|one| one["type"] == "CertificatesKept");
        Ok(kept.any(|one| one["status"] == true))
    };
    installation.eventually("kept", SOON, is_kept).unwrap();
}
