//! `policy test`: each way in which cases fail.

use super::{Scratch, building, expect, owner, policy};

const DEPLOYMENT: &str =
    "object: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}}\n";

/// The new policy with this one file in `cases/`: what `policy test` prints.
fn tested(scratch: &Scratch, code: i32, name: &str, text: &str) -> String {
    std::fs::remove_dir_all(scratch.path().join("owner/cases")).expect("its cases");
    scratch.file(&format!("owner/cases/{name}"), text);
    expect(code, policy(scratch.path(), &["test", "owner"])).0
}

#[test]
fn every_fault_of_a_case_is_named() {
    let _one = building();
    let scratch = owner();
    let missing = format!("about: nobody\n{DEPLOYMENT}expect: {{}}\n");
    let pod =
        "about: a Pod\nobject: {apiVersion: v1, kind: Pod, metadata: {name: web}}\nexpect: {}\n";
    let delete = format!("about: gone\noperation: DELETE\n{DEPLOYMENT}expect: {{}}\n");
    let taken = format!(
        "about: taken\n{DEPLOYMENT}expect: {{faults: [{{path: /label, message: empty}}]}}\n"
    );
    let refused = format!("about: refused\nsettings: {{lable: x}}\n{DEPLOYMENT}expect: {{}}\n");
    let other = format!(
        "about: another code\n{DEPLOYMENT}\
         expect: {{findings: [{{code: owner-unknown, path: /metadata/labels}}]}}\n"
    );
    for (name, text, part) in [
        ("a.yaml", missing.as_str(), "finding 0: not expected: "),
        (
            "a.yaml",
            &other,
            "expected ExpectedFinding { code: \"owner-unknown\"",
        ),
        (
            "a.yaml",
            pod,
            "the policy never sees this request, CREATE of `pods` of the core group, v1",
        ),
        (
            "a.yaml",
            &delete,
            "the policy never sees this request, DELETE of `deployments` of apps",
        ),
        (
            "a.yaml",
            &taken,
            "the settings were taken, but `expect.faults` says",
        ),
        (
            "a.yaml",
            &refused,
            "the settings were refused with [(\"/lable\", \"unknown field",
        ),
        (
            "a.yaml",
            "a: [",
            "it is no case: line 2, column 1: this is no YAML",
        ),
        (
            "a.yaml",
            "about: x\nexpect: {}\n",
            "it is no case: it has neither `object` nor",
        ),
        (
            "a.yaml",
            "abuot: x\n",
            "it is no case: unknown field `abuot`",
        ),
        (
            "a.yml",
            &missing,
            "cases/a.yml\n        it is not run: call it NAME.yaml",
        ),
        ("notes.txt", "x", "cases/notes.txt\n        it is not run"),
        ("more/a.yaml", &missing, "cases/more\n        it is not run"),
    ] {
        let printed = tested(&scratch, 1, name, text);
        assert!(printed.starts_with("FAILED  cases/"), "{printed}");
        assert!(printed.contains(part), "{printed}");
        assert!(printed.ends_with("0 passed, 1 failed\n"), "{printed}");
    }
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

#[test]
fn codes_that_no_case_reports_are_named() {
    let _one = building();
    let scratch = owner();
    let case = format!(
        "about: nobody\n{DEPLOYMENT}\
         expect: {{findings: [{{code: owner-missing, path: /metadata/labels}}]}}\n"
    );
    let printed = tested(&scratch, 0, "a.yaml", &case);
    assert_eq!(
        printed,
        "ok      cases/a.yaml: nobody\nwarning: no case reports `owner-unknown`\n1 passed, 0 failed\n"
    );
}
