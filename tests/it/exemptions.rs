//! PolicyExemptions in files: `check`, `review`, `serve`.

mod output;
mod serving;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{Scratch, run, stderr, stdout};

const BEGINNING: &str = "apiVersion: portcullis.dev/v1alpha1\nkind: PolicyExemption\n";

/// So many seconds from now, RFC 3339.
fn from_now(seconds: i64) -> String {
    let at = if seconds < 0 {
        SystemTime::now() - Duration::from_secs(seconds.unsigned_abs())
    } else {
        SystemTime::now() + Duration::from_secs(seconds.unsigned_abs())
    };
    let at = time::OffsetDateTime::from(at);
    let format = time::format_description::well_known::Rfc3339;
    at.replace_nanosecond(0).unwrap().format(&format).unwrap()
}

/// From moving tags in the namespace `shop`, for what has the label `app: web`.
fn exemption(expires: &str) -> String {
    format!(
        "{BEGINNING}metadata: {{name: legacy, namespace: shop}}\nspec:\n  policy: tags\n  \
         codes: [image-latest]\n  selector: {{labelSelector: {{matchLabels: {{app: web}}}}}}\n  \
         reason: the vendor tags nothing\n  expires: {expires}\n"
    )
}

fn deployment(name: &str, app: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  \
         template:\n    metadata: {{labels: {{app: {app}}}}}\n    \
         spec: {{containers: [{{name: a, image: 'a:latest'}}]}}\n"
    )
}

fn policy(exemptible: bool) -> String {
    json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "tags"}, "spec": {"program": {"builtin": "image-tags"},
            "exemptible": exemptible, "failurePolicy": "Fail"}})
    .to_string()
}

/// Runs `check` with the policy `tags` alone on `files`.
fn check(scratch: &Scratch, files: &[&str], more: &[&str]) -> (Option<i32>, String) {
    let policy = scratch.file("policies/tags.json", policy(true));
    let own = ["check", "--profile", "none", "--policies", &policy];
    let output = run(&[&own[..], files, more].concat());
    (output.status.code(), stdout(&output))
}

fn json(scratch: &Scratch, files: &[&str], more: &[&str]) -> (Option<i32>, Value) {
    let (code, text) = check(scratch, files, &[&["--output", "json"], more].concat());
    (code, serde_json::from_str(&text).expect("JSON"))
}

/// The findings about exemptions: code, action and line.
fn about(report: &Value) -> Vec<(&str, &str, u64)> {
    let findings = report["findings"].as_array().expect("findings").iter();
    findings
        .filter(|one| one["kind"] == "PolicyExemption")
        .map(|one| {
            let text = |member: &str| one[member].as_str().expect("text");
            assert_eq!(one["policy"], "portcullis");
            (
                text("code"),
                text("action"),
                one["line"].as_u64().expect("a line"),
            )
        })
        .collect()
}

#[test]
fn an_exemption_beside_its_objects_forgives_and_is_listed() {
    let scratch = Scratch::new();
    let until = from_now(3_600);
    let web = scratch.file("web.yaml", deployment("web", "web"));
    let api = scratch.file("api.yaml", deployment("api", "api"));
    let grant = scratch.file("grant.yaml", exemption(&until));
    let (code, report) = json(&scratch, &[&web, &grant], &[]);
    assert_eq!(code, Some(0), "{report}");
    let finding = &report["findings"][0];
    assert_eq!(
        (&finding["action"], &finding["name"]),
        (&json!("audit"), &json!("web"))
    );
    let by = json!({"name": "legacy", "expires": until, "reason": "the vendor tags nothing"});
    assert_eq!(finding["exemption"], by);
    let expected = json!([{"namespace": "shop", "name": "legacy", "policy": "tags",
        "codes": ["image-latest"], "expires": until, "reason": "the vendor tags nothing",
        "inForce": true, "findings": 1, "objects": 1, "problems": []}]);
    assert_eq!(report["exemptions"], expected);
    assert_eq!(report["schema"], 1);
    // Who is not selected is denied.
    let (code, report) = json(&scratch, &[&web, &api, &grant], &[]);
    assert_eq!((code, &report["summary"]["denied"]), (Some(1), &json!(1)));
    // Nobody else's report has anything new in it.
    let (_, report) = json(&scratch, &[&web], &[]);
    assert_eq!(report.get("exemptions"), None);
    assert_eq!(report["findings"][0].get("exemption"), None);
}

