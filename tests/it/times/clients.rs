//! Bad clients: what they get, what they cost, and that others do not notice.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::extent;
use super::traffic::{Caller, Target, quantile, response};
use crate::serve::{Connection, Server, client, connect, pod, read_answer};

const PATH: &str = "/validate/ignore";

fn target(server: &Server) -> Target {
    Target::new(server.https, &server.file("certs/ca.crt"))
}

/// What an honest client sees while nothing or something else goes on.
fn p99(caller: &mut Caller, requests: usize) -> Duration {
    let body = pod("nginx:1.2.3");
    let mut times: Vec<_> = (0..requests).map(|_| caller.timed(PATH, &body)).collect();
    quantile(&mut times, 0.99)
}

fn open(server: &Server) -> Connection {
    let ca = [server.file("certs/ca.crt")];
    connect(
        server.https,
        client(&ca, &rustls::version::TLS13, None, &[]),
    )
    .expect("open")
}

/// A connection that is half open, or stalls in its head or its body.
enum Stalled {
    Silent(TcpStream),
    Speaking(Box<Connection>),
}

fn stall(server: &Server, number: usize) -> Stalled {
    let text = match number % 20 {
        0 => "POST /validate/fail HTTP/1.1\r\nHost: x\r\nA: b",
        1 => {
            "POST /validate/fail HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
              Content-Length: 8388608\r\n\r\n{"
        }
        // Most do not even agree on TLS: each handshake costs us as much.
        2..10 => return Stalled::Silent(TcpStream::connect(server.https).expect("open")),
        _ => {
            let mut stream = TcpStream::connect(server.https).expect("open");
            // The start of a ClientHello that never ends.
            stream.write_all(&[0x16, 3, 1, 2, 0, 1]).expect("sent");
            return Stalled::Silent(stream);
        }
    };
    let mut connection = open(server);
    let stream = connection.stream.get_mut();
    stream.write_all(text.as_bytes()).expect("sent");
    stream.flush().expect("sent");
    Stalled::Speaking(Box::new(connection))
}

#[test]
fn a_thousand_connections_that_stall_are_not_noticed_by_others() {
    let server = Server::start(&[]);
    let mut honest = Caller::new(&target(&server));
    let requests = extent(400, 4_000);
    p99(&mut honest, requests);
    // The machine has its own bad moments: the best of some rounds is compared.
    let rounds = 4;
    let mut alone = Duration::MAX;
    let mut beside = Duration::MAX;
    for _ in 0..rounds {
        alone = alone.min(p99(&mut honest, requests));
        let stalled: Vec<_> = (0..1_000).map(|number| stall(&server, number)).collect();
        let open = server.get("/metrics").body;
        let open = open
            .lines()
            .find_map(|line| line.strip_prefix("portcullis_connections "));
        let open: usize = open.expect("a metric").parse().expect("a number");
        assert!(open > 900, "only {open} connections are open");
        beside = beside.min(p99(&mut honest, requests));
        assert_eq!(server.get("/livez").status, 200);
        for connection in stalled {
            match connection {
                Stalled::Silent(stream) => drop(stream),
                Stalled::Speaking(connection) => drop(connection),
            }
        }
    }
    println!("p99 alone {alone:?}, beside 1,000 stalled connections {beside:?}");
    // A fifth, and what a timer of the kernel is coarse by.
    assert!(
        beside <= alone * 6 / 5 + Duration::from_millis(1),
        "{alone:?} -> {beside:?}"
    );
}

#[test]
fn a_body_that_stalls_is_answered_within_its_time() {
    let server = Server::start(&[]);
    let Stalled::Speaking(mut connection) = stall(&server, 1) else {
        panic!("it speaks");
    };
    let started = Instant::now();
    let answer = read_answer(&mut connection.stream).expect("an answer");
    assert_eq!(answer.status, 408, "{}", answer.body);
    assert!(answer.body.contains("too slowly"), "{}", answer.body);
    let took = started.elapsed();
    assert!(
        took > Duration::from_secs(4) && took < Duration::from_secs(8),
        "{took:?}"
    );
}

#[test]
fn requests_in_one_write_are_answered_in_order() {
    let server = Server::start(&[]);
    let mut connection = open(&server);
    let count = 200;
    let mut requests = Vec::new();
    for number in 0..count {
        let body = String::from_utf8(pod("nginx:1.2.3")).expect("UTF-8");
        let body = body.replace("\"uid\":\"u\"", &format!("\"uid\":\"u{number}\""));
        let length = body.len();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        requests.extend_from_slice(head.as_bytes());
        requests.extend_from_slice(body.as_bytes());
    }
    connection
        .stream
        .get_mut()
        .write_all(&requests)
        .expect("sent");
    for number in 0..count {
        let answer = read_answer(&mut connection.stream).expect("an answer");
        assert_eq!(response(&answer)["uid"], format!("u{number}"));
    }
}

#[test]
fn a_flood_of_headers_is_refused() {
    let server = Server::start(&[]);
    let many: String = (0..100_000)
        .map(|number| format!("H{number}: x\r\n"))
        .collect();
    for (head, status) in [
        (many, 431),
        (format!("H: {}\r\n", "x".repeat(1 << 20)), 431),
    ] {
        let mut connection = open(&server);
        let text = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\n{head}\r\n");
        // It may close before all of it is sent; the answer is there anyway.
        let stream = connection.stream.get_mut();
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.conn.process_new_packets();
        while !matches!(stream.conn.read_tls(&mut stream.sock), Ok(0) | Err(_)) {
            stream.conn.process_new_packets().expect("TLS");
            let _ = stream.conn.reader().read_to_end(&mut answer);
        }
        let _ = stream.conn.reader().read_to_end(&mut answer);
        let answer = read_answer(&mut BufReader::new(&answer[..])).expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.head);
    }
    assert_eq!(server.review(PATH, &pod("nginx:1.2.3"))["allowed"], true);
}

