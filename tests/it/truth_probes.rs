//! `probes` on the corpora against `truth.json`: the same containers, and the
//! same probes missing of each.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{portcullis, root, stdout};

/// File, document, container.
type Place = (String, u64, String);
/// The probes that each container lacks.
type Rows = BTreeMap<Place, BTreeSet<String>>;

/// Rows in which policy and truth differ, at most 5: corpus, file, document,
/// container, and the reason. There is none.
const DEVIATIONS: [(&str, &str, u64, &str, &str); 0] = [];

#[test]
fn probes_finds_the_containers_that_the_truth_lists_and_no_others() {
    let mut deviations = BTreeSet::new();
    for corpus in ["pesuga-homelab", "home-k3s", "bank-of-anthos"] {
        let (expected, found) = (expected(corpus), found(corpus));
        assert!(!expected.is_empty(), "{corpus} has no row");
        let places = expected.keys().chain(found.keys());
        let differ = places.filter(|place| expected.get(*place) != found.get(*place));
        deviations.extend(differ.map(|place| (corpus, place.clone())));
    }
    let listed = DEVIATIONS.map(|(corpus, file, document, container, _)| {
        (corpus, (file.to_owned(), document, container.to_owned()))
    });
    assert!(listed.len() <= 5);
    assert_eq!(deviations, BTreeSet::from(listed));
}

fn expected(corpus: &str) -> Rows {
    let truth = root()
        .join("tests/data/corpora")
        .join(corpus)
        .join("truth.json");
    let truth = std::fs::read(truth).expect("a truth");
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    let mut rows = Rows::new();
    for row in truth["rules"]["probes"].as_array().expect("rows") {
        let place = (
            format!("manifests/{}", text(row, "file")),
            index(row, "doc"),
            text(row, "container"),
        );
        let missing = row["missing"].as_array().expect("a list").iter();
        let missing = missing.map(|probe| probe.as_str().expect("text").to_owned());
        let before = rows.insert(place, missing.collect());
        assert_eq!(before, None, "{corpus}: a row stands twice: {row}");
    }
    rows
}

/// What `check` reports, kube-system included.
fn found(corpus: &str) -> Rows {
    let policies = root().join("tests/data/truth/probes");
    let mut check = portcullis(&[
        "check",
        "--output",
        "json",
        "--profile",
        "none",
        "manifests",
    ]);
    check.arg("--policies").arg(policies);
    check.args(["--exclude-namespace", "none"]);
    let folder = root().join("tests/data/corpora").join(corpus);
    let output = check.current_dir(folder).output().expect("starts");
    let report: Value = serde_json::from_str(&stdout(&output)).expect("a report");
    assert_eq!(report["failures"], serde_json::json!([]), "{corpus}");
    let mut rows = Rows::new();
    for finding in report["findings"].as_array().expect("findings") {
        let missing = match finding["code"].as_str().expect("a code") {
            "probe-readiness-missing" => "readinessProbe",
            "probe-liveness-missing" => "livenessProbe",
            _ => continue,
        };
        let at = text(finding, "path");
        assert!(
            at.contains("/containers/") && at.ends_with(missing),
            "{finding}"
        );
        let place = (
            text(finding, "file"),
            index(finding, "document"),
            text(finding, "container"),
        );
        let is_new = rows.entry(place).or_default().insert(missing.to_owned());
        assert!(is_new, "{corpus}: a finding stands twice: {finding}");
    }
    rows
}

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().expect("text").to_owned()
}

fn index(value: &Value, member: &str) -> u64 {
    value[member].as_u64().expect("a number")
}