#[test]
fn exemptions_among_the_manifests_count_only_if_they_are_trusted() {
    let scratch = Scratch::new();
    let web = scratch.file("m/web.yaml", deployment("web", "web"));
    let grant = scratch.file("m/grant.yaml", exemption(&from_now(3_600)));
    let (code, report) = json(&scratch, &[&web, &grant], &["--ignore-exemptions"]);
    assert_eq!((code, report.get("exemptions")), (Some(1), None));
    // Beside the policies they are the operator's.
    let (code, report) = json(
        &scratch,
        &[&web],
        &["--ignore-exemptions", "--policies", &grant],
    );
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["exemptions"][0]["findings"], 1);
    // What is wrong with those is told in every form, too.
    let ended = scratch.file("p/ended.yaml", exemption(&from_now(-60)));
    let (_, text) = check(
        &scratch,
        &[&web],
        &["--policies", &ended, "--output", "junit"],
    );
    let case = "name=\"PolicyExemption/shop/legacy\"";
    assert!(
        text.contains(case) && text.contains("exemption-expired"),
        "{text}"
    );
}

#[test]
fn what_forgives_nothing_is_a_finding_at_its_place() {
    let scratch = Scratch::new();
    let good = from_now(3_600);
    let with = |from: &str, to: &str| exemption(&good).replace(from, to);
    let web = scratch.file("web.yaml", deployment("web", "web"));
    for (text, expected) in [
        (exemption(&from_now(-60)), ("exemption-expired", "warn", 9)),
        (
            exemption(&from_now(367 * 86_400)),
            ("exemption-too-long", "warn", 9),
        ),
        (
            with("policy: tags", "policy: tag"),
            ("exemption-unknown-policy", "warn", 5),
        ),
        (
            with("[image-latest]", "[image-newest]"),
            ("exemption-unknown-code", "warn", 6),
        ),
        (
            with("app: web", "app: api"),
            ("exemption-unused", "audit", 7),
        ),
        (
            with("[image-latest]", "['*']"),
            ("exemption-unreadable", "deny", 6),
        ),
    ] {
        let grant = scratch.file("grant.yaml", text);
        let (code, report) = json(&scratch, &[&web, &grant], &[]);
        assert_eq!(about(&report), [expected], "{report}");
        assert_eq!(code, Some(1), "what it is for is denied");
        let remedy = report["findings"][0]["remedy"].as_str().expect("a remedy");
        assert!(!remedy.is_empty());
    }
    let grant = scratch.file("grant.yaml", exemption(&good));
    let closed = scratch.file("closed/tags.json", policy(false));
    let output = run(&[
        "check",
        "--output",
        "json",
        "--profile",
        "none",
        "--policies",
        &closed,
        &web,
        &grant,
    ]);
    let report: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(about(&report), [("exemption-not-exemptible", "warn", 5)]);
    assert_eq!(output.status.code(), Some(1));
    // With a document that cannot be read, nobody knows what is needed.
    let broken = scratch.file("broken.yaml", "a: [\n");
    let unused = scratch.file("grant.yaml", with("app: web", "app: api"));
    let (_, report) = json(&scratch, &[&broken, &unused], &[]);
    assert_eq!(about(&report), []);
}

#[test]
fn a_bad_exemption_beside_policies_is_one_line_with_place_and_remedy() {
    let scratch = Scratch::new();
    let web = scratch.file("web.yaml", deployment("web", "web"));
    let good = exemption(&from_now(3_600));
    for (text, says) in [
        (
            good.replace("  reason: the vendor tags nothing\n", ""),
            "missing field `reason`",
        ),
        (
            good.replace("reason: the vendor tags nothing", "reason: ''"),
            ":8:11: `spec.reason`: is empty: write why",
        ),
        (
            format!("{good}---\n{good}"),
            "a PolicyExemption `shop/legacy` is there already",
        ),
    ] {
        let grant = scratch.file("grant.yaml", text);
        let output = run(&["check", "--policies", &grant, &web]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn every_code_about_exemptions_is_explained() {
    for code in [
        "exemption-expired",
        "exemption-unused",
        "exemption-not-exemptible",
    ] {
        let output = run(&["explain", code]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(
            stdout(&output).contains("of a PolicyExemption"),
            "{}",
            stdout(&output)
        );
    }
}
