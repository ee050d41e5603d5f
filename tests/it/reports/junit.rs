//! JUnit XML, read back by a real parser.

use std::path::Path;

use roxmltree::{Document, Node};
use serde_json::Value;

use super::{check, corpora, everything};
use crate::support::Scratch;

fn xml(folder: &Path, arguments: &[&str]) -> String {
    check(folder, "junit", arguments).1
}

fn parse(text: &str) -> Document<'_> {
    Document::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn named<'n>(node: Node<'n, 'n>, tag: &str) -> Vec<Node<'n, 'n>> {
    node.descendants()
        .filter(|node| node.has_tag_name(tag))
        .collect()
}

fn number(node: Node<'_, '_>, attribute: &str) -> usize {
    node.attribute(attribute)
        .and_then(|text| text.parse().ok())
        .expect("a number")
}

/// Every count is that of the elements below it.
fn assert_counted(node: Node<'_, '_>) {
    let counts = [
        ("tests", "testcase"),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ];
    for (attribute, tag) in counts {
        assert_eq!(
            number(node, attribute),
            named(node, tag).len(),
            "{attribute} of {node:?}"
        );
    }
}

#[test]
fn the_corpora_give_a_suite_a_file_and_a_case_an_object() {
    for corpus in corpora() {
        let text = xml(&corpus, &["manifests"]);
        let document = parse(&text);
        let root = document.root_element();
        assert_counted(root);
        named(root, "testsuite")
            .into_iter()
            .for_each(assert_counted);
        let summary = super::json(&corpus, &["manifests"])["summary"].take();
        let count = |name: &str| summary[name].as_u64().and_then(|n| usize::try_from(n).ok());
        let skipped = number(root, "skipped");
        assert_eq!(Some(number(root, "tests") - skipped), count("objects"));
        assert_eq!(Some(number(root, "failures")), count("denied"));
        assert_eq!(Some(skipped), count("skipped"));
        let cases: std::collections::BTreeSet<_> = named(root, "testcase")
            .into_iter()
            .map(|case| ["file", "classname", "name"].map(|name| case.attribute(name)))
            .collect();
        assert_eq!(
            cases.len(),
            number(root, "tests"),
            "two cases have one name"
        );
    }
}

#[test]
fn a_warning_fails_its_object_only_where_the_audit_fails_for_it() {
    let scratch = Scratch::new();
    scratch.file("a.yaml", super::WARNED);
    let text = xml(scratch.path(), &["a.yaml"]);
    let document = parse(&text);
    assert_eq!(named(document.root(), "failure").len(), 0);
    let out = named(document.root(), "system-out");
    let lines = out[0].text().expect("text").lines();
    // The policies report by name: `image-tags` comes after `default-namespace`.
    let warned = lines.filter(|line| line.starts_with("warning: "));
    assert!(warned.count() > 0, "{text}");
    let text = xml(scratch.path(), &["a.yaml", "--fail-on", "warn"]);
    let document = parse(&text);
    let failure = named(document.root(), "failure");
    assert_eq!(
        failure[0].attribute("type"),
        Some("image-tags/image-floating"),
        "{text}"
    );
}

#[test]
fn whatever_goes_wrong_is_xml_and_named() {
    let (scratch, arguments) = everything();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = xml(scratch.path(), &arguments);
    let document = parse(&text);
    let root = document.root_element();
    assert_counted(root);
    let suite = |name: &str| {
        let mut suites = named(root, "testsuite").into_iter();
        suites
            .find(|suite| suite.attribute("name") == Some(name))
            .unwrap_or_else(|| panic!("{name}: {text}"))
    };
    let message = |suite: Node<'_, '_>, tag: &str| {
        let found = suite.descendants().find(|node| node.has_tag_name(tag));
        let found = found.and_then(|node| node.attribute("message"));
        found.unwrap_or_default().to_owned()
    };
    assert!(
        message(suite("policies"), "error").starts_with("policy `absent`: "),
        "{text}"
    );
    assert!(message(suite("nowhere.yaml"), "error").contains("no such file"));
    assert_eq!(number(suite("a/broken.yaml"), "errors"), 1);
    assert_eq!(number(suite("a/broken.yaml"), "failures"), 1);
    assert!(message(suite("a/template.yaml"), "skipped").starts_with("template"));
    assert!(message(suite("a/all.yaml"), "failure").contains("[image-tags/image-latest]"));
    let hostile = suite("a/b c#ü.yaml").first_element_child().expect("a case");
    assert!(
        hostile
            .attribute("name")
            .expect("a name")
            .starts_with("Pod/e "),
        "{text}"
    );
}

#[test]
fn nothing_to_judge_is_xml_without_cases() {
    let text = xml(Scratch::new().path(), &["."]);
    let document = parse(&text);
    assert_eq!(number(document.root_element(), "tests"), 0);
    assert_eq!(Value::from(named(document.root(), "testcase").len()), 0);
}
