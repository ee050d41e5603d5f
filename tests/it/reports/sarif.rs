//! SARIF against the OASIS schema, and against `--output json`.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis::finding::sarif::{Run, render};
use portcullis::finding::{Finding, Identity, Place, Report};
use portcullis::policy::{Action, PolicySet};
use portcullis_contract::Level;
use serde_json::{Value, json};

use super::{check, corpora, everything};
use crate::judge;
use crate::support::Scratch;

/// What is wrong with a log, by the schema; nothing if it is valid.
pub(super) fn problem(log: &Value) -> String {
    let schema = "tests/data/sarif/sarif-schema-2.1.0.json";
    let mut lines = judge::asked(&["schema", schema], &log.to_string());
    assert_eq!(lines.len(), 1);
    lines.remove(0)
}

/// A valid log, and its only run.
fn run(folder: &Path, arguments: &[&str]) -> Value {
    let text = check(folder, "sarif", arguments).1;
    let mut log: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(problem(&log), "", "{arguments:?}");
    assert_eq!(log["runs"].as_array().map(Vec::len), Some(1));
    log["runs"][0].take()
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.unwrap_or_else(|| panic!("no list at {pointer}"))
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}

#[test]
fn the_schema_refuses_what_is_no_sarif() {
    let scratch = Scratch::new();
    scratch.file("a.yaml", super::BAD);
    let log = check(scratch.path(), "sarif", &["a.yaml"]).1;
    let log: Value = serde_json::from_str(&log).expect("JSON");
    for (pointer, wrong) in [
        ("/version", json!("2.1.1")),
        ("/runs/0/tool", json!({})),
        ("/runs/0/results/0/level", json!("deny")),
        (
            "/runs/0/results/0/locations/0/physicalLocation/region/startLine",
            json!(0),
        ),
        ("/runs/0/tool/driver/informationUri", json!("no uri")),
    ] {
        let mut log = log.clone();
        *log.pointer_mut(pointer).expect(pointer) = wrong;
        assert!(!problem(&log).is_empty(), "{pointer}");
    }
}

#[test]
fn the_corpora_give_valid_sarif_with_the_findings_of_json() {
    for corpus in corpora() {
        let run = run(&corpus, &["manifests"]);
        let report = super::json(&corpus, &["manifests"]);
        let (results, findings) = (list(&run, "/results"), list(&report, "/findings"));
        assert_eq!(results.len(), findings.len());
        assert!(!results.is_empty(), "{corpus:?}");
        for (result, finding) in results.iter().zip(findings) {
            agrees(result, finding, &run);
        }
        assert_eq!(run["properties"]["summary"], report["summary"]);
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    }
}

fn agrees(result: &Value, finding: &Value, run: &Value) {
    let level = match finding["action"].as_str() {
        Some("deny") => "error",
        Some("warn") => "warning",
        _ => "note",
    };
    assert_eq!(result["ruleId"], finding["code"]);
    assert_eq!(result["level"], level);
    let index = result["ruleIndex"].as_u64().expect("an index");
    let rule = &list(run, "/tool/driver/rules")[usize::try_from(index).expect("small")];
    assert_eq!(
        (&rule["id"], &rule["properties"]["policy"]),
        (&finding["code"], &finding["policy"])
    );
    let physical = &result["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"], finding["file"]);
    assert_eq!(physical["artifactLocation"]["uriBaseId"], "SRCROOT");
    assert_eq!(physical["region"]["startLine"], finding["line"]);
    assert_eq!(physical["region"]["startColumn"], finding["column"]);
    assert_eq!(
        result["partialFingerprints"]["portcullis/v1"],
        finding["fingerprint"]
    );
    let message = text(result, "/message/text");
    let expected = format!(
        "{}: {}",
        text(finding, "/remedy"),
        text(finding, "/message")
    );
    assert_eq!(message, expected);
}

#[test]
fn whatever_goes_wrong_is_valid_sarif_and_named() {
    let (scratch, arguments) = everything();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = run(scratch.path(), &arguments);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(run["invocations"][0]["exitCode"], 2);
    let notices: Vec<(&str, &str, &str)> = list(&run, "/invocations/0/toolExecutionNotifications")
        .iter()
        .map(|notice| {
            let uri = notice.pointer("/locations/0/physicalLocation/artifactLocation/uri");
            let uri = uri.and_then(Value::as_str).unwrap_or_default();
            (
                text(notice, "/descriptor/id"),
                uri,
                text(notice, "/message/text"),
            )
        })
        .collect();
    for (id, uri, part) in [
        ("not-judged", "", "policy `absent`: "),
        ("not-judged", "a/broken.yaml", ""),
        ("not-judged", "nowhere.yaml", "there is no such file"),
        ("passed-over", "a/all.yaml", "excluded-namespace"),
        ("passed-over", "a/template.yaml", "template"),
    ] {
        let is = |notice: &&(&str, &str, &str)| {
            notice.0 == id && notice.1 == uri && notice.2.contains(part)
        };
        assert!(
            notices.iter().any(|notice| is(&notice)),
            "{id} {uri} {part}: {notices:?}"
        );
    }
    let uris: BTreeSet<&str> = list(&run, "/results")
        .iter()
        .map(|result| text(result, "/locations/0/physicalLocation/artifactLocation/uri"))
        .collect();
    let expected = ["a/all.yaml", "a/b%20c%23%C3%BC.yaml", "a/broken.yaml"];
    assert_eq!(uris, expected.into());
}

