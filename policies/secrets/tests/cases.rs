//! Secrets and what only looks like one, each with its reason: `cases/`.
//!
//! `is` is what the surest finding has to be: `high`, `medium`, `secret` (one of
//! these two), `low`, or `none` (nothing is found at all).

use std::fmt::Write;
use std::path::Path;

use portcullis_secrets::{Confidence, Detector, Found, Options};
use serde_json::Value;

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cases")
        .join(file);
    let text = std::fs::read(&path).expect("cases");
    match portcullis_manifest::parse_document(&text).expect("YAML") {
        Value::Array(cases) => cases,
        _ => panic!("{file} is no list"),
    }
}

fn text<'c>(case: &'c Value, member: &str) -> &'c str {
    case[member]
        .as_str()
        .unwrap_or_else(|| panic!("{member} is missing: {case}"))
}

fn found(detector: &Detector, case: &Value) -> Vec<Found> {
    match (case.get("binary"), case.get("words")) {
        (Some(Value::String(base64)), _) => detector.binary(text(case, "key"), base64),
        (_, Some(Value::Array(words))) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            let found = detector.words(&words).into_iter();
            found.map(|(_, found)| found).collect()
        }
        _ if case["as"] == "env" => {
            let found = detector.literal(text(case, "key"), text(case, "text"));
            found.into_iter().collect()
        }
        _ => detector.entry(text(case, "key"), text(case, "text")),
    }
}

/// What differs, in a line.
fn difference(case: &Value, found: &[Found]) -> Option<String> {
    let best = found.iter().map(|found| found.confidence).max();
    let fits = match text(case, "is") {
        "high" => best == Some(Confidence::High),
        "medium" => best == Some(Confidence::Medium),
        "secret" => best >= Some(Confidence::Medium),
        "low" => best == Some(Confidence::Low),
        "none" => best.is_none(),
        other => panic!("`{other}` is no outcome"),
    };
    let line = case["line"].as_u64();
    let at = found
        .first()
        .and_then(|found| found.at)
        .map(|at| at.line as u64);
    let is_there = line.is_none() || line == at;
    (!fits || !is_there).then(|| format!("{}: {found:?}", text(case, "why")))
}

fn run(file: &str, least: usize) {
    let detector = Detector::new(&Options::default()).expect("a detector");
    let cases = cases(file);
    assert!(cases.len() >= least, "{file}: {} cases", cases.len());
    let mut differences = String::new();
    for case in &cases {
        assert!(!text(case, "why").is_empty());
        if let Some(difference) = difference(case, &found(&detector, case)) {
            let key = case["key"].as_str().unwrap_or_default();
            let _ = writeln!(differences, "{key} is {}, {difference}", case["is"]);
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}

#[test]
fn values_under_their_keys_are_judged_as_their_reasons_say() {
    run("values.yaml", 160);
}

#[test]
fn files_of_applications_are_judged_as_their_reasons_say() {
    run("apps.yaml", 110);
}

#[test]
fn programs_commands_and_other_forms_are_judged_as_their_reasons_say() {
    run("code.yaml", 75);
}
