//! `dangling-references` and `disruption-budget` on the corpora against
//! `truth.json`: what is missing, and who names it; and no finding besides.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{portcullis, root, stdout};

const CORPORA: [&str; 3] = ["pesuga-homelab", "home-k3s", "bank-of-anthos"];

/// How many references of the corpora nobody can tell from their files.
const UNSEEN: usize = 4;

/// Corpus, file, document, and what is missing there.
type Row = (String, String, u64, String);

#[test]
fn dangling_references_finds_what_the_truth_lists_and_nothing_else() {
    let (expected, told) = (missing(), found("missing-reference"));
    let unseen = found("reference-unseen");
    assert_eq!(expected.len(), 41, "objects and those who name them");
    // Of which these cannot be told: nothing of the kind is in their namespace.
    assert_eq!(unseen.len(), UNSEEN);
    assert_eq!(&told | &unseen, expected);
    assert!(told.is_disjoint(&unseen));
}

#[test]
fn disruption_budget_finds_what_the_truth_lists_and_nothing_else() {
    let mut expected = BTreeSet::new();
    for (corpus, row) in rows("no-pdb") {
        expected.insert(at(&corpus, &row, String::new()));
    }
    assert_eq!(expected.len(), 11);
    assert_eq!(found("no-pdb"), expected);
}

/// A row for each document that names what is missing.
fn missing() -> BTreeSet<Row> {
    let mut missing = BTreeSet::new();
    for (corpus, row) in rows("missing-reference") {
        let (kind, name) = (text(&row, "kind"), text(&row, "name"));
        for user in row["used_by"].as_array().expect("users") {
            missing.insert(at(&corpus, user, format!("{kind} `{name}`")));
        }
    }
    missing
}

fn rows(rule: &str) -> Vec<(String, Value)> {
    let of_corpus = |corpus: &&str| {
        let truth = root().join("tests/data/corpora").join(corpus);
        let truth = std::fs::read(truth.join("truth.json")).expect("a truth");
        let truth: Value = serde_json::from_slice(&truth).expect("JSON");
        let rows = truth["rules"][rule].as_array().expect("rows").clone();
        let corpus = (*corpus).to_owned();
        rows.into_iter().map(move |row| (corpus.clone(), row))
    };
    CORPORA.iter().flat_map(of_corpus).collect()
}

fn at(corpus: &str, row: &Value, what: String) -> Row {
    let document = row["doc"].as_u64().expect("a number");
    let file = format!("manifests/{}", text(row, "file"));
    (corpus.into(), file, document, what)
}

/// What `check` finds of this code, kube-system included.
fn found(code: &str) -> BTreeSet<Row> {
    let mut found = BTreeSet::new();
    let policies = root().join("tests/data/truth/lookups");
    for corpus in CORPORA {
        let mut check = portcullis(&[
            "check",
            "--output",
            "json",
            "--profile",
            "none",
            "manifests",
        ]);
        check.arg("--policies").arg(&policies);
        check.args(["--exclude-namespace", "none"]);
        let folder = root().join("tests/data/corpora").join(corpus);
        let output = check.current_dir(folder).output().expect("starts");
        let report: Value = serde_json::from_str(&stdout(&output)).expect("a report");
        assert_eq!(report["failures"], serde_json::json!([]), "{corpus}");
        for finding in report["findings"].as_array().expect("findings") {
            if finding["code"] != code {
                continue;
            }
            let what = what(&text(finding, "message"));
            let document = finding["document"].as_u64().expect("a number");
            let row = (corpus.to_owned(), text(finding, "file"), document, what);
            assert!(found.insert(row), "{corpus}: twice: {finding}");
        }
    }
    found
}

/// Kind and name of what is missing, as [`missing`] has them.
fn what(message: &str) -> String {
    if let Some(told) = message.strip_prefix("there is no ") {
        return told.trim_end_matches(" in the namespace").to_owned();
    }
    let mut words = message.split(' ');
    match (words.next(), words.next(), words.next_back()) {
        (Some("no"), Some(kind), Some(name)) => format!("{kind} {name}"),
        _ => String::new(),
    }
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().expect("text").to_owned()
}
