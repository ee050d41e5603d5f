//! Everything that says something of objects, with canaries in them.

mod yaml;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use portcullis::check::{Input, check};
use portcullis::cluster::rounds::summary;
use portcullis::finding::Finding;
use portcullis::pack::{Pack, Profile};
use portcullis::wasm::Engine;
use portcullis::{load, source};
use serde_json::{Value, json};

use super::{Bench, Output, parrots};
use crate::author;
use crate::serve::{Server, eventually};
use crate::support::{Scratch, portcullis, root, run, stderr, stdout};

/// The policies that look for secrets.
const SECRETS: [&str; 3] = ["configmap-secrets", "env-secrets", "plain-secret-in-git"];

/// The AdmissionReview of a write of an object.
fn review(object: &Value, old: &Value, is_dry_run: bool) -> Vec<u8> {
    let kind = object["kind"].as_str().expect("a kind");
    let group = if kind == "Deployment" { "apps" } else { "" };
    let resource = format!("{}s", kind.to_lowercase());
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "operation": operation, "namespace": "shop", "name": object["metadata"]["name"],
        "kind": {"group": group, "version": "v1", "kind": kind},
        "resource": {"group": group, "version": "v1", "resource": resource},
        "userInfo": {"username": "dev"}, "dryRun": is_dry_run, "object": object, "oldObject": old,
    }});
    review.to_string().into_bytes()
}

/// Which of the reviews has an object of another shape.
const MISSHAPEN: usize = 3;

/// Reviews of an object, good and bad.
fn reviews(object: &Value) -> Vec<Vec<u8>> {
    let good = review(object, &Value::Null, false);
    let mut changed = object.clone();
    changed["metadata"]["labels"] = json!({"changed": "yes"});
    let mut misshapen = object.clone();
    // A text of secrets where a map or a list should be.
    let text = Value::from(object.to_string());
    match object["kind"].as_str() {
        Some("Deployment") => misshapen["spec"]["template"]["spec"]["containers"][0]["env"] = text,
        _ => misshapen["data"] = text,
    }
    let mut cut = good.clone();
    cut.truncate(good.len() - 20);
    let mut tail = good.clone();
    tail.extend_from_slice(object.to_string().as_bytes());
    vec![
        good,
        review(object, &Value::Null, true),
        review(&changed, object, false),
        review(&misshapen, &Value::Null, false),
        cut,
        tail,
    ]
}

/// What the server answers, logs and counts: once as it refuses nearly
/// everything, once as it warns.
pub(super) fn of_the_webhook(scratch: Scratch, bench: &Bench) -> Vec<Output> {
    let (mut answers, mut logs, mut plain) = (String::new(), String::new(), String::new());
    let own = scratch.path().join("p").display().to_string();
    let strict = ["--profile", "strict", "--policies", &own, "--log", "trace"];
    let starter = ["--profile", "starter", "--log", "trace"];
    for (server, paths) in [
        (
            Server::start_in(scratch, &strict),
            ["/validate/fail", "/mutate/fail"],
        ),
        (
            Server::start(&starter),
            ["/validate/ignore", "/mutate/ignore"],
        ),
    ] {
        let mut connection = server.connect();
        let bodies = bench.objects.iter().flat_map(|placed| {
            let mut bodies = reviews(&placed.object);
            if parrots::repeat(bench, placed) {
                bodies.remove(MISSHAPEN);
            }
            bodies
        });
        for body in bodies {
            for path in paths {
                let answer = connection.post(path, &body);
                answers.push_str(&answer.head);
                answers.push_str(&answer.body);
                answers.push('\n');
            }
        }
        for path in ["/metrics", "/readyz?verbose", "/livez"] {
            plain.push_str(&server.get(path).body);
        }
        drop(connection);
        server.signal("-TERM");
        eventually("all is logged", || server.log().contains("\"draining\""));
        logs.push_str(&server.log());
    }
    vec![
        ("answers".to_owned(), answers),
        ("log".to_owned(), logs),
        ("metrics".to_owned(), plain),
    ]
}

/// Each object in two layouts: on one line, and as people write it.
pub(super) fn write_manifests(scratch: &Scratch, bench: &Bench) {
    for (number, placed) in bench.objects.iter().enumerate() {
        scratch.file(&format!("line/{number}.yaml"), placed.object.to_string());
        scratch.file(&format!("block/{number}.yaml"), yaml::block(&placed.object));
    }
}

const FORMS: [(&str, &[&str]); 5] = [
    ("human", &["--show-audit", "--fix-hints"]),
    ("json", &["--fix-hints"]),
    ("sarif", &[]),
    ("junit", &[]),
    ("human", &["--profile", "starter"]),
];

