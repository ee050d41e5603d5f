//! Findings on the corpora against `truth.json`. Of images there is no
//! deviation; of other rules, each is listed with its reason.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::corpora::{CORPORA, file, findings, findings_of, index, report, text, truth};

/// File, document, container.
type Row = (String, u64, String);

const MUTABLE: [&str; 4] = [
    "image-floating",
    "image-prerelease",
    "image-major-only",
    "image-minor-only",
];

#[test]
fn the_corpora_are_judged_as_their_truth_says() {
    for corpus in CORPORA {
        let report = report(corpus, &[]);
        compare(
            corpus,
            "image-latest",
            &found(&report, "deny", &["image-latest"]),
        );
        let denied = findings(&report).filter(|finding| finding["action"] == "deny");
        assert!(
            denied
                .into_iter()
                .all(|finding| finding["policy"] == "image-tags")
        );
        compare(corpus, "image-mutable", &found(&report, "warn", &MUTABLE));
    }
}

/// What the truth counts and the policy does not, or the other way round:
/// corpus, file, document, container, and why. At most five.
const RESOURCES_DEVIATIONS: [(&str, &str, u64, &str, &str); 0] = [];

#[test]
fn missing_resources_are_found_as_the_truth_says() {
    assert!(RESOURCES_DEVIATIONS.len() <= 5);
    for corpus in CORPORA {
        let report = findings_of(corpus, "tests/data/truth/resources");
        let expected = missing(corpus);
        let found = report
            .iter()
            .filter(|finding| finding["code"] == "resources-missing")
            .map(|finding| (row(finding), named(finding)))
            .collect();
        let mut differ: BTreeSet<Row> = expected
            .symmetric_difference(&found)
            .map(|(row, _)| row.clone())
            .collect();
        for (_, file, document, container, _) in listed(corpus) {
            let row = (
                format!("manifests/{file}"),
                *document,
                (*container).to_owned(),
            );
            assert!(differ.remove(&row), "{corpus}: {row:?} deviates no more");
        }
        assert!(differ.is_empty(), "{corpus}: {differ:?}");
    }
}

fn listed(
    corpus: &str,
) -> impl Iterator<Item = &'static (&'static str, &'static str, u64, &'static str, &'static str)> {
    RESOURCES_DEVIATIONS
        .iter()
        .filter(move |deviation| deviation.0 == corpus)
}

/// The rows of the rule `resources`, each with the fields it lacks.
fn missing(corpus: &str) -> BTreeSet<(Row, BTreeSet<String>)> {
    let rows = truth(corpus, "resources");
    let row = |row: &Value| {
        let missing = row["missing"].as_array().expect("fields").iter();
        let missing = missing.map(|field| field.as_str().expect("text").to_owned());
        let place = (file(row), index(row, "doc"), text(row, "container"));
        (place, missing.collect())
    };
    let missing: BTreeSet<_> = rows.iter().map(row).collect();
    assert_eq!(missing.len(), rows.len(), "{corpus}: a row stands twice");
    missing
}

/// What a message names between backticks.
fn named(finding: &Value) -> BTreeSet<String> {
    let message = text(finding, "message");
    message
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn compare(corpus: &str, rule: &str, found: &BTreeSet<Row>) {
    let rows = truth(corpus, rule);
    let row = |row: &Value| (file(row), index(row, "doc"), text(row, "container"));
    let expected: BTreeSet<Row> = rows.iter().map(row).collect();
    assert_eq!(
        expected.len(),
        rows.len(),
        "{corpus}: a row of {rule} stands twice"
    );
    let missing: Vec<_> = expected.difference(found).collect();
    let extra: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{corpus} {rule}: missing {missing:?}, extra {extra:?}"
    );
}

fn found(report: &Value, action: &str, codes: &[&str]) -> BTreeSet<Row> {
    let of_action = findings(report)
        .filter(|finding| finding["policy"] == "image-tags" && finding["action"] == action);
    let rows = of_action.map(|finding| {
        assert!(
            codes.contains(&finding["code"].as_str().expect("a code")),
            "{finding}"
        );
        row(finding)
    });
    rows.collect()
}

fn row(finding: &Value) -> Row {
    (
        text(finding, "file"),
        index(finding, "document"),
        text(finding, "container"),
    )
}
