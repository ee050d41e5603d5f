//! `env-secrets` and `plain-secret-in-git` on the corpora against
//! `truth.json`: rows labelled `either` are not scored.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::corpora::{self, CORPORA, file, findings_of, index, text};

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
        for row in corpora::truth(corpus, rule) {
            let (one, other) = place(&row);
            let place = (
                corpus.to_owned(),
                file(&row),
                index(&row, "doc"),
                one,
                other,
            );
            rows.insert(place, text(&row, "label"));
        }
    }
    rows
}

/// What a policy finds.
fn found(
    policy: &str,
    codes: &[&str],
    place: impl Fn(&Value) -> Option<(String, String)>,
) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for corpus in CORPORA {
        for finding in findings_of(corpus, &format!("pack/starter/{policy}.yaml")) {
            if codes.contains(&finding["code"].as_str().expect("a code")) {
                let (one, other) = place(&finding).expect("a place");
                let (file, document) = (text(&finding, "file"), index(&finding, "document"));
                rows.insert((corpus.to_owned(), file, document, one, other));
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
