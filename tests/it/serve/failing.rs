//! Policies that fail, at load and while they judge, behind the real server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::pod;
use super::server::Server;
use crate::guests::text::{Guest, answer};
use crate::support::Scratch;

/// Writes a policy of this program's bytes; `more` joins its `spec`.
fn write(scratch: &Scratch, name: &str, program: &[u8], more: Value) {
    scratch.file(&format!("p/{name}.wasm"), program);
    let mut spec = json!({"program": {"file": format!("{name}.wasm")}});
    for (member, value) in more.as_object().expect("a map") {
        spec[member] = value.clone();
    }
    let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": name}, "spec": spec});
    scratch.file(&format!("p/{name}.json"), policy.to_string());
}

fn start(scratch: Scratch) -> Server {
    let folder = scratch.path().join("p").display().to_string();
    Server::start_in(
        scratch,
        &["--profile", "none", "--policies", &folder, "--threads", "1"],
    )
}

fn endless() -> Guest {
    Guest {
        evaluate: "(loop $l (br $l)) unreachable".into(),
        ..Guest::default()
    }
}

fn reading(path: &str) -> Vec<u8> {
    let guest = Guest::default().described(|d| d["reads"] = json!([path]));
    guest.component()
}

#[test]
fn each_policy_that_does_not_load_is_named_with_its_reason() {
    let scratch = Scratch::new();
    let mut large = Guest::default().component();
    large.resize(8 * 1024 * 1024 + 1, 0);
    let import = Guest {
        import: true,
        ..Guest::default()
    };
    let programs: [(&str, Vec<u8>, Value, &str); 9] = [
        ("good", reading("operation"), json!({}), "ready"),
        ("garbage", b"hello".to_vec(), json!({}), "no WebAssembly"),
        (
            "broken",
            b"\0asm\r\0\x01\0zz".to_vec(),
            json!({}),
            "malformed",
        ),
        (
            "module",
            b"\0asm\x01\0\0\0".to_vec(),
            json!({}),
            "core module",
        ),
        ("large", large, json!({}), "at most 8388608"),
        ("import", import.component(), json!({}), "wasi:clocks"),
        ("reads", reading("object.a[b"), json!({}), "object.a[b"),
        ("whole", reading("object"), json!({}), "grants: [values]"),
        (
            "granted",
            reading("object"),
            json!({"grants": ["values"]}),
            "ready",
        ),
    ];
    for (name, program, more, _) in &programs {
        write(&scratch, name, program, more.clone());
    }
    let server = start(scratch);
    let ready = server.get("/readyz?verbose");
    assert_eq!(ready.status, 200, "{}", ready.body);
    for (name, _, _, part) in &programs {
        let line = ready
            .body
            .lines()
            .find(|line| line.contains(&format!("]policy/{name}:")));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", ready.body));
        assert!(line.contains(part), "{line}");
    }
    let response = server.review("/validate/fail", &pod("nginx:1.2.3"));
    let message = response["status"]["message"].as_str().expect("a denial");
    for name in ["garbage", "module", "large", "reads", "whole"] {
        assert!(message.contains(&format!("`{name}`")), "{name}: {message}");
    }
    assert!(!message.contains("`good`"), "{message}");
}

