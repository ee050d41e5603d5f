//! The reader of manifests against kubectl's own, on every corpus.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use portcullis_manifest as manifest;
use serde_json::Value;

use crate::judge;
use crate::support::root;

/// By file and index among the documents that hold something.
type Documents = BTreeMap<(String, usize), Option<Value>>;

#[test]
fn every_document_of_the_corpora_is_read_as_kubectl_reads_it() {
    let folders = ["tests/data/corpora", "tests/data/yaml", "examples", "pack"];
    let judged = judged(&folders);
    assert!(judged.len() > 1_800, "{} documents", judged.len());
    let mut differ = Vec::new();
    for ((file, index), expected) in &judged {
        let read = documents(&root().join(file));
        if read.get(*index) != Some(expected) {
            differ.push(format!(
                "{file} {index}: {:?}, kubectl: {expected:?}",
                read.get(*index)
            ));
        }
    }
    assert!(
        differ.is_empty(),
        "{} differ, first {}",
        differ.len(),
        differ[0]
    );
}

/// What the judge prints. Numbers are compared as the API server holds them.
fn judged(folders: &[&str]) -> Documents {
    let output = Command::new(judge::program())
        .args(folders)
        .current_dir(root())
        .output()
        .expect("it runs");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let line = |line: &str| {
        let mut parts = line.splitn(3, '\t');
        let mut part = || parts.next().expect("three parts").to_owned();
        let (file, index, json) = (part(), part(), part());
        let value = (json != "ERROR").then(|| serde_json::from_str(&json).map(held).expect("JSON"));
        ((file, index.parse().expect("an index")), value)
    };
    text.lines().map(line).collect()
}

/// Integers beyond 63 bits are floats to the API server.
fn held(value: Value) -> Value {
    match value {
        Value::Number(number) if !number.is_i64() => {
            Value::from(number.as_f64().expect("a number"))
        }
        Value::Array(list) => list.into_iter().map(held).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (key, held(value)))
            .collect(),
        other => other,
    }
}

/// The documents of a file that hold something; None for a broken one.
fn documents(file: &Path) -> Vec<Option<Value>> {
    let text = std::fs::read_to_string(file).expect("a file");
    let mut documents = Vec::new();
    for part in split(&text) {
        match manifest::parse_document(part.as_bytes()) {
            Ok(Value::Null) => {}
            Ok(value) => documents.push(Some(held(value))),
            Err(error) if error.message == "it is empty" => {}
            Err(_) => documents.push(None),
        }
    }
    documents
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for line in text.lines() {
        if line.starts_with("---") {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts
}
