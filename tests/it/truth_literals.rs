//! `env-secrets` and `plain-secret-in-git` on the corpora against
//! `truth.json`: rows labelled `either` are not scored.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{portcullis, root, stdout};

const CORPORA: [&str; 3] = ["pesuga-homelab", "home-k3s", "bank-of-anthos"];

/// Corpus, file, document, container, and the name or the kind of place.
type Row = (String, String, u64, String, String);

/// What is found against its label, or not found: row and why. None.
const DEVIATIONS: [(&str, &str, u64, &str, &str, &str); 0] = [];

#[test]
fn literals_of_the_environment_are_found_as_the_truth_says() {
    let found = found(
        "env-secrets",
        &["env-secret", "env-secret-likely"],
        |finding| Some((text(finding, "container"), named(finding)?)),
    );
    let truth = truth("env-secrets", |row| {
        (text(row, "container"), text(row, "env"))
    });
    compare("env-secrets", &truth, &found);
}

#[test]
fn what_commands_refer_to_is_not_found() {
    let found = found(
        "env-secrets",
        &["command-secret", "command-secret-likely"],
        |finding| {
            let path = text(finding, "path");
            let member = path
                .split('/')
                .rev()
                .find(|part| ["args", "command"].contains(part));
            Some((
                text(finding, "container"),
                member.unwrap_or("probe").to_owned(),
            ))
        },
    );
    let truth = truth("command-secrets", |row| {
        (text(row, "container"), text(row, "field"))
    });
    assert!(!truth.is_empty());
    compare("command-secrets", &truth, &found);
}

#[test]
fn secrets_in_files_are_found_as_the_truth_says() {
    let found = found("plain-secret-in-git", &["plain-secret"], |finding| {
        let path = text(finding, "path");
        let (_, key) = path.trim_start_matches('/').split_once('/')?;
        Some((path.split('/').nth(1)?.to_owned(), key.to_owned()))
    });
    let truth = truth("secret-literals", |row| {
        (text(row, "section"), text(row, "key"))
    });
    compare("secret-literals", &truth, &found);
}

/// Precision and recall are both at least 0.95, and each row that differs is
/// argued for.
fn compare(rule: &str, truth: &BTreeMap<Row, String>, found: &BTreeSet<Row>) {
    let label = |row: &Row| truth.get(row).map(String::as_str);
    let is_scored = |row: &&Row| label(row) != Some("either");
    let positives: BTreeSet<&Row> = truth
        .iter()
        .filter(|(_, label)| *label == "positive")
        .map(|(row, _)| row)
        .collect();
    let found: BTreeSet<&Row> = found.iter().filter(is_scored).collect();
    let hits = positives.intersection(&found).count();
    let share = |of: usize| {
        if of == 0 {
            1.0
        } else {
            hits as f64 / of as f64
        }
    };
    let (precision, recall) = (share(found.len()), share(positives.len()));
    println!("{rule}: precision {precision:.2}, recall {recall:.2}, {hits} hits");
    let differ: Vec<_> = positives.symmetric_difference(&found).collect();
    let argued: BTreeSet<Row> = DEVIATIONS
        .iter()
        .map(|(corpus, file, document, one, other, _)| {
            let texts = [corpus, file, one, other].map(|text| (*text).to_owned());
            let [corpus, file, one, other] = texts;
            (corpus, file, *document, one, other)
        })
        .collect();
    assert!(
        differ.iter().all(|row| argued.contains(**row)),
        "{rule}: {differ:#?}"
    );
    assert!(
        precision >= 0.95 && recall >= 0.95,
        "{rule}: {precision} {recall}"
    );
}

/// Rows of a rule, with their labels.
fn truth(rule: &str, place: impl Fn(&Value) -> (String, String)) -> BTreeMap<Row, String> {
    let mut rows = BTreeMap::new();
    for corpus in CORPORA {
        let file = root()
            .join("tests/data/corpora")
            .join(corpus)
            .join("truth.json");
        let truth: Value =
            serde_json::from_slice(&std::fs::read(file).expect("a truth")).expect("JSON");
        for row in truth["rules"][rule].as_array().expect("rows") {
            let (one, other) = place(row);
            let file = format!("manifests/{}", text(row, "file"));
            let document = row["doc"].as_u64().expect("a number");
            rows.insert(
                (corpus.to_owned(), file, document, one, other),
                text(row, "label"),
            );
        }
    }
    rows
}

/// What a policy finds, kube-system included.
fn found(
    policy: &str,
    codes: &[&str],
    place: impl Fn(&Value) -> Option<(String, String)>,
) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for corpus in CORPORA {
        let pack = root().join(format!("pack/starter/{policy}.yaml"));
        let mut check = portcullis(&[
            "check",
            "--output",
            "json",
            "--profile",
            "none",
            "--policies",
        ]);
        check
            .arg(pack)
            .args(["--exclude-namespace", "none", "manifests"]);
        let output = check
            .current_dir(root().join("tests/data/corpora").join(corpus))
            .output();
        let report: Value =
            serde_json::from_str(&stdout(&output.expect("starts"))).expect("a report");
        assert_eq!(report["failures"], serde_json::json!([]), "{corpus}");
        for finding in report["findings"].as_array().expect("findings") {
            if codes.contains(&finding["code"].as_str().expect("a code")) {
                let (one, other) = place(finding).expect("a place");
                let document = finding["document"].as_u64().expect("a number");
                rows.insert((
                    corpus.to_owned(),
                    text(finding, "file"),
                    document,
                    one,
                    other,
                ));
            }
        }
    }
    rows
}

/// What the message of a finding names first.
fn named(finding: &Value) -> Option<String> {
    text(finding, "message")
        .split('`')
        .nth(1)
        .map(str::to_owned)
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}
