//! The corpora and their truths, and what `check` finds in them.

use serde_json::{Value, json};

use crate::support::{portcullis, root};

/// The folders of `tests/data/corpora` that have a `truth.json`.
pub(crate) const CORPORA: [&str; 3] = ["pesuga-homelab", "home-k3s", "bank-of-anthos"];

/// The rows of a rule of the truth; their files are those of `manifests/`.
pub(crate) fn truth(corpus: &str, rule: &str) -> Vec<Value> {
    let folder = root().join("tests/data/corpora").join(corpus);
    let truth = std::fs::read(folder.join("truth.json")).expect("a truth");
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    truth["rules"][rule].as_array().expect("rows").clone()
}

/// What `check` reports of a corpus with these arguments: the truths count
/// kube-system, too, which is passed over by default.
pub(crate) fn report(corpus: &str, arguments: &[&str]) -> Value {
    let mut check = portcullis(&["check", "--output", "json", "manifests"]);
    check
        .args(["--exclude-namespace", "none"])
        .args(arguments)
        .current_dir(root().join("tests/data/corpora").join(corpus));
    let output = check.output().expect("the executable starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["failures"], json!([]), "{corpus}");
    report
}

/// What one policy, or a folder of them, finds in a corpus without the pack.
pub(crate) fn findings_of(corpus: &str, policies: &str) -> Vec<Value> {
    let policies = root().join(policies);
    let policies = policies.to_str().expect("UTF-8");
    let report = report(corpus, &["--profile", "none", "--policies", policies]);
    findings(&report).cloned().collect()
}

/// The findings of a report.
pub(crate) fn findings(report: &Value) -> impl Iterator<Item = &Value> {
    report["findings"].as_array().expect("findings").iter()
}

/// A text of a row or a finding.
pub(crate) fn text(value: &Value, member: &str) -> String {
    let text = value[member].as_str();
    text.unwrap_or_else(|| panic!("{member} of {value}"))
        .to_owned()
}

/// The file of a row, as findings have it.
pub(crate) fn file(row: &Value) -> String {
    format!("manifests/{}", text(row, "file"))
}

/// A number of a row or a finding.
pub(crate) fn index(value: &Value, member: &str) -> u64 {
    let number = value[member].as_u64();
    number.unwrap_or_else(|| panic!("{member} of {value}"))
}