pub(super) fn of_check(folder: &Path) -> Vec<Output> {
    let mut outputs = Vec::new();
    for layout in ["line", "block"] {
        for (form, more) in FORMS {
            let profile = if more.contains(&"--profile") {
                &[][..]
            } else {
                &["--profile", "strict"]
            };
            let mut check = portcullis(&["check", layout, "--output", form]);
            let output = check.args(more).args(profile).current_dir(folder).output();
            let output = output.expect("it starts");
            let name = format!("check {layout} {form} {}", more.join(" "));
            outputs.push((name, stdout(&output) + &stderr(&output)));
        }
    }
    outputs
}

/// How many places of objects are found to hold a secret.
pub(super) fn count_found(outputs: &[Output], bench: &Bench) -> usize {
    let json = outputs
        .iter()
        .find(|(name, _)| name.starts_with("check block json"));
    let report: Value = serde_json::from_str(&json.expect("JSON").1).expect("a report");
    assert_eq!(report["failures"], json!([]));
    let findings = report["findings"].as_array().expect("findings").iter();
    let of_secrets = findings.filter(|finding| {
        let policy = finding["policy"].as_str();
        SECRETS.iter().any(|known| Some(*known) == policy)
    });
    let places: BTreeSet<(&str, &str)> = of_secrets
        .filter_map(|finding| Some((finding["name"].as_str()?, finding["path"].as_str()?)))
        .collect();
    assert!(places.len() <= bench.canaries.len(), "{}", places.len());
    places.len()
}

/// `review` of an object of each place.
pub(super) fn of_review(scratch: &Scratch, bench: &Bench) -> Vec<Output> {
    let mut outputs = Vec::new();
    for (number, placed) in bench.objects.iter().take(10).enumerate() {
        for (which, body) in reviews(&placed.object).into_iter().enumerate().step_by(3) {
            let file = scratch.file(&format!("{number}-{which}.json"), body);
            let output = run(&["review", "--profile", "strict", &file]);
            let name = format!("review {which} of {}", placed.place);
            outputs.push((name, stdout(&output) + &stderr(&output)));
        }
    }
    outputs
}

/// What an installation writes into the cluster of what its audit found.
pub(super) fn of_reports(scratch: &Scratch) -> Vec<Output> {
    let mut documents = Vec::new();
    for name in SECRETS {
        let file = root().join(format!("pack/strict/{name}.yaml"));
        let policy = std::fs::read_to_string(file).expect("a policy");
        let program = root().join(format!("target/policies/{name}.wasm"));
        let (builtin, file) = (
            format!("builtin: {name}"),
            format!("file: {}", program.display()),
        );
        let policy = policy.replace(&builtin, &file);
        documents.push(scratch.file(&format!("p/{name}.yaml"), policy).into());
    }
    let engine = Arc::new(Engine::new().expect("an engine"));
    let found = source::policies(&Pack::EMPTY, Profile::None, &documents).expect("policies");
    let set = load::load(&engine, &Pack::EMPTY, &found, BTreeSet::new()).expect("a set");
    let folder = scratch.path().join("block");
    let report = check(&set, &[Input::Path(folder)], |_| {});
    assert!(
        report.findings.len() > 500 && report.failures.is_empty(),
        "{:?}",
        report.failures
    );
    let events: Vec<String> = report.findings.iter().map(Finding::text).collect();
    let documents = summary::reports(&report, 0);
    let series = summary::counts(&report);
    vec![
        ("texts of findings".to_owned(), events.join("\n")),
        ("reports".to_owned(), format!("{documents:?}")),
        ("series".to_owned(), format!("{series:?}")),
    ]
}

/// `policy test` with cases that fail.
pub(super) fn of_policy_test(bench: &Bench) -> Vec<Output> {
    let _one = author::building();
    let scratch = author::owner();
    for (number, placed) in bench.objects.iter().take(10).enumerate() {
        let about = format!("about: canaries\nobject: {}\n", placed.object);
        let file = |name: &str, text: String| {
            scratch.file(&format!("owner/cases/{number}-{name}.yaml"), text);
        };
        file("unexpected", format!("{about}expect: {{}}\n"));
        file(
            "another",
            format!("{about}expect: {{findings: [{{code: x, path: /y}}]}}\n"),
        );
        file(
            "changes",
            format!("{about}expect: {{changes: [{{op: remove, path: /z}}]}}\n"),
        );
        file("broken", format!("about: [\nobject: {}\n", placed.object));
        file(
            "misshapen",
            format!("about: x\nobject: 1\nexpect: {}\n", placed.object),
        );
    }
    let mut test = author::policy(&scratch.path().join("owner"), &["test"]);
    let output = test.output().expect("it starts");
    let said = stdout(&output) + &stderr(&output);
    assert!(said.contains(" failed"), "{said}");
    vec![("policy test".to_owned(), said)]
}