#[test]
fn whatever_compression_is_claimed_the_body_is_not_read() {
    let server = Server::start(&[]);
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x"] {
        let head = format!("Content-Type: application/json\r\nContent-Encoding: {encoding}\r\n");
        let answer = open(&server).request("POST", PATH, &head, &pod("nginx:1.2.3"));
        assert_eq!(answer.status, 415, "{encoding}");
        assert!(answer.body.contains("compressed"), "{}", answer.body);
    }
    for kind in [
        "",
        "Content-Type: application/yaml\r\n",
        "Content-Type: multipart/form-data\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: \r\n",
    ] {
        let answer = open(&server).request("POST", PATH, kind, &pod("nginx:1.2.3"));
        assert_eq!(answer.status, 415, "{kind}");
        assert!(answer.body.contains("application/json"), "{}", answer.body);
    }
}

#[test]
fn each_member_that_is_missing_or_wrong_is_named() {
    let server = Server::start(&[]);
    let review: serde_json::Value = serde_json::from_slice(&pod("nginx:1.2.3")).expect("JSON");
    let mut caller = Caller::new(&target(&server));
    for (pointer, value, status, part) in [
        (
            "/apiVersion",
            json!("admission.k8s.io/v1beta1"),
            200,
            "v1beta1",
        ),
        ("/apiVersion", json!(null), 200, "admission.k8s.io/v1"),
        ("/apiVersion", json!(1), 200, "admission.k8s.io/v1"),
        ("/kind", json!("Pod"), 200, "AdmissionReview"),
        ("/kind", json!(null), 200, "AdmissionReview"),
        ("/request", json!(null), 400, "no `request`"),
        ("/request", json!([]), 400, "no `request`"),
        ("/request/uid", json!(null), 400, "`uid`"),
        ("/request/uid", json!(""), 400, "`uid`"),
        ("/request/uid", json!(7), 400, "`uid`"),
        (
            "/request/operation",
            json!("create"),
            200,
            "request.operation",
        ),
        ("/request/object", json!("x"), 200, "request.object"),
        ("/request/oldObject", json!([1]), 200, "request.oldObject"),
        ("/request/kind", json!("Pod"), 200, "request.kind"),
        ("/request/resource", json!(null), 200, "request.resource"),
    ] {
        let mut changed = review.clone();
        *changed.pointer_mut(pointer).expect("a member") = value.clone();
        let answer = caller.post("/validate/fail", changed.to_string().as_bytes());
        let answer = answer.expect("an answer");
        let place = format!("{pointer} = {value}: {}", answer.body);
        assert_eq!(answer.status, status, "{place}");
        assert!(answer.body.contains(part), "{place}");
        if status == 200 {
            assert_eq!(response(&answer)["allowed"], false, "{place}");
        }
    }
}
