//! `portcullis serve`: a real client on loopback.

mod canary;
mod certificates;
mod cluster;
mod connections;
mod defaults;
mod drain;
mod failing;
mod http;
mod remembered;
mod server;
mod start;

use serde_json::{Value, json};

use crate::support::{Scratch, portcullis, root, run, stderr, stdout};
pub(crate) use server::{Answer, Connection, Server, client, connect, eventually, read_answer};

fn recorded(name: &str) -> Vec<u8> {
    std::fs::read(root().join("tests/data/reviews").join(name)).expect("a review")
}

fn body(request: &str) -> String {
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{request}}}"#
    )
}

/// A review of a Pod with this image.
pub(crate) fn pod(image: &str) -> Vec<u8> {
    let request = json!({
        "uid": "u", "operation": "CREATE", "namespace": "shop", "name": "web",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "userInfo": {"username": "dev"}, "dryRun": false, "oldObject": null,
        "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
            "spec": {"containers": [{"name": "web", "image": image}]}},
    });
    body(&request.to_string()).into_bytes()
}

#[test]
fn a_review_is_answered_over_tls_as_offline() {
    let server = Server::start(&[]);
    for file in [
        "deployment-create-apply.json",
        "pod-delete.json",
        "configmap-create-apply.json",
    ] {
        let offline = run(&["review", &format!("tests/data/reviews/{file}")]);
        let offline: Value = serde_json::from_str(&stdout(&offline)).expect("JSON");
        assert_eq!(
            server.review("/validate/ignore", &recorded(file)),
            offline["response"]
        );
    }
}

#[test]
fn a_denial_reads_as_kubectl_prints_it_in_full() {
    let server = Server::start(&[]);
    let response = server.review("/validate/ignore?timeout=5s", &pod("nginx:latest"));
    assert_eq!(response["allowed"], false);
    assert_eq!(response["status"]["code"], 403);
    assert_eq!(response["status"]["reason"], "Forbidden");
    let message = response["status"]["message"].as_str().expect("a message");
    assert!(
        message.starts_with("write a version instead of `latest`"),
        "{message}"
    );
    assert!(
        message.ends_with("(container `web`, spec.containers[0].image) [image-tags/image-latest]")
    );
    // The policy's entry is the one of failurePolicy Ignore.
    assert_eq!(
        server.review("/validate/fail", &pod("nginx:latest"))["allowed"],
        true
    );
}

