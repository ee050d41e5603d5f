//! The verdict cache behind the real server: by metrics.

use serde_json::{Value, json};

use super::pod;
use super::server::Server;
use crate::support::{Scratch, run, stderr};

/// Sends three Pods of one template; gives hits and misses.
fn three_replicas(server: &Server) -> (String, String) {
    let mut review: Value = serde_json::from_slice(&pod("nginx:1.27.3")).expect("JSON");
    let mut answers = Vec::new();
    for name in ["web-a", "web-b", "web-c"] {
        review["request"]["name"] = json!(name);
        review["request"]["object"]["metadata"]["name"] = json!(name);
        answers.push(server.review("/validate/fail", review.to_string().as_bytes()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let metrics = server.get("/metrics").body;
    let value = |name: &str| {
        let start = format!("portcullis_verdict_cache_{name}_total ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
            .to_owned()
    };
    (value("hits"), value("misses"))
}

/// A server with one policy, which reads no names.
fn serve(more: &[&str]) -> Server {
    let scratch = Scratch::new();
    let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "image-tags"},
        "spec": {"program": {"builtin": "image-tags"}, "failurePolicy": "Fail"}});
    let file = scratch.file("image-tags.json", policy.to_string());
    let own = ["--profile", "none", "--policies", &file];
    Server::start_in(scratch, &[&own[..], more].concat())
}

#[test]
fn replicas_of_one_template_are_judged_once() {
    let (hits, misses) = three_replicas(&serve(&[]));
    let (hits, misses): (u64, u64) = (hits.parse().expect("one"), misses.parse().expect("one"));
    assert!(misses > 0);
    assert_eq!(hits, 2 * misses);
}

#[test]
fn the_cache_can_be_switched_off() {
    let server = serve(&["--verdict-cache", "off"]);
    assert_eq!(three_replicas(&server), ("0".to_owned(), "0".to_owned()));
}

#[test]
fn a_size_without_a_unit_is_refused_with_the_remedy() {
    for size in ["8", "8MB", "1KiB", "-1MiB", "99999999999GiB"] {
        let size = format!("--verdict-cache={size}");
        let output = run(&["serve", &size, "--tls-cert", "c", "--tls-key", "k"]);
        assert_eq!(output.status.code(), Some(2), "{size}");
        let said = stderr(&output);
        assert!(
            said.contains("write a") || said.contains("write 64KiB"),
            "{size}: {said}"
        );
    }
}
