//! `dangling-references` and `disruption-budget` on the corpora against
//! `truth.json`: what is missing, and who names it; and no finding besides.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::corpora::{CORPORA, file, findings_of, index, text, truth};

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
        let corpus = (*corpus).to_owned();
        let rows = truth(&corpus, rule).into_iter();
        rows.map(move |row| (corpus.clone(), row))
    };
    CORPORA.iter().flat_map(of_corpus).collect()
}

fn at(corpus: &str, row: &Value, what: String) -> Row {
    (corpus.into(), file(row), index(row, "doc"), what)
}

/// What `check` finds of this code.
fn found(code: &str) -> BTreeSet<Row> {
    let mut found = BTreeSet::new();
    for corpus in CORPORA {
        for finding in findings_of(corpus, "tests/data/truth/lookups") {
            if finding["code"] != code {
                continue;
            }
            let what = what(&text(&finding, "message"));
            let (file, document) = (text(&finding, "file"), index(&finding, "document"));
            let row = (corpus.to_owned(), file, document, what);
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