#[test]
fn alerts_are_told_apart_and_hold_no_link_of_the_object() {
    let (scratch, arguments) = everything();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = run(scratch.path(), &arguments);
    let results = list(&run, "/results");
    let hashes: BTreeSet<(&str, &str)> = results
        .iter()
        .map(|result| {
            let uri = text(result, "/locations/0/physicalLocation/artifactLocation/uri");
            (
                uri,
                text(result, "/partialFingerprints/primaryLocationLineHash"),
            )
        })
        .collect();
    assert_eq!(
        hashes.len(),
        results.len(),
        "two alerts of one file have one hash"
    );
    for result in results {
        assert!(
            !text(result, "/message/text").contains("](http"),
            "{result}"
        );
    }
    let ids: Vec<&str> = list(&run, "/tool/driver/rules")
        .iter()
        .map(|rule| text(rule, "/id"))
        .collect();
    let twice = ids.iter().filter(|id| **id == "image-latest").count();
    assert_eq!(twice, 2, "one rule a policy");
}

#[test]
fn nothing_to_judge_is_valid_sarif_without_results() {
    let scratch = Scratch::new();
    let empty = run(scratch.path(), &["."]);
    assert_eq!(list(&empty, "/results"), [] as [Value; 0]);
    assert_eq!(empty["invocations"][0]["exitCode"], 2);
    scratch.file("a.yaml", super::SYSTEM);
    assert_eq!(
        run(scratch.path(), &["a.yaml"])["invocations"][0]["exitCode"],
        0
    );
}

#[test]
fn rules_are_described_within_what_code_scanning_shows() {
    let scratch = Scratch::new();
    scratch.file("a.yaml", super::BAD);
    let run = run(scratch.path(), &["a.yaml"]);
    let rules = list(&run, "/tool/driver/rules");
    let latest = rules
        .iter()
        .find(|rule| rule["id"] == "image-latest")
        .expect("a rule");
    assert_eq!(
        text(latest, "/shortDescription/text"),
        "The image has no digest, and its tag is `latest` or missing."
    );
    assert_eq!(text(latest, "/defaultConfiguration/level"), "error");
    for rule in rules {
        for pointer in [
            "/shortDescription/text",
            "/fullDescription/text",
            "/help/markdown",
        ] {
            assert!(!text(rule, pointer).is_empty(), "{rule}");
        }
        assert!(text(rule, "/fullDescription/text").chars().count() <= 1_024);
    }
}

#[test]
fn of_too_many_findings_the_gravest_are_kept_and_the_rest_is_counted() {
    let finding = |line: u32| Finding {
        policy: "p".into(),
        code: "c".into(),
        level: Level::Error,
        action: if line.is_multiple_of(5) {
            Action::Deny
        } else {
            Action::Audit
        },
        message: "m".into(),
        remedy: "r".into(),
        place: Place {
            file: Some("a.yaml".into()),
            line,
            column: 1,
            ..Place::default()
        },
        object: Identity::default(),
        path: String::new(),
        container: None,
        within: None,
        fix: None,
        has_fix: false,
        creates: None,
        fingerprint: "f".into(),
        exemption: None,
        excerpt: None,
    };
    let report = Report {
        findings: (1..=25_010).map(finding).collect(),
        ..Report::default()
    };
    let policies = PolicySet::new(Vec::new(), BTreeSet::new()).expect("a set");
    let run = Run {
        policies: &policies,
        folder: Path::new("/"),
        exit_code: 1,
    };
    let log: Value = serde_json::from_str(&render(&report, run).expect("JSON")).expect("JSON");
    assert_eq!(problem(&log), "");
    let results = list(&log, "/runs/0/results");
    let denied = results
        .iter()
        .filter(|result| result["level"] == "error")
        .count();
    assert_eq!((results.len(), denied), (25_000, 25_010 / 5));
    let notice = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0];
    assert!(text(notice, "/message/text").starts_with("10 findings are left out"));
}
