//! Lists as `kubectl get -o yaml` prints them: thousands of objects in one
//! document.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::corpora::{findings, index};
use crate::support::{Scratch, run, stdout};

/// Objects that a List holds in the test.
const OBJECTS: usize = 1_500;

/// A Deployment of several findings, one of them a secret in a text of its own.
fn deployment(number: usize) -> String {
    format!(
        "apiVersion: apps/v1\n  kind: Deployment\n  metadata: {{name: web-{number}, namespace: shop}}\n  \
         spec:\n    template:\n      spec:\n        containers:\n        - name: web\n          \
         image: web:latest\n          args:\n          - |\n            set -e\n            \
         export DB_PASSWORD=v9Xq2LmT7rBz4KwN8sYc\n"
    )
}

/// How long `check` takes, and what it reports.
fn check(file: &str) -> (Duration, Value) {
    let started = Instant::now();
    let output = run(&["check", "--output", "json", file]);
    let took = started.elapsed();
    let report = serde_json::from_str(&stdout(&output)).expect("a report");
    (took, report)
}

#[test]
fn a_list_takes_no_longer_than_its_objects_one_by_one() {
    let scratch = Scratch::new();
    let all = || (0..OBJECTS).map(deployment);
    let items: String = all().map(|item| format!("- {item}")).collect();
    let list = scratch.file(
        "list.yaml",
        format!("apiVersion: v1\nkind: List\nitems:\n{items}"),
    );
    let documents: String = all().map(|item| format!("---\n  {item}")).collect();
    let documents = scratch.file("documents.yaml", documents);
    let (apart, expected) = check(&documents);
    let (together, found) = check(&list);
    assert!(
        together < apart * 4 + Duration::from_secs(2),
        "{together:?} and {apart:?}"
    );
    // The same lines are told; before them is another head.
    let lines = |report: &Value, head: u64| -> Vec<u64> {
        let lines = findings(report).map(|finding| index(finding, "line") - head);
        lines.collect()
    };
    let lines_of_one = u64::try_from(deployment(0).lines().count()).expect("small");
    let (mut found, expected) = (lines(&found, 3), lines(&expected, 1));
    assert!(found.len() > OBJECTS * 2);
    // A document has a line more than an item: `---`.
    for line in &mut found {
        *line += (*line - 1) / lines_of_one;
    }
    assert_eq!(found, expected);
}
