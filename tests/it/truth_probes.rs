//! `probes` on the corpora against `truth.json`: the same containers, and the
//! same probes missing of each; and what an update is forgiven.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::corpora::{CORPORA, file, findings_of, index, text, truth};
use crate::support::{Scratch, run, stdout};

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
    for corpus in CORPORA {
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

#[test]
fn an_update_may_leave_a_probe_missing_but_not_take_one_away() {
    let probes = json!({"readinessProbe": {"tcpSocket": {"port": 80}}, "livenessProbe": {"tcpSocket": {"port": 81}}});
    let readiness = json!({"readinessProbe": {"tcpSocket": {"port": 80}}});
    let nothing = json!({});
    for (old, new, is_allowed, warnings) in [
        (&nothing, &nothing, true, 2),
        (&readiness, &readiness, true, 1),
        (&nothing, &readiness, true, 1),
        (&probes, &readiness, false, 0),
        (&readiness, &nothing, false, 1),
        (&nothing, &probes, true, 0),
    ] {
        let response = updated(old, new);
        assert_eq!(
            response["allowed"], is_allowed,
            "{old} to {new}: {response}"
        );
        let found = response["warnings"].as_array().map_or(0, Vec::len);
        assert_eq!(found, warnings, "{old} to {new}: {response}");
    }
}

/// What a Deployment is answered whose container had one set of probes, and
/// gets another, with another image.
fn updated(old: &Value, new: &Value) -> Value {
    let deployment = |probes: &Value, image: &str| {
        let mut container = probes.clone();
        container["name"] = "web".into();
        container["image"] = image.into();
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": [container]}}}})
    };
    let request = json!({"uid": "u", "operation": "UPDATE", "name": "web", "namespace": "shop",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "userInfo": {"username": "dev"}, "dryRun": false,
        "object": deployment(new, "app:1.0.1"), "oldObject": deployment(old, "app:1.0.0")});
    let review =
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let scratch = Scratch::new();
    let file = scratch.file("review.json", review.to_string());
    let output = run(&[
        "review",
        &file,
        "--profile",
        "none",
        "--policies",
        "tests/data/truth/probes",
    ]);
    let answer: Value = serde_json::from_str(&stdout(&output)).expect("an answer");
    answer["response"].clone()
}

fn expected(corpus: &str) -> Rows {
    let mut rows = Rows::new();
    for row in truth(corpus, "probes") {
        let place = (file(&row), index(&row, "doc"), text(&row, "container"));
        let missing = row["missing"].as_array().expect("a list").iter();
        let missing = missing.map(|probe| probe.as_str().expect("text").to_owned());
        let before = rows.insert(place, missing.collect());
        assert_eq!(before, None, "{corpus}: a row stands twice: {row}");
    }
    rows
}

/// What `check` reports, kube-system included.
fn found(corpus: &str) -> Rows {
    let mut rows = Rows::new();
    for finding in &findings_of(corpus, "tests/data/truth/probes") {
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
