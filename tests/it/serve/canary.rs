//! Nothing of an object reaches the log, at any level, of any library.

use serde_json::json;

use super::http::{connect_h2, post_h2};
use super::server::{Server, eventually};
use super::{body, pod};

const CANARY: &str = "cnry7hunter2";

fn secret() -> Vec<u8> {
    let request = json!({
        "uid": "u", "operation": "CREATE", "namespace": "shop", "name": "db",
        "kind": {"group": "", "version": "v1", "kind": "Secret"},
        "resource": {"group": "", "version": "v1", "resource": "secrets"},
        "userInfo": {"username": "dev"}, "dryRun": true, "oldObject": null,
        "object": {"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "db", "annotations": {"a": CANARY}},
            "data": {"password": CANARY}, "stringData": {CANARY: CANARY}},
    });
    body(&request.to_string()).into_bytes()
}

/// Bodies that are judged, refused, or no review at all.
fn bodies() -> Vec<Vec<u8>> {
    let text = |text: String| text.into_bytes();
    let complete = String::from_utf8(pod(CANARY)).expect("UTF-8");
    vec![
        secret(),
        pod(&format!("{CANARY}:latest")),
        text(complete.replace("\"spec\":{", &format!("\"{CANARY}\":1,\"spec\":{{"))),
        text(complete.replace("{\"image\"", &format!("\"{CANARY}\",{{\"image\""))),
        text(body(&format!(r#"{{"uid":"u","operation":"{CANARY}"}}"#))),
        text(body(&format!(r#"{{"uid":"u","object":"{CANARY}\ud800"}}"#))),
        text(format!(r#"{{"request":{{"uid":1,"{CANARY}":2}}}}"#)),
        text(CANARY.to_owned()),
        text(format!("{{\"{CANARY}\":")),
    ]
}

#[test]
fn nothing_of_a_body_is_logged_at_any_level() {
    let server = Server::start(&["--log", "trace", "--http2"]);
    let bearer = format!(
        "Content-Type: application/json\r\nAuthorization: Bearer {CANARY}\r\nX-Canary: {CANARY}\r\n"
    );
    for body in bodies() {
        for path in ["/validate/ignore", "/validate/fail", "/mutate/ignore"] {
            server.connect().request("POST", path, &bearer, &body);
            post_h2(&mut connect_h2(&server), path, &body);
        }
    }
    // What is logged last was written after all else.
    server.review("/validate/ignore", &pod("end-of-test:latest"));
    server.signal("-TERM");
    eventually("all is logged", || server.log().contains("\"draining\""));
    let log = server.log();
    assert!(
        log.contains("\"kind\":\"Secret\""),
        "a trace of the decisions"
    );
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(CANARY)).collect();
    assert!(
        lines.is_empty(),
        "{} lines, {:?}",
        lines.len(),
        &lines[..lines.len().min(3)]
    );
}
