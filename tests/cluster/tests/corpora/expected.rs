use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::{CORPORA, Verdict};

/// Policies that are asked of files alone, or report what other objects lack, or
/// have objects made: a server without a cluster knows none, and makes none.
const OF_FILES: [&str; 4] = [
    "default-network-policy",
    "plain-secret-in-git",
    "dangling-references",
    "disruption-budget",
];

/// The verdicts of `portcullis check` with the profile `starter` on each
/// corpus, by file and document; those without any finding are not there.
pub(super) fn all() -> BTreeMap<(String, usize), Verdict> {
    let mut verdicts: BTreeMap<(String, usize), Verdict> = BTreeMap::new();
    for corpus in CORPORA {
        let folder = format!("tests/data/corpora/{corpus}/manifests");
        let output = Command::new(portcullis_cluster::binary().unwrap())
            .args(["check", "--output", "json", &folder])
            .current_dir(portcullis_cluster::root())
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap().iter();
        let is_of_files = |finding: &&Value| OF_FILES.iter().any(|name| finding["policy"] == *name);
        for finding in findings.filter(|finding| !is_of_files(finding)) {
            let file = finding["file"].as_str().unwrap().to_owned();
            let document = usize::try_from(finding["document"].as_u64().unwrap()).unwrap();
            assert_eq!(finding["item"], Value::Null, "no corpus holds a List");
            let verdict = verdicts.entry((file, document)).or_default();
            let line = line(finding);
            match finding["action"].as_str().unwrap() {
                "deny" => verdict.denied.push(line),
                "warn" => verdict.warned.push(line),
                _ => {}
            }
        }
    }
    let sorted = verdicts
        .into_iter()
        .map(|(place, verdict)| (place, verdict.sorted()));
    sorted.collect()
}

/// How the webhook ends the line about a finding: ``(container `a`,
/// spec.containers[0].image) [policy/code]``, or without a container, or with
/// the line of a text.
fn line(finding: &Value) -> String {
    let text = |name: &str| finding[name].as_str().unwrap_or_default();
    let mut place = String::new();
    for part in text("path").split('/').skip(1) {
        match part.parse::<u32>() {
            Ok(index) => place.push_str(&format!("[{index}]")),
            Err(_) if place.is_empty() => place.push_str(part),
            Err(_) => place.push_str(&format!(".{part}")),
        }
    }
    if let Some(line) = finding["within"]["line"].as_u64() {
        place.push_str(&format!(", line {line}"));
    }
    let container = match text("container") {
        "" => String::new(),
        name => format!("container `{name}`, "),
    };
    let (policy, code) = (text("policy"), text("code"));
    format!("({container}{place}) [{policy}/{code}]")
}
