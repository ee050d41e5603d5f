//! `policy test`: each way in which cases fail.

use super::{building, expect, owner, policy};

const DEPLOYMENT: &str =
    "object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}\n";

/// Entries of `cases/` that fail: name, text, and a part of what is said.
fn faulty() -> Vec<(&'static str, String, &'static str)> {
    let case = |rest: &str| format!("about: it fails\n{DEPLOYMENT}{rest}\n");
    let pod =
        "about: a Pod\nobject: {apiVersion: v1, kind: Pod, metadata: {name: web}}\nexpect: {}\n";
    vec![
        (
            "unexpected.yaml",
            case("expect: {}"),
            "finding 0: not expected: ",
        ),
        (
            "another.yaml",
            case("expect: {findings: [{code: owner-unknown, path: /metadata/labels}]}"),
            "finding 0: found Finding { code: \"owner-missing\"",
        ),
        (
            "more.yaml",
            case(
                "expect: {findings: [{code: owner-missing, path: /metadata/labels}, \
                  {code: owner-missing, path: /metadata/labels}]}",
            ),
            "finding 1: missing: ",
        ),
        (
            "change.yaml",
            case(
                "expect: {findings: [{code: owner-missing, path: /metadata/labels}], \
                  changes: [{op: remove, path: /spec}]}",
            ),
            "changes: found [], expected [Remove",
        ),
        (
            "pod.yaml",
            pod.to_owned(),
            "the policy never sees this request, CREATE of `pods` of the core group, v1",
        ),
        (
            "delete.yaml",
            case("operation: DELETE\nexpect: {}"),
            "the policy never sees this request, DELETE of `deployments` of apps, v1",
        ),
        (
            "taken.yaml",
            case("expect: {faults: [{path: /label, message: empty}]}"),
            "the settings were taken, but `expect.faults` says",
        ),
        (
            "refused.yaml",
            case("settings: {lable: x}\nexpect: {}"),
            "the settings were refused with [(\"/lable\", \"unknown field",
        ),
        (
            "broken.yaml",
            "a: [".into(),
            "it is no case: line 2, column 1: this is no YAML",
        ),
        (
            "no-object.yaml",
            "about: x\nexpect: {}\n".into(),
            "it is no case: it has neither `object` nor",
        ),
        (
            "typo.yaml",
            "abuot: x\n".into(),
            "it is no case: unknown field `abuot`",
        ),
        (
            "unused.yml",
            case("expect: {}"),
            "it is not run: call it NAME.yaml",
        ),
        ("notes.txt", "x".into(), "it is not run: call it NAME.yaml"),
        (
            "folder/a.yaml",
            case("expect: {}"),
            "it is not run: call it NAME.yaml",
        ),
    ]
}

#[test]
fn every_fault_of_a_case_and_every_code_without_a_case_is_named() {
    let _one = building();
    let scratch = owner();
    std::fs::remove_dir_all(scratch.path().join("owner/cases")).expect("its cases");
    let good = format!(
        "about: nobody\n{DEPLOYMENT}\
         expect: {{findings: [{{code: owner-missing, path: /metadata/labels}}]}}\n"
    );
    scratch.file("owner/cases/good.yaml", good);
    let faulty = faulty();
    for (name, text, _) in &faulty {
        scratch.file(&format!("owner/cases/{name}"), text);
    }
    let (printed, _) = expect(1, policy(scratch.path(), &["test", "owner"]));
    let lines: Vec<&str> = printed.lines().collect();
    for (name, _, part) in &faulty {
        let entry = name.split('/').next().expect("a name");
        let start = format!("FAILED  cases/{entry}");
        let at = lines.iter().position(|line| line.starts_with(&start));
        let at = at.unwrap_or_else(|| panic!("{start}: {printed}"));
        assert!(lines[at + 1].contains(part), "{part}: {}", lines[at + 1]);
    }
    assert!(
        lines.contains(&"ok      cases/good.yaml: nobody"),
        "{printed}"
    );
    let summary = format!("1 passed, {} failed", faulty.len());
    let end = ["warning: no case reports `owner-unknown`", &summary];
    assert_eq!(lines[lines.len() - 2..], end, "{printed}");
}

#[test]
fn without_a_case_nothing_is_proved() {
    let _one = building();
    let scratch = owner();
    let cases = scratch.path().join("owner/cases");
    std::fs::remove_dir_all(&cases).expect("its cases");
    for _ in 0..2 {
        let (printed, _) = expect(1, policy(scratch.path(), &["test", "owner"]));
        assert_eq!(
            printed,
            "FAILED  there is no case: add one as cases/NAME.yaml\n"
        );
        // Once without the folder, once with an empty one.
        std::fs::create_dir_all(&cases).expect("a folder");
    }
}