#[test]
fn an_endless_guest_costs_its_deadline_and_is_answered_for_by_its_failure_policy() {
    let scratch = Scratch::new();
    write(&scratch, "closed", &endless().component(), json!({}));
    let ignored = json!({"failurePolicy": "Ignore"});
    write(&scratch, "open", &endless().component(), ignored);
    let server = start(scratch);
    let started = Instant::now();
    let denied = server.review("/validate/fail", &pod("nginx:1.2.3"));
    assert!(started.elapsed() < Duration::from_secs(1));
    assert_eq!(denied["allowed"], false);
    let message = denied["status"]["message"].as_str().expect("a message");
    assert!(
        message.contains("`closed`") && message.contains("deadline"),
        "{message}"
    );
    let allowed = server.review("/validate/ignore", &pod("nginx:1.2.3"));
    assert_eq!(allowed["allowed"], true);
    // The profile's policies warn of the Pod as well.
    let warning = allowed["warnings"].to_string();
    assert!(
        warning.contains("`open`") && warning.contains("deadline"),
        "{warning}"
    );
    let metrics = server.get("/metrics").body;
    let counted =
        "portcullis_policy_failures_total{policy=\"closed\",blame=\"guest\",cause=\"deadline\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn endless_guests_delay_neither_health_nor_the_callers_own_deadline() {
    let scratch = Scratch::new();
    let limits = json!({"limits": {"deadlineMilliseconds": 10_000}});
    write(&scratch, "closed", &endless().component(), limits);
    let server = start(scratch);
    std::thread::scope(|scope| {
        let caller = || {
            let mut connection = server.connect();
            let started = Instant::now();
            let answer = connection.post("/validate/fail?timeout=3s", &pod("nginx:1.2.3"));
            assert!(answer.body.contains("\"allowed\":false"), "{}", answer.body);
            assert!(started.elapsed() < Duration::from_secs(3));
        };
        let callers: Vec<_> = (0..6).map(|_| scope.spawn(caller)).collect();
        while callers.iter().any(|caller| !caller.is_finished()) {
            let started = Instant::now();
            assert_eq!(server.get("/livez").status, 200);
            // Not the seconds that its neighbours wait.
            assert!(started.elapsed() < Duration::from_secs(2));
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    // The one thread is free again for others.
    let response = server.review("/validate/ignore", &pod("nginx:1.2.3"));
    assert_eq!(response["allowed"], true);
    // What the profile's policies find of the Pod is no failure.
    let warnings = response["warnings"].to_string();
    assert!(!warnings.contains("deadline"), "{warnings}");
}

#[test]
fn what_a_guest_says_reaches_the_user_without_control_characters() {
    let scratch = Scratch::new();
    let text = "bad\u{1b}[31m\nthing";
    let findings =
        json!({"findings": [{"code": "c", "message": text, "remedy": text, "path": ""}]});
    let refusal = json!({"error": text});
    for (name, verdict) in [("finds", findings), ("refuses", refusal)] {
        let guest = Guest {
            answer: verdict.to_string(),
            evaluate: answer(),
            ..Guest::default()
        };
        write(&scratch, name, &guest.component(), json!({}));
    }
    let server = start(scratch);
    let response = server.review("/validate/fail", &pod("nginx:1.2.3"));
    let message = response["status"]["message"].as_str().expect("a message");
    assert!(message.contains("thing"), "{message}");
    let hostile = |c: char| c.is_control() && c != '\n';
    assert!(!message.chars().any(hostile), "{message:?}");
    assert!(!message.contains("\nthing"), "{message:?}");
}

#[test]
fn a_policy_that_hits_its_deadline_ten_times_in_a_row_is_suspended() {
    let scratch = Scratch::new();
    let limits = |extra: Value| {
        let mut spec = json!({"limits": {"deadlineMilliseconds": 200}});
        for (member, value) in extra.as_object().expect("a map") {
            spec[member] = value.clone();
        }
        spec
    };
    write(
        &scratch,
        "closed",
        &endless().component(),
        limits(json!({})),
    );
    let ignored = limits(json!({"failurePolicy": "Ignore"}));
    write(&scratch, "open", &endless().component(), ignored);
    let server = start(scratch);
    for _ in 0..10 {
        let denied = server.review("/validate/fail", &pod("nginx:1.2.3"));
        let message = denied["status"]["message"].as_str().expect("a message");
        assert!(message.contains("deadline and was stopped"), "{message}");
    }
    // Its failurePolicy answers at once.
    let denied = server.review("/validate/fail", &pod("nginx:1.2.3"));
    assert_eq!(denied["allowed"], false);
    let message = denied["status"]["message"].as_str().expect("a message");
    assert!(message.contains("10 times in a row"), "{message}");
    // The other is another policy, and is asked.
    let allowed = server.review("/validate/ignore", &pod("nginx:1.2.3"));
    let warnings = allowed["warnings"].to_string();
    assert!(
        warnings.contains("`open`") && warnings.contains("and was stopped"),
        "{warnings}"
    );
    let metrics = server.get("/metrics").body;
    for line in [
        "portcullis_policy_suspensions_total{policy=\"closed\"} 1",
        "portcullis_policy_failures_total{policy=\"closed\",blame=\"guest\",cause=\"suspended\"} 1",
        "portcullis_policy_failures_total{policy=\"closed\",blame=\"guest\",cause=\"deadline\"} 10",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(
        !metrics.contains("suspensions_total{policy=\"open\"}"),
        "{metrics}"
    );
}
