//! `review` and `serve`.

use serde_json::{Value, json};

use super::{exemption, from_now, policy};
use crate::serve::{Server, eventually, pod};
use crate::support::{Scratch, run, stdout};

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
