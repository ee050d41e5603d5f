//! HTTP at its edges: sizes, chunks, HTTP/2.

use std::io::{Read, Write};

use super::server::{Connection, Server, client, connect, read_answer};
use super::{pod, recorded};
use crate::support::{root, run, stdout};
use serde_json::Value;

#[test]
fn every_recorded_review_is_answered_over_tls_as_offline() {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("tests/data/reviews")).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_str().expect("UTF-8");
        let file = format!("tests/data/reviews/{name}");
        let (path, offline) = if name.starts_with("mutating-") {
            ("/mutate/ignore", run(&["review", "--mutate", &file]))
        } else {
            ("/validate/ignore", run(&["review", &file]))
        };
        let answer = connection.post(path, &recorded(name));
        let online: Value = serde_json::from_str(&answer.body).expect("JSON");
        let offline: Value = serde_json::from_str(&stdout(&offline)).expect("JSON");
        assert_eq!(online, offline, "{name}");
        count += 1;
    }
    assert_eq!(count, 24);
}

#[test]
fn a_body_of_8_mib_is_read_and_a_longer_one_gets_its_answer() {
    let server = Server::start(&[]);
    let mut body = pod("nginx:latest");
    body.resize(8 * 1024 * 1024, b' ');
    assert_eq!(server.review("/validate/ignore", &body)["allowed"], false);
    // Longer than what sockets hold: the answer comes while it is sent.
    body.resize(32 * 1024 * 1024, b' ');
    let answer = server.connect().post("/validate/ignore", &body);
    assert_eq!(answer.status, 413, "{}", answer.body);
}

#[test]
fn a_body_in_chunks_is_read() {
    let server = Server::start(&[]);
    let mut connection = server.connect();
    let stream = connection.stream.get_mut();
    let head = "POST /validate/ignore HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                Content-Type: application/json; charset=utf-8\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    for chunk in pod("nginx:latest").chunks(100) {
        let size = format!("{:x}\r\n", chunk.len());
        let parts = [size.as_bytes(), chunk, b"\r\n"].concat();
        stream.write_all(&parts).expect("sent");
    }
    stream.write_all(b"0\r\n\r\n").expect("sent");
    let answer = read_answer(&mut connection.stream).expect("an answer");
    assert!(answer.body.contains("\"allowed\":false"), "{}", answer.body);
}

#[test]
fn every_method_and_path_of_others_gets_one_line() {
    let server = Server::start(&[]);
    for (method, path, status) in [
        ("PUT", "/mutate/ignore", 405),
        ("DELETE", "/validate/fail", 405),
        ("GET", "/", 404),
        ("POST", "/validate", 404),
        ("POST", "/validate/fail/", 404),
        ("POST", "/validate/fail/more", 404),
        ("POST", "/VALIDATE/fail", 404),
        ("POST", "/livez", 404),
        ("GET", "/metrics", 404),
    ] {
        let head = "Content-Type: application/json\r\n";
        let answer = server.connect().request(method, path, head, b"");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert_eq!(answer.body.lines().count(), 1, "{method} {path}");
    }
    assert_eq!(server.get("/validate/fail").status, 404);
}

/// One frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let head = [kind, flags, 0, 0, 0, stream];
    [&length[..], &head, payload].concat()
}

/// `:method POST`, `:scheme https`, then literals: path, authority, type.
fn block(path: &str) -> Vec<u8> {
    let mut block = vec![0x83, 0x87];
    for (name, value) in [
        (&[0x04][..], path),
        (&[0x01], "localhost"),
        (&[0x0f, 0x10], "application/json"),
    ] {
        block.extend_from_slice(name);
        block.push(u8::try_from(value.len()).expect("short"));
        block.extend_from_slice(value.as_bytes());
    }
    block
}

/// A POST over HTTP/2 on a connection that agreed on it: whether the status
/// is 200, and the body.
pub(super) fn post_h2(connection: &mut Connection, path: &str, body: &[u8]) -> (bool, String) {
    let request = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(4, 0, 0, &[]),
        frame(1, 4, 1, &block(path)),
        frame(0, 1, 1, body),
    ];
    let stream = &mut connection.stream;
    stream.get_mut().write_all(&request.concat()).expect("sent");
    let (mut is_ok, mut answer) = (false, Vec::new());
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).expect("its payload");
        match head[3] {
            // 0x88 is `:status 200` of the static table.
            1 => is_ok = payload.first() == Some(&0x88),
            0 => answer.extend_from_slice(&payload),
            3 | 7 => panic!("reset: {payload:?}"),
            _ => continue,
        }
        if head[4] & 1 == 1 {
            return (is_ok, String::from_utf8(answer).expect("UTF-8"));
        }
    }
}

/// A connection on which HTTP/2 was agreed.
pub(super) fn connect_h2(server: &Server) -> Connection {
    let ca = [server.file("certs/ca.crt")];
    let config = client(&ca, &rustls::version::TLS13, None, &["h2"]);
    connect(server.https, config).expect("a connection")
}

#[test]
fn a_review_is_answered_over_http_2_as_over_http_1() {
    let server = Server::start(&["--http2"]);
    let review = pod("nginx:latest");
    let (is_ok, body) = post_h2(&mut connect_h2(&server), "/validate/ignore", &review);
    assert!(is_ok, "{body}");
    let first = server.connect().post("/validate/ignore", &review);
    assert_eq!(body, first.body);
}

#[test]
fn http_2_is_not_spoken_unasked() {
    let server = Server::start(&[]);
    let ca = [server.file("certs/ca.crt")];
    let config = client(&ca, &rustls::version::TLS13, None, &["h2"]);
    let refused = connect(server.https, config).map(|_| ());
    refused.expect_err("no protocol in common");
}
