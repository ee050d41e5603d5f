//! PolicyExemptions in files: `check`, `review`, `serve`.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::serve::{Server, eventually, pod};
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
fn people_read_by_what_and_until_when_it_is_exempted() {
    let scratch = Scratch::new();
    let until = from_now(3_600);
    let text = format!("{}---\n{}", deployment("web", "web"), exemption(&until));
    let file = scratch.file("all.yaml", text);
    let (code, said) = check(&scratch, &[&file], &[]);
    assert_eq!(code, Some(0), "{said}");
    let line = format!(
        "exempted by shop/legacy until {until}: 1 finding, 1 object: the vendor tags nothing"
    );
    assert!(said.contains(&line), "{said}");
    assert!(said.contains("     1 exempted tags/image-latest"), "{said}");
    let (_, said) = check(&scratch, &[&file], &["--show-audit"]);
    let line = format!("; exempted by `legacy` until {until}: the vendor tags nothing");
    assert!(
        said.contains("  exempted write a version") && said.contains(&line),
        "{said}"
    );
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
fn sarif_says_that_a_result_is_suppressed_and_why() {
    let scratch = Scratch::new();
    let until = from_now(3_600);
    let web = scratch.file("web.yaml", deployment("web", "web"));
    let api = scratch.file("api.yaml", deployment("api", "api"));
    let grant = scratch.file("grant.yaml", exemption(&until));
    let ended = exemption(&from_now(-60)).replace("name: legacy", "name: ended");
    let ended = scratch.file("ended.yaml", ended);
    let files = [web.as_str(), &api, &grant, &ended];
    let (_, text) = check(&scratch, &files, &["--output", "sarif"]);
    crate::reports::valid_sarif(&text);
    let log: Value = serde_json::from_str(&text).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let of = |code: &str, level: &str| {
        let mut found = results
            .iter()
            .filter(|one| one["ruleId"] == code && one["level"] == level);
        found
            .next()
            .unwrap_or_else(|| panic!("{code} {level}: {log}"))
    };
    let why = format!("the vendor tags nothing (until {until})");
    let suppressed = json!([{"kind": "external", "status": "accepted", "justification": why}]);
    assert_eq!(of("image-latest", "note")["suppressions"], suppressed);
    assert_eq!(of("image-latest", "error")["suppressions"], json!([]));
    let expired = of("exemption-expired", "warning");
    let rules = &log["runs"][0]["tool"]["driver"]["rules"];
    let index = expired["ruleIndex"].as_u64().expect("an index");
    assert_eq!(
        rules[usize::try_from(index).unwrap()]["id"],
        "exemption-expired"
    );
    let (_, text) = check(&scratch, &[&api], &["--output", "sarif"]);
    assert!(!text.contains("suppressions") && !text.contains("exemption-expired"));
}

#[test]
fn a_baseline_does_not_outlive_an_exemption() {
    let scratch = Scratch::new();
    let web = scratch.file("web.yaml", deployment("web", "web"));
    let grant = scratch.file("grant.yaml", exemption(&from_now(3_600)));
    let baseline = scratch.path().join("baseline.json").display().to_string();
    let (code, _) = check(&scratch, &[&web, &grant], &["--write-baseline", &baseline]);
    assert_eq!(code, Some(0));
    let (code, report) = json(&scratch, &[&web], &["--baseline", &baseline]);
    assert_eq!((code, &report["summary"]["denied"]), (Some(1), &json!(1)));
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

/// A review of a Deployment whose template has the label.
fn review(operation: &str) -> Value {
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "a", "image": "a:latest"}]}}}});
    let mut old = object.clone();
    old["spec"]["template"]["spec"]["containers"][0]["image"] = json!("a:1.2.3");
    let old = if operation == "UPDATE" {
        old
    } else {
        Value::Null
    };
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "u", "operation": operation, "namespace": "shop", "name": "web",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "userInfo": {"username": "dev"}, "dryRun": false, "object": object, "oldObject": old}})
}

#[test]
fn a_recorded_review_is_answered_as_exempted() {
    let scratch = Scratch::new();
    let policies = scratch.file("p/tags.json", policy(true));
    let folder = policies.trim_end_matches("/tags.json");
    let file = scratch.file("review.json", review("CREATE").to_string());
    let ask = || {
        let output = run(&["review", "--profile", "none", "--policies", folder, &file]);
        let answer: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        answer["response"].clone()
    };
    assert_eq!(ask()["allowed"], false);
    scratch.file("p/grant.yaml", exemption(&from_now(3_600)));
    let answer = ask();
    assert_eq!(
        (&answer["allowed"], answer.get("warnings")),
        (&json!(true), None)
    );
    let line = answer["auditAnnotations"]["tags"].as_str().expect("a line");
    assert!(line.ends_with("exempted by legacy"), "{line}");
}

#[test]
fn a_server_takes_exemptions_from_files_and_ends_each_at_its_time() {
    let scratch = Scratch::new();
    let policies = scratch.file("p/tags.json", policy(true));
    let grant = policies.replace("tags.json", "grant.yaml");
    let server = Server::judging(scratch, &["--policies-poll", "100ms"]);
    let allowed = |review: &Value| {
        server.review("/validate/fail", review.to_string().as_bytes())["allowed"] == true
    };
    let reviews = ["CREATE", "UPDATE"].map(review);
    assert!(reviews.iter().all(|review| !allowed(review)));
    // Written whole, as somebody who swaps files would.
    let write = |text: String| {
        let beside = format!("{grant}.new");
        std::fs::write(&beside, text).expect("a file");
        std::fs::rename(&beside, &grant).expect("swapped");
    };
    write(exemption(&from_now(8)));
    eventually("exempted", || reviews.iter().all(&allowed));
    let bare: Value = serde_json::from_slice(&pod("a:latest")).expect("JSON");
    assert!(!allowed(&bare), "it lacks the label");
    // Nothing is written any more; the verdicts are remembered.
    eventually("denied again", || {
        reviews.iter().all(|review| !allowed(review))
    });
    let metrics = server.get("/metrics").body;
    let count = "portcullis_exempted_findings_total{policy=\"tags\",namespace=\"shop\"} ";
    let line = metrics.lines().find(|line| line.starts_with(count));
    assert!(line.is_some(), "{metrics}");
    write(exemption(&from_now(3_600)));
    eventually("exempted", || reviews.iter().all(&allowed));
    std::fs::remove_file(&grant).expect("removed");
    eventually("denied again", || {
        reviews.iter().all(|review| !allowed(review))
    });
}
