//! The end: SIGTERM, and what is still in flight.

use std::io::{BufRead, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::pod;
use super::server::{DRAIN_TIMEOUT, Server, eventually, read_answer};

#[test]
fn a_drain_loses_no_request_and_tells_callers_to_go() {
    let mut server = Server::start(&["--drain-delay", "4s"]);
    let mut connection = server.connect();
    let first = connection.post("/validate/ignore", &pod("nginx:1.2.3"));
    assert!(
        !first
            .head
            .to_ascii_lowercase()
            .contains("connection: close"),
        "{}",
        first.head
    );
    server.signal("-TERM");
    eventually("not ready", || server.get("/readyz").status == 503);
    let second = connection.post("/validate/ignore", &pod("nginx:1.2.3"));
    assert!(
        second
            .head
            .to_ascii_lowercase()
            .contains("connection: close"),
        "{}",
        second.head
    );
    assert_eq!(
        server
            .connect()
            .post("/validate/ignore", &pod("nginx:1.2.3"))
            .status,
        200
    );
    assert_eq!(server.process.wait().expect("an end").code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = Server::start(&["--drain-delay", "60s"]);
    let started = Instant::now();
    server.signal("-TERM");
    eventually("draining", || server.get("/readyz").status == 503);
    server.signal("-TERM");
    assert_eq!(server.process.wait().expect("an end").code(), Some(143));
    assert!(started.elapsed().as_secs() < 10);
}

#[test]
fn a_request_in_flight_is_answered_after_the_last_connection_was_taken() {
    let mut server = Server::start(&["--drain-delay", "100ms"]);
    let mut connection = server.connect();
    let body = pod("nginx:latest");
    let head = format!(
        "POST /validate/ignore HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let stream = &mut connection.stream;
    stream.get_mut().write_all(head.as_bytes()).expect("sent");
    let mut line = String::new();
    stream.read_line(&mut line).expect("a line");
    assert!(line.contains("100"), "{line}");
    stream.read_line(&mut line).expect("an empty line");
    server.signal("-TERM");
    eventually("no further connection is taken", || {
        TcpStream::connect(server.https).is_err()
    });
    stream.get_mut().write_all(&body).expect("sent");
    let answer = read_answer(stream).expect("an answer");
    assert!(answer.body.contains("\"allowed\":false"), "{}", answer.body);
    assert!(
        answer
            .head
            .to_ascii_lowercase()
            .contains("connection: close"),
        "{}",
        answer.head
    );
    assert_eq!(server.process.wait().expect("an end").code(), Some(0));
}

#[test]
fn a_drain_does_not_wait_for_those_who_say_nothing() {
    let mut server = Server::start(&["--drain-delay", "100ms"]);
    let unused = server.connect();
    let mut used = server.connect();
    assert_eq!(used.post("/validate/fail", b"{}").status, 400);
    let silent = TcpStream::connect(server.https).expect("open");
    let started = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.process.wait().expect("an end").code(), Some(0));
    // Less than what requests in flight have.
    assert!(
        started.elapsed() < DRAIN_TIMEOUT * 4 / 5,
        "{:?}",
        started.elapsed()
    );
    drop((unused, used, silent));
}

#[test]
fn a_signal_right_after_the_start_drains() {
    for _ in 0..5 {
        let mut server = Server::start(&["--drain-delay", "0ms"]);
        server.signal("-TERM");
        assert_eq!(server.process.wait().expect("an end").code(), Some(0));
    }
}

#[test]
fn an_interrupt_drains_and_a_second_ends_with_its_own_code() {
    let mut server = Server::start(&["--drain-delay", "60s"]);
    server.signal("-INT");
    eventually("draining", || server.get("/readyz").status == 503);
    assert_eq!(server.get("/livez").status, 200);
    server.signal("-INT");
    assert_eq!(server.process.wait().expect("an end").code(), Some(130));
}
