//! `default-network-policy` on the corpora against `truth.json`: namespaces
//! without a NetworkPolicy, and the one that would be created.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::corpora::{CORPORA, file, findings_of, index, text, truth};

/// Corpus, file, document, namespace.
type Row = (String, String, u64, String);

/// What the truth does not have and `check` finds: the namespace is written in
/// two files, and either may be the one that is applied. The truth has it once.
const TWICE: [(&str, &str, u64, &str); 1] = [(
    "pesuga-homelab",
    "production/kubernetes/deployments/familyai-platform.yaml",
    0,
    "familyai",
)];

/// Namespaces with NetworkPolicies, none of which is for all pods: the truth
/// counts any policy.
const PARTLY: [&str; 3] = ["dawarich", "external-secrets", "longhorn-system"];

#[test]
fn namespaces_without_networkpolicy_are_found_as_the_truth_says() {
    let mut expected = BTreeSet::new();
    for corpus in CORPORA {
        for row in truth(corpus, "namespace-without-networkpolicy") {
            let (document, name) = (index(&row, "doc"), text(&row, "name"));
            expected.insert((corpus.to_owned(), file(&row), document, name));
        }
    }
    assert_eq!(expected.len(), 10);
    for (corpus, file, document, name) in TWICE {
        let row = (
            corpus.into(),
            format!("manifests/{file}"),
            document,
            name.into(),
        );
        assert!(expected.insert(row), "it is no deviation any more");
    }
    assert_eq!(found("namespace-without-networkpolicy"), expected);
}

#[test]
fn namespaces_that_are_covered_in_part_are_told_apart() {
    let found = found("namespace-partly-covered");
    let names: BTreeSet<&str> = found.iter().map(|(.., name)| name.as_str()).collect();
    assert_eq!(names, PARTLY.into());
    assert_eq!(found.len(), PARTLY.len());
}

#[test]
fn what_would_be_created_comes_with_the_finding() {
    let findings = findings_of("bank-of-anthos", FOLDER);
    let finding = findings
        .iter()
        .find(|one| one["name"] == "bank-of-anthos-staging")
        .expect("found");
    let creates = &finding["creates"];
    assert_eq!(
        creates["metadata"],
        json!({"name": "portcullis-default", "namespace": "bank-of-anthos-staging"})
    );
    assert_eq!(creates["spec"]["podSelector"], json!({}));
    assert_eq!(creates["spec"]["policyTypes"], json!(["Ingress"]));
}

const FOLDER: &str = "tests/data/truth/networks";

/// What `check` finds of this code.
fn found(code: &str) -> BTreeSet<Row> {
    let mut found = BTreeSet::new();
    for corpus in CORPORA {
        let of_code = findings_of(corpus, FOLDER).into_iter();
        for finding in of_code.filter(|finding| finding["code"] == code) {
            let (file, document) = (text(&finding, "file"), index(&finding, "document"));
            let row = (corpus.to_owned(), file, document, text(&finding, "name"));
            assert!(finding["creates"].is_object(), "{finding}");
            assert!(found.insert(row), "{corpus}: twice: {finding}");
        }
    }
    found
}

#[test]
fn people_see_one_manifest_for_all_of_them() {
    let policies = crate::support::root().join(FOLDER);
    let folder = crate::support::root().join("tests/data/corpora/home-k3s");
    let mut check = crate::support::portcullis(&["check", "manifests", "--profile", "none"]);
    check.arg("--policies").arg(policies).current_dir(folder);
    let output = check.output().expect("the executable starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let heading = "default-network-policy would have this in each of 5 namespaces \
                   (logging, guest, cert-manager, homeassistant, metallb-system):";
    assert!(text.contains(heading), "{text}");
    assert_eq!(text.matches("kind: NetworkPolicy\n").count(), 1, "{text}");
}

/// The members of a finding that scripts read.
#[test]
fn only_findings_with_something_to_create_say_so() {
    let others = findings_of("home-k3s", "tests/data/truth/resources");
    assert!(!others.is_empty());
    assert!(others.iter().all(|one| one["creates"] == Value::Null));
}