#[test]
fn whatever_has_a_uid_is_answered_inside_the_protocol() {
    let server = Server::start(&[]);
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let complete = String::from_utf8(pod("nginx:1.2.3")).expect("UTF-8");
    for (text, part) in [
        (
            complete.replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
            "admissionReviewVersions",
        ),
        (
            complete.replace("AdmissionReview", "Review"),
            "AdmissionReview",
        ),
        (
            body(&format!(r#"{{"uid":"u","object":{{"a":{deep}}}}}"#)),
            "nested deeper than 128",
        ),
        (
            body(r#"{"uid":"u","object":{"a":"\ud800"}}"#),
            "no valid JSON",
        ),
        (body(r#"{"uid":"u"}"#), "`request.operation`"),
        (complete[..complete.len() - 20].to_owned(), "ends too early"),
        (format!("{complete}}}"), "no valid JSON"),
        (
            complete.replace("\"CREATE\"", "\"MAKE\""),
            "`request.operation`",
        ),
    ] {
        let response = server.review("/validate/fail", text.as_bytes());
        assert_eq!(
            (&response["uid"], &response["allowed"]),
            (&json!("u"), &json!(false))
        );
        let message = response["status"]["message"].as_str().expect("a message");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn whatever_is_no_review_gets_its_http_status() {
    let server = Server::start(&[]);
    let json = "Content-Type: application/json\r\n";
    let large = vec![b' '; 8 * 1024 * 1024 + 1];
    for (method, path, head, body, status) in [
        ("POST", "/validate/fail", json, &b"{}"[..], 400),
        (
            "POST",
            "/validate/fail",
            json,
            b"{\"request\":{\"uid\":\"",
            400,
        ),
        ("POST", "/validate/fail", json, &large, 413),
        (
            "POST",
            "/validate/fail",
            "Content-Type: text/plain\r\n",
            b"{}",
            415,
        ),
        (
            "POST",
            "/validate/fail",
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            b"{}",
            415,
        ),
        ("POST", "/validate/other", json, b"{}", 404),
        ("POST", "/", json, b"{}", 404),
        ("GET", "/validate/fail", "", b"", 405),
    ] {
        let answer = server.connect().request(method, path, head, body);
        assert_eq!(
            answer.status, status,
            "{method} {path} {head}: {}",
            answer.body
        );
        assert_eq!(answer.body.lines().count(), 1, "{}", answer.body);
    }
}

#[test]
fn a_connection_serves_many_requests() {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    for _ in 0..50 {
        assert_eq!(
            connection
                .post("/validate/ignore", &pod("nginx:1.2.3"))
                .status,
            200
        );
    }
}

#[test]
fn health_and_metrics_tell_what_is_in_force() {
    let scratch = Scratch::new();
    let policy = |name: &str, failure: &str| {
        json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy", "metadata": {"name": name},
            "spec": {"program": {"builtin": "image-tags"}, "settings": {"precision": "exact"},
                "failurePolicy": failure}})
    };
    let closed = scratch.file("p/closed.json", policy("closed", "Fail").to_string());
    scratch.file("p/open.json", policy("open", "Ignore").to_string());
    let folder = closed.trim_end_matches("/closed.json").to_owned();
    let server = Server::start_in(scratch, &["--policies", &folder]);
    let ready = server.get("/readyz?verbose");
    assert_eq!(ready.status, 200, "{}", ready.body);
    assert!(
        ready.body.contains("[+]policy/image-tags: ready"),
        "{}",
        ready.body
    );
    assert!(
        ready
            .body
            .contains("[+]policy/closed: failed, answers by failurePolicy Fail"),
        "{}",
        ready.body
    );
    assert!(ready.body.contains("settings.precision"), "{}", ready.body);
    let denied = server.review("/validate/fail", &pod("nginx:1.2.3"));
    assert_eq!(denied["allowed"], false, "{denied}");
    let allowed = server.review("/validate/ignore", &pod("nginx:1.2.3"));
    assert_eq!(allowed["allowed"], true);
    let warnings = allowed["warnings"].to_string();
    assert!(warnings.contains("policy `open` could not"), "{warnings}");
    let metrics = server.get("/metrics").body;
    for line in [
        "# HELP portcullis_requests ",
        "portcullis_policies{state=\"failed\"} 2",
        "portcullis_policy_failures_total{policy=\"closed\",blame=\"guest\",cause=\"settings\"} 1",
        "portcullis_requests_total{phase=\"validate\",failure_policy=\"Fail\",decision=\"denied\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn a_decision_is_one_event_without_any_value() {
    let server = Server::start(&[
        "--log",
        "portcullis=trace,axum=trace,hyper=trace,rustls=trace,tokio=trace,serde=trace",
    ]);
    let canary = "cnry7hunter2";
    let secret = String::from_utf8(pod(&format!("{canary}:latest"))).expect("UTF-8");
    server.review("/validate/ignore", secret.as_bytes());
    eventually("the decision is logged", || {
        server.log().contains("\"decision\"")
    });
    let log = server.log();
    assert!(!log.contains(canary), "{log}");
    let event = log
        .lines()
        .find(|line| line.contains("\"decision\""))
        .expect("an event");
    let event: Value = serde_json::from_str(event).expect("JSON");
    for (member, value) in [
        ("uid", json!("u")),
        ("user", json!("dev")),
        ("operation", json!("CREATE")),
        ("dry_run", json!(false)),
        ("kind", json!("Pod")),
        ("namespace", json!("shop")),
        ("name", json!("web")),
        ("verdict", json!("denied")),
    ] {
        assert_eq!(event[member], value, "{member} in {event}");
    }
    let codes = event["codes"].as_str().expect("codes");
    assert!(
        codes
            .split(' ')
            .any(|code| code == "image-tags/image-latest"),
        "{event}"
    );
    assert!(event["micros"].as_u64().is_some(), "{event}");
}

#[test]
fn what_keeps_it_from_starting_is_one_line() {
    let scratch = Scratch::new();
    let certs = server::certificates(&scratch, "a");
    let other = server::certificates(&scratch, "b");
    let (cert, key) = (format!("{certs}/tls.crt"), format!("{certs}/tls.key"));
    let foreign = format!("{other}/tls.key");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    for (cert, key, listen, part) in [
        (
            "/nowhere",
            key.as_str(),
            "127.0.0.1:0",
            "/nowhere cannot be read",
        ),
        (
            &cert,
            &cert,
            "127.0.0.1:0",
            "holds no private key in PEM form",
        ),
        (
            &key,
            &key,
            "127.0.0.1:0",
            "holds no certificate in PEM form",
        ),
        (
            &cert,
            &foreign,
            "127.0.0.1:0",
            "does not belong to the certificate",
        ),
        (&cert, &key, &taken, "name another with `--listen`"),
    ] {
        let mut serve = portcullis(&[
            "serve",
            "--tls-cert",
            cert,
            "--tls-key",
            key,
            "--listen",
            listen,
        ]);
        let output = serve
            .args(["--metrics-listen", "127.0.0.1:0", "--log", "off"])
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(2), "{part}");
        let said = stderr(&output);
        assert!(said.contains(part) && said.lines().count() == 1, "{said}");
    }
}
