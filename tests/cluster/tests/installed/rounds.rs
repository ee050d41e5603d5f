//! What is there is audited again and again.

use std::time::{Duration, Instant};

use portcullis_cluster::{Installation, Namespace, User};
use serde_json::Value;

use super::{SOON, ask, in_force, place, tags};
use crate::policies::{Turn, admin, apply, eventually};
use crate::support::deployment;

/// The kinds of reports are there.
pub(crate) fn define_reports() {
    let file = "tests/cluster/tests/installed/openreports.yaml";
    admin(&["apply", "-f", file], "").ok().expect("definitions");
    let wait = ["wait", "--for=condition=Established", "--timeout=60s"];
    let crds = [
        "crd/reports.openreports.io",
        "crd/clusterreports.openreports.io",
    ];
    admin(&[&wait[..], &crds].concat(), "")
        .ok()
        .expect("established");
}

fn create(namespace: &Namespace<'_>, name: &str) {
    let manifest = deployment(name, "nginx:latest");
    let created = namespace.kubectl(User::Dev, &["create", "-f", "-"], &manifest);
    created.unwrap().ok().unwrap();
}

/// A series of each replica.
fn findings(installation: &Installation<'_>, namespace: &Namespace<'_>) -> Vec<f64> {
    let series = format!(
        "portcullis_audit_findings{{policy=\"tags\",code=\"image-latest\",namespace=\"{}\",\
         action=\"deny\"}}",
        namespace.name()
    );
    installation.metric(&series).expect("metrics")
}

pub(super) fn get(namespace: &Namespace<'_>, arguments: &[&str]) -> Value {
    let arguments = [&["get", "-o", "json"], arguments].concat();
    let answer = namespace.kubectl(User::Admin, &arguments, "").unwrap();
    serde_json::from_str(&answer.stdout).unwrap_or_default()
}

/// Events about what was found, as people see them.
pub(super) fn events(namespace: &Namespace<'_>) -> Vec<Value> {
    let list = get(namespace, &["events.events.k8s.io"]);
    let items = list["items"].as_array().into_iter().flatten();
    let ours = items.filter(|event| event["reportingController"] == "portcullis");
    ours.cloned().collect()
}

#[test]
fn one_replica_tells_what_is_wrong_until_it_is_mended() {
    let _turn = Turn::take();
    define_reports();
    let (mut installation, namespace) = place();
    create(&namespace, "web");
    let options = ["--settle=0s", "--audit-interval=10s"];
    installation.start(&[&namespace], &options).unwrap();
    installation.start(&[&namespace], &options).unwrap();
    apply(&tags(&namespace).to_string()).ok().unwrap();
    let told = |installation: &Installation<'_>| {
        Ok(findings(installation, &namespace).iter().sum::<f64>() == 1.0)
    };
    installation
        .eventually("one replica tells", SOON, told)
        .unwrap();
    let completed = "portcullis_audit_completed_seconds";
    let first: f64 = installation.metric(completed).unwrap().iter().sum();
    let again = |installation: &Installation<'_>| {
        Ok(installation.metric(completed)?.iter().sum::<f64>() > first)
    };
    installation
        .eventually("it audits again", SOON, again)
        .unwrap();

    let report = eventually(
        "a report",
        || get(&namespace, &["report", "portcullis"]),
        |report| report["results"].is_array(),
    );
    assert_eq!(report["summary"]["fail"], 1, "{report:#}");
    let result = &report["results"][0];
    assert_eq!(
        (&result["policy"], &result["rule"], &result["result"]),
        (&"tags".into(), &"image-latest".into(), &"fail".into())
    );
    assert_eq!(result["resources"][0]["name"], "web");
    let found = eventually(
        "an event",
        || events(&namespace),
        |events| !events.is_empty(),
    );
    assert_eq!(found.len(), 1, "one an object and code: {found:#?}");
    assert_eq!(found[0]["reason"], "ImageLatest");
    let deployment = get(&namespace, &["deployment", "web"]);
    assert_eq!(found[0]["regarding"]["uid"], deployment["metadata"]["uid"]);

    let set = ["set", "image", "deployment/web", "a=nginx:1.29.1"];
    namespace
        .kubectl(User::Dev, &set, "")
        .unwrap()
        .ok()
        .unwrap();
    let mended = |installation: &Installation<'_>| {
        Ok(findings(installation, &namespace).iter().sum::<f64>() == 0.0)
    };
    installation
        .eventually("it is mended", SOON, mended)
        .unwrap();
    let report = || get(&namespace, &["report", "portcullis", "--ignore-not-found"]);
    eventually("no report is left", report, Value::is_null);
    assert_eq!(events(&namespace).len(), 1);
    installation.check().unwrap();
}

#[test]
fn what_slipped_in_while_nobody_was_asked_is_told_after_it() {
    let _turn = Turn::take();
    let (mut installation, namespace) = place();
    create(&namespace, "before");
    // Before the replica comes, which audits as soon as it leads, and then in an hour.
    apply(&tags(&namespace).to_string()).ok().unwrap();
    installation.start(&[&namespace], &["--settle=0s"]).unwrap();
    in_force(&installation, &namespace);
    let in_force_since = Instant::now();
    let completed =
        |installation: &Installation<'_>| Ok(findings(installation, &namespace) == [1.0]);
    installation
        .eventually("audited once", SOON, completed)
        .unwrap();
    installation.command("pause").unwrap();
    eventually("allowed", || ask(&namespace), |answer| answer.code == 0);
    // What is created sooner may be as old as the policy.
    eventually(
        "time passes",
        || in_force_since.elapsed(),
        |time| *time > Duration::from_secs(12),
    );
    create(&namespace, "slipped");
    installation.command("resume").unwrap();
    let series = format!(
        "portcullis_audit_slipped_in{{namespace=\"{}\"}}",
        namespace.name()
    );
    let line = "an object slipped in";
    let told = |installation: &Installation<'_>| {
        Ok(installation.metric(&series)? == [1.0] && installation.log().contains(line))
    };
    installation
        .eventually("what slipped in is told", SOON, told)
        .unwrap();
    let log = installation.log();
    let lines: Vec<&str> = log.lines().filter(|one| one.contains(line)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("\"name\":\"slipped\""), "{lines:?}");
    assert_eq!(findings(&installation, &namespace), [2.0]);
    installation.check().unwrap();
}
