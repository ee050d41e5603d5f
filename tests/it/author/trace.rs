//! `policy trace`: one request, every step shown.

use serde_json::json;

use super::{Scratch, expect, policy, root};
use crate::guests::text::Guest;

const IMAGE_TAGS: &str = "target/policies/image-tags.wasm";
const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: key, namespace: shop}\n\
                      stringData: {password: hunter2}\n";

/// A trace in the root of the project.
fn traced(arguments: &[&str]) -> String {
    let arguments = [&["trace"], arguments].concat();
    expect(0, policy(root(), &arguments)).0
}

#[test]
fn a_recorded_review_is_traced_from_what_was_shown_to_the_decision() {
    let trace = traced(&[IMAGE_TAGS, "tests/data/reviews/pod-create-bare.json"]);
    let mut rest = trace.as_str();
    for part in [
        "request: CREATE of Pod shop/bare\n",
        "\nit was shown:\n{",
        "\"image\": \"",
        "\nit said:\n{",
        "\"code\": \"image-",
        "\nit took: load ",
        " ms, init ",
        " ms, evaluate ",
        "\nthe host: ",
    ] {
        let found = rest.find(part).unwrap_or_else(|| panic!("{part}: {trace}"));
        rest = &rest[found..];
    }
    assert!(!trace.contains("managedFields"), "{trace}");
}

#[test]
fn the_host_says_in_a_trace_what_the_review_would_answer() {
    let review = "tests/data/reviews/deployment-create-apply.json";
    let scratch = Scratch::new();
    let settings = scratch.file("settings.yaml", "requireDigest: true\n");
    let trace = traced(&[IMAGE_TAGS, review, "--settings", &settings]);
    let program = root().join(IMAGE_TAGS);
    let document = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "image-tags"},
        "spec": {"program": {"file": program}, "settings": {"requireDigest": true}}});
    let document = scratch.file("policy.json", document.to_string());
    let review = crate::support::run(&[
        "review",
        "--profile",
        "none",
        "--policies",
        &document,
        review,
    ]);
    let answer: serde_json::Value =
        serde_json::from_slice(&review.stdout).expect("an AdmissionReview");
    let denial = answer["response"]["status"]["message"]
        .as_str()
        .expect("denied");
    assert!(trace.contains("the host: denied\n"), "{trace}");
    for line in denial.lines() {
        assert!(trace.contains(line), "{line}: {trace}");
    }
}

#[test]
fn a_request_that_the_policy_does_not_match_is_not_shown_to_it() {
    let trace = traced(&[IMAGE_TAGS, "tests/data/reviews/pod-delete.json"]);
    assert!(
        trace.starts_with("request: DELETE of Pod shop/bare\n"),
        "{trace}"
    );
    assert!(
        trace.contains("not shown to `image-tags`: what it matches does not"),
        "{trace}"
    );
    assert!(!trace.contains("it said"), "{trace}");
}

#[test]
fn changes_are_shown_as_the_patch_that_is_sent() {
    let mut guest = Guest {
        answer: json!({"changes": {"patch": [
            {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}]}})
        .to_string(),
        ..Guest::default()
    };
    guest.description["mutating"] = true.into();
    let scratch = Scratch::new();
    scratch.file("g.wasm", guest.component());
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n";
    scratch.file("pod.yaml", pod);
    let (trace, _) = expect(0, policy(scratch.path(), &["trace", "g.wasm", "pod.yaml"]));
    let patch = r#"  patch: {"op":"add","path":"/metadata/labels","value":{"a":"b"}}"#;
    assert!(
        trace.contains(&format!("the host: mutating: allowed\n{patch}\n")),
        "{trace}"
    );
    assert!(trace.ends_with("validating: allowed\n"), "{trace}");
}

#[test]
fn a_policy_that_breaks_is_part_of_the_trace() {
    let scratch = Scratch::new();
    let guest = Guest {
        evaluate: "unreachable".into(),
        ..Guest::default()
    };
    scratch.file("g.wasm", guest.component());
    scratch.file("secret.yaml", SECRET);
    let (trace, _) = expect(
        0,
        policy(scratch.path(), &["trace", "g.wasm", "secret.yaml"]),
    );
    assert!(
        trace.contains("it said:\nno verdict: it trapped"),
        "{trace}"
    );
    assert!(
        trace.contains("the host: denied\n  policy `guest` could not judge"),
        "{trace}"
    );
}

#[test]
fn values_are_shown_only_where_they_are_granted() {
    let scratch = Scratch::new();
    scratch.file("secret.yaml", SECRET);
    let mut guest = Guest::default();
    guest.description["reads"] = json!(["object.stringData.*"]);
    scratch.file("keys.wasm", guest.component());
    guest.description["reads"] = json!(["object"]);
    scratch.file("whole.wasm", guest.component());
    let (trace, _) = expect(
        0,
        policy(scratch.path(), &["trace", "keys.wasm", "secret.yaml"]),
    );
    assert!(
        trace.contains("\"password\": \"\"") && !trace.contains("hunter2"),
        "{trace}"
    );
    let (_, said) = expect(
        2,
        policy(scratch.path(), &["trace", "whole.wasm", "secret.yaml"]),
    );
    assert!(said.contains("here `--grant values`"), "{said}");
    for program in ["keys.wasm", "whole.wasm"] {
        let granted = ["trace", program, "secret.yaml", "--grant", "values"];
        let (trace, _) = expect(0, policy(scratch.path(), &granted));
        assert!(trace.contains("\"password\": \"hunter2\""), "{trace}");
    }
}

#[test]
fn what_cannot_be_traced_is_one_line_with_its_place() {
    let scratch = Scratch::new();
    let two = scratch.file("two.yaml", format!("{SECRET}---\n{SECRET}"));
    let none = scratch.file("none.yaml", "# nothing\n");
    let bad = scratch.file("bad.yaml", "a: [");
    let list = scratch.file("list.yaml", "[1]");
    let typo = scratch.file("typo.yaml", "precison: minor\n");
    let review = scratch.file(
        "review.json",
        r#"{"kind": "AdmissionReview", "request": {}}"#,
    );
    let pod = "tests/data/reviews/pod-create-bare.json";
    for (arguments, part) in [
        (
            &[IMAGE_TAGS, two.as_str()][..],
            "two.yaml: it holds 2 objects: give a manifest of one",
        ),
        (&[IMAGE_TAGS, &none], "none.yaml: it holds no object"),
        (
            &[IMAGE_TAGS, &bad],
            "bad.yaml: line 2, column 1: this is no YAML",
        ),
        (
            &[IMAGE_TAGS, &review],
            "review.json: the request has no `uid`: send an AdmissionReview",
        ),
        (&[IMAGE_TAGS, "missing.yaml"], "missing.yaml: No such file"),
        (&["missing.wasm", pod], "missing.wasm: No such file"),
        (&["README.md", pod], "README.md: this is no WebAssembly"),
        (
            &[IMAGE_TAGS, pod, "--settings", &list],
            "list.yaml: settings are a mapping",
        ),
        (
            &[IMAGE_TAGS, pod, "--settings", &bad],
            "bad.yaml: line 2, column 1: this is no YAML",
        ),
        (
            &[IMAGE_TAGS, pod, "--settings", &typo],
            "`settings.precison`: unknown field",
        ),
    ] {
        let (_, said) = expect(2, policy(root(), &[&["trace"], arguments].concat()));
        assert!(said.contains(part), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
