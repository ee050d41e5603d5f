use portcullis_contract::Effect;
use serde_json::json;

use super::*;

const VALUE: &str = "hunter2-hunter2";

fn values() -> Values {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
        "data": {"password": "aHVudGVyMi1odW50ZXIy", "user": "dXNlcg=="},
        "stringData": {"file": "first line\n  second line of it\n", "password": "x"},
    });
    Values::of([&secret, &Value::Null])
}

fn finding() -> Finding {
    Finding {
        code: "c".into(),
        message: "m".into(),
        remedy: "r".into(),
        path: "/data".into(),
        container: None,
        within: None,
    }
}

fn judged(finding: Finding) -> String {
    let mut verdict = Verdict {
        findings: vec![finding],
        ..Verdict::default()
    };
    values().scrub(&mut verdict).expect("no changes");
    serde_json::to_string(&verdict).expect("JSON")
}

#[test]
fn no_text_of_a_finding_keeps_a_value() {
    let smuggled = [
        format!("it is {VALUE}"),
        "it is aHVudGVyMi1odW50ZXIy".to_owned(),
        "see 'second line of it'.".to_owned(),
    ];
    for text in smuggled {
        let with = |change: fn(&mut Finding, String)| {
            let mut finding = finding();
            change(&mut finding, text.clone());
            judged(finding)
        };
        for output in [
            with(|finding, text| finding.message = text),
            with(|finding, text| finding.remedy = text),
            with(|finding, text| finding.container = Some(text)),
            with(|finding, text| finding.path = format!("/data/{text}")),
        ] {
            assert!(!output.contains(VALUE), "{output}");
            assert!(!output.contains("aHVudGVyMi1odW50ZXIy"), "{output}");
            assert!(!output.contains("second line"), "{output}");
        }
    }
}

#[test]
fn a_value_that_the_mark_holds_is_removed_once() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "value"}});
    let mut text = "value, value".to_owned();
    Values::of([&secret, &secret]).clean(&mut text);
    assert_eq!(text, format!("{REMOVED}, {REMOVED}"));
}

#[test]
fn names_and_keys_are_no_values() {
    let mut finding = finding();
    finding.message = "`db` has a `password` and a superuser".into();
    finding.path = "/data/password".into();
    let output = judged(finding.clone());
    let verdict = Verdict {
        findings: vec![finding],
        ..Verdict::default()
    };
    assert_eq!(output, serde_json::to_string(&verdict).expect("JSON"));
}

#[test]
fn changes_that_hold_a_value_are_refused() {
    let held = || json!({"a": [{"b": VALUE}]});
    let patch = |operation| Changes {
        patch: vec![operation],
        ..Changes::default()
    };
    let path = || "/metadata/labels/x".to_owned();
    let smuggled = [
        patch(PatchOperation::Add {
            path: path(),
            value: held(),
        }),
        patch(PatchOperation::Replace {
            path: path(),
            value: json!(VALUE),
        }),
        patch(PatchOperation::Test {
            path: path(),
            value: json!({VALUE: 1}),
        }),
        patch(PatchOperation::Remove {
            path: format!("/x/{VALUE}"),
        }),
        Changes {
            object: Some(held()),
            ..Changes::default()
        },
        Changes {
            effects: vec![Effect::eventual("k", held())],
            ..Changes::default()
        },
        Changes {
            annotations: [(VALUE.to_owned(), "x".to_owned())].into(),
            ..Changes::default()
        },
    ];
    for changes in smuggled {
        let mut verdict = Verdict {
            changes: Some(changes.clone()),
            ..Verdict::default()
        };
        let failure = values().scrub(&mut verdict).expect_err("refused");
        assert!(!failure.message.contains(VALUE), "{changes:?}");
    }
}

#[test]
fn audit_lines_and_failures_lose_values() {
    let mut verdict = Verdict {
        changes: Some(Changes {
            annotations: [("k".to_owned(), format!("is {VALUE}"))].into(),
            ..Changes::default()
        }),
        ..Verdict::default()
    };
    values().scrub(&mut verdict).expect("cleaned");
    let annotations = verdict.changes.expect("changes").annotations;
    assert_eq!(annotations["k"], format!("is {REMOVED}"));
    let failure = Failure::guest(Cause::Refused, format!("bad {VALUE}"));
    assert_eq!(
        values().scrub_failure(failure).message,
        format!("bad {REMOVED}")
    );
}
