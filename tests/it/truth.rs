//! Findings on the corpora against `truth.json`: no deviation.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{portcullis, root, stdout};

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
    for corpus in ["pesuga-homelab", "home-k3s", "bank-of-anthos"] {
        let folder = root().join("tests/data/corpora").join(corpus);
        let mut check = portcullis(&["check", "--output", "json", "manifests"]);
        let output = check.current_dir(&folder).output().expect("starts");
        let report: Value = serde_json::from_str(&stdout(&output)).expect("a report");
        assert_eq!(report["failures"], serde_json::json!([]), "{corpus}");
        let truth = std::fs::read(folder.join("truth.json")).expect("a truth");
        let truth: Value = serde_json::from_slice(&truth).expect("JSON");
        compare(
            corpus,
            "image-latest",
            &truth,
            &found(&report, "deny", &["image-latest"]),
        );
        compare(
            corpus,
            "image-mutable",
            &truth,
            &found(&report, "warn", &MUTABLE),
        );
    }
}

fn compare(corpus: &str, rule: &str, truth: &Value, found: &BTreeSet<Row>) {
    let rows = truth["rules"][rule].as_array().expect("rows");
    let row = |row: &Value| {
        (
            format!("manifests/{}", text(row, "file")),
            index(row, "doc"),
            text(row, "container"),
        )
    };
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
    let findings = report["findings"].as_array().expect("findings");
    let of_action = findings
        .iter()
        .filter(|finding| finding["action"] == action);
    let rows = of_action.map(|finding| {
        assert!(
            codes.contains(&finding["code"].as_str().expect("a code")),
            "{finding}"
        );
        (
            text(finding, "file"),
            index(finding, "document"),
            text(finding, "container"),
        )
    });
    rows.collect()
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().expect("text").to_owned()
}

fn index(value: &Value, member: &str) -> u64 {
    value[member].as_u64().expect("a number")
}
