//! `configmap-secrets` on the corpora against `truth.json`: every entry of
//! every ConfigMap is a positive, a negative, or arguable. What is reported is
//! what is sure or likely; what is possible is an audit line.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::{portcullis, root, stdout};

const CORPORA: [&str; 3] = ["pesuga-homelab", "home-k3s", "bank-of-anthos"];

/// Corpus, file, document, key.
type Entry = (String, String, u64, String);

/// Entries as the truth labels them, and as they are found by confidence.
struct Corpora {
    positive: BTreeSet<Entry>,
    either: BTreeSet<Entry>,
    found: BTreeMap<String, BTreeSet<Entry>>,
}

#[test]
fn nearly_all_secrets_in_configmaps_are_found_and_nearly_nothing_else() {
    let corpora = Corpora::read();
    let reported: BTreeSet<Entry> = ["configmap-secret", "configmap-secret-likely"]
        .iter()
        .flat_map(|code| corpora.with(code))
        .filter(|entry| !corpora.either.contains(entry))
        .collect();
    let right = reported.intersection(&corpora.positive).count();
    let precision = right as f64 / reported.len() as f64;
    let recall = right as f64 / corpora.positive.len() as f64;
    let wrong: Vec<_> = reported.difference(&corpora.positive).collect();
    let missed: Vec<_> = corpora.positive.difference(&reported).collect();
    println!("precision {precision:.2}, recall {recall:.2}");
    assert!(precision >= 0.95, "{precision:.2}: {wrong:?}");
    assert!(recall >= 0.95, "{recall:.2}: {missed:?}");
}

#[test]
fn whatever_may_be_moved_by_itself_is_a_secret() {
    let corpora = Corpora::read();
    let sure = corpora.with("configmap-secret");
    assert!(!sure.is_empty());
    let wrong: Vec<_> = sure.difference(&corpora.positive).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

impl Corpora {
    fn read() -> Self {
        let mut corpora = Corpora {
            positive: BTreeSet::new(),
            either: BTreeSet::new(),
            found: BTreeMap::new(),
        };
        for corpus in CORPORA {
            corpora.label(corpus);
            corpora.judge(corpus);
        }
        corpora
    }

    fn with(&self, code: &str) -> BTreeSet<Entry> {
        self.found.get(code).cloned().unwrap_or_default()
    }

    fn label(&mut self, corpus: &str) {
        let file = root().join("tests/data/corpora").join(corpus);
        let truth = std::fs::read(file.join("truth.json")).expect("a truth");
        let truth: Value = serde_json::from_slice(&truth).expect("JSON");
        for row in truth["rules"]["configmap-secrets"]
            .as_array()
            .expect("rows")
        {
            let text = |member: &str| row[member].as_str().expect("text").to_owned();
            let document = row["doc"].as_u64().expect("a number");
            let file = format!("manifests/{}", text("file"));
            let entry = (corpus.to_owned(), file, document, text("key"));
            match row["label"].as_str() {
                Some("positive") => self.positive.insert(entry),
                Some("either") => self.either.insert(entry),
                _ => continue,
            };
        }
    }

    fn judge(&mut self, corpus: &str) {
        let mut check = portcullis(&["check", "--output", "json", "manifests"]);
        check.args(["--profile", "none", "--exclude-namespace", "none"]);
        let policy = root().join("pack/strict/configmap-secrets.yaml");
        check.arg("--policies").arg(policy);
        let folder = root().join("tests/data/corpora").join(corpus);
        let output = check.current_dir(folder).output().expect("starts");
        let report: Value = serde_json::from_str(&stdout(&output)).expect("a report");
        assert_eq!(report["failures"], serde_json::json!([]), "{corpus}");
        for finding in report["findings"].as_array().expect("findings") {
            let text = |member: &str| finding[member].as_str().expect("text").to_owned();
            let path = text("path");
            let key = path.rsplit('/').next().expect("a key");
            let key = key.replace("~1", "/").replace("~0", "~");
            let document = finding["document"].as_u64().expect("a number");
            let entry = (corpus.to_owned(), text("file"), document, key);
            self.found.entry(text("code")).or_default().insert(entry);
        }
    }
}
