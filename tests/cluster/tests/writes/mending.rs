use std::time::Duration;

use portcullis_cluster::installation::edit;
use portcullis_cluster::{Installation, User};
use serde_json::json;

use super::{SOON, closed, is_away, is_closed, verdict};
use crate::policies::eventually;

/// How soon what is edited is mended (the promise).
const MENDED: Duration = Duration::from_secs(10);

fn patch(installation: &Installation<'_>, kind: &str, patch: &str) {
    let patch = [
        "patch",
        kind,
        installation.name(),
        "--type=json",
        "-p",
        patch,
    ];
    let answer = installation.home.kubectl(User::Admin, &patch, "").unwrap();
    assert_eq!(answer.code, 0, "{answer:?}");
}

#[test]
fn what_somebody_edits_is_mended_within_ten_seconds() {
    let (installation, namespace) = closed(&[]);
    let before = installation.configurations().unwrap();
    let webhooks = |both: &[serde_json::Value; 2]| both.clone().map(|one| one["webhooks"].clone());
    let never = json!([{"name": "never", "expression": "false"}]);
    let edits = [
        (
            "validatingwebhookconfiguration",
            edit("clientConfig/caBundle", &json!("")),
        ),
        (
            "mutatingwebhookconfiguration",
            edit("clientConfig/caBundle", &json!("QQ==")),
        ),
        (
            "validatingwebhookconfiguration",
            edit("failurePolicy", &json!("Ignore")),
        ),
        (
            "validatingwebhookconfiguration",
            edit("matchConditions", &never),
        ),
        (
            "mutatingwebhookconfiguration",
            edit("objectSelector", &json!({"matchLabels": {"a": "b"}})),
        ),
        ("mutatingwebhookconfiguration", edit("rules", &json!([]))),
        (
            "validatingwebhookconfiguration",
            json!([{"op": "remove", "path": "/webhooks"}]).to_string(),
        ),
    ];
    for (kind, edit) in &edits {
        patch(&installation, kind, edit);
        let is_mended = |installation: &Installation<'_>| {
            Ok(webhooks(&installation.configurations()?) == webhooks(&before))
        };
        let took = installation.eventually(edit, MENDED, is_mended).unwrap();
        eprintln!("mended after {took:?}: {edit}");
    }
    assert!(
        installation
            .metric("portcullis_registration_mends_total")
            .unwrap()[0]
            >= 6.0
    );
    assert_eq!(verdict(&namespace).code, 1);
}

#[test]
fn a_deleted_registration_stays_away_until_resume() {
    let (installation, namespace) = closed(&["--resync=500ms"]);
    let both = "validatingwebhookconfiguration,mutatingwebhookconfiguration";
    let delete = ["delete", both, installation.name()];
    let deleted = installation.home.kubectl(User::Admin, &delete, "").unwrap();
    assert_eq!(deleted.code, 0, "{deleted:?}");
    let is_paused = |installation: &Installation<'_>| {
        Ok(installation.state()?["away"]
            .as_object()
            .is_some_and(|away| away.len() == 2)
            && installation.metric("portcullis_paused")? == [1.0])
    };
    installation
        .eventually("it is told", SOON, is_paused)
        .unwrap();
    // Several passes later, and after another start.
    let passes = installation.log().len();
    std::thread::sleep(Duration::from_secs(2));
    assert!(is_away(&installation).unwrap(), "{passes}");
    let state = installation.state().unwrap();
    assert_eq!(state["away"]["validating"]["how"], "deleted", "{state}");
    let registered = state["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == "Registered");
    assert_eq!(registered.unwrap()["status"], false, "{state}");
    assert_eq!(verdict(&namespace).code, 0, "nobody judges");

    let said = installation.command("resume").unwrap();
    assert!(
        said.starts_with("resumed: ") && said.lines().count() == 1,
        "{said}"
    );
    installation
        .eventually("it is back", SOON, is_closed)
        .unwrap();
    assert_eq!(
        installation.command("resume").unwrap(),
        "nothing is away: nothing to resume\n"
    );
    assert_eq!(verdict(&namespace).code, 1);
}

#[test]
fn a_deletion_while_nobody_runs_is_break_glass_too() {
    let (mut installation, namespace) = closed(&[]);
    installation.kill("replica-0");
    let delete = [
        "delete",
        "validatingwebhookconfiguration",
        installation.name(),
    ];
    let deleted = installation.home.kubectl(User::Admin, &delete, "").unwrap();
    assert_eq!(deleted.code, 0, "{deleted:?}");
    installation
        .start(&[&namespace], &["--profile", "strict"])
        .unwrap();
    let is_told = |installation: &Installation<'_>| {
        Ok(installation.state()?["away"]["validating"]["how"] == "deleted")
    };
    installation
        .eventually("it is told", SOON, is_told)
        .unwrap();
    let [validating, mutating] = installation.configurations().unwrap();
    assert!(
        validating.is_null() && !mutating.is_null(),
        "each for itself"
    );
}

#[test]
fn pause_takes_away_what_resume_brings_back_and_says_who() {
    let (installation, namespace) = closed(&[]);
    let said = installation.command("pause").unwrap();
    let home = installation.home.name();
    assert_eq!(
        said,
        format!(
            "paused by admin: no request is judged until `portcullis resume --namespace {home}`\n"
        )
    );
    assert!(is_away(&installation).unwrap());
    // The API server hears of it a moment later.
    eventually("allowed", || verdict(&namespace), |said| said.code == 0);
    assert_eq!(verdict(&namespace).code, 0);
    let state = installation.state().unwrap();
    assert_eq!(state["away"]["mutating"]["how"], "paused");
    assert_eq!(state["away"]["mutating"]["by"], "admin");
    let is_paused = |installation: &Installation<'_>| {
        Ok(installation.metric("portcullis_paused")? == [1.0]
            && installation.state()?["conditions"]
                .to_string()
                .contains("was paused by admin at "))
    };
    installation
        .eventually("it is told", SOON, is_paused)
        .unwrap();
    assert!(is_away(&installation).unwrap());
    installation.command("resume").unwrap();
    installation
        .eventually("it is back", SOON, is_closed)
        .unwrap();
    let said = installation.command("deregister").unwrap();
    assert!(
        said.starts_with("deregistered, for an uninstallation by admin: "),
        "{said}"
    );
    assert!(is_away(&installation).unwrap());
}
