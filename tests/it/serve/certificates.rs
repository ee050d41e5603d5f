//! What TLS is spoken, to whom, and with which certificate.

use std::path::PathBuf;

use super::server::{Server, certificates, client, connect, eventually};

#[test]
fn tls_1_2_and_1_3_are_spoken_and_http_1_1_is_agreed_on() {
    let server = Server::start(&[]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client(
            &[server.file("certs/ca.crt")],
            version,
            None,
            &["h2", "http/1.1"],
        );
        let connection = connect(server.https, config).expect("a connection");
        let stream = connection.stream.get_ref();
        assert_eq!(stream.conn.protocol_version(), Some(version.version));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[test]
fn http_2_is_offered_on_demand() {
    let server = Server::start(&["--http2"]);
    let ca = [server.file("certs/ca.crt")];
    let config = client(&ca, &rustls::version::TLS13, None, &["h2", "http/1.1"]);
    let connection = connect(server.https, config).expect("a connection");
    assert_eq!(
        connection.stream.get_ref().conn.alpn_protocol(),
        Some(&b"h2"[..])
    );
}

#[test]
fn strangers_are_refused_where_a_client_ca_is_given() {
    let scratch = crate::support::Scratch::new();
    let callers = certificates(&scratch, "callers");
    let ca = format!("{callers}/ca.crt");
    let server = Server::start_in(scratch, &["--client-ca", &ca]);
    let trusted = [server.file("certs/ca.crt")];
    let own = server.file("certs").display().to_string();
    let with = |identity| {
        connect(
            server.https,
            client(&trusted, &rustls::version::TLS12, identity, &[]),
        )
    };
    assert!(with(None).is_err());
    assert!(with(Some(&own)).is_err());
    let mut connection = with(Some(&callers)).expect("a caller that is known");
    assert_eq!(connection.post("/validate/fail", b"{}").status, 400);
}

/// Whether a new connection gets a certificate of this CA.
fn serves(server: &Server, ca: PathBuf) -> bool {
    connect(
        server.https,
        client(&[ca], &rustls::version::TLS13, None, &[]),
    )
    .is_ok()
}

#[test]
fn a_changed_certificate_is_taken_as_a_pair_or_not_at_all() {
    let server = Server::start(&[]);
    let next = certificates(&server.scratch, "next");
    let copy = |name: &str| {
        std::fs::copy(
            format!("{next}/{name}"),
            server.file(&format!("certs/{name}")),
        )
        .expect("copied");
    };
    // The key alone does not belong to the certificate: the old pair stays.
    copy("tls.key");
    let refused = "portcullis_certificate_reloads_total{reason=\"refused\"} 1";
    eventually("the pair is refused", || {
        server.get("/metrics").body.contains(refused)
    });
    assert!(serves(&server, server.file("certs/ca.crt")));
    copy("tls.crt");
    eventually("the new pair is served", || {
        serves(&server, server.file("next/ca.crt"))
    });
    assert!(
        server
            .get("/metrics")
            .body
            .contains("portcullis_certificate_reloads_total{reason=\"taken\"} 1")
    );
}

#[test]
fn a_certificate_swapped_by_symlink_is_seen() {
    let scratch = crate::support::Scratch::new();
    // As Kubernetes lays out a mounted Secret: files point into `..data`.
    let (first, second) = (
        certificates(&scratch, "first"),
        certificates(&scratch, "second"),
    );
    let mounted = scratch.path().join("certs");
    std::fs::create_dir(&mounted).expect("a folder");
    let link = |to: &str, name: &str| {
        let beside = mounted.join("..new");
        std::os::unix::fs::symlink(to, &beside).expect("a link");
        std::fs::rename(&beside, mounted.join(name)).expect("swapped");
    };
    link(&first, "..data");
    for name in ["tls.crt", "tls.key"] {
        link(&format!("..data/{name}"), name);
    }
    let server = Server::over(scratch, "certs");
    assert!(serves(&server, server.file("first/ca.crt")));
    let beside = server.file("certs/..new");
    std::os::unix::fs::symlink(&second, &beside).expect("a link");
    std::fs::rename(&beside, server.file("certs/..data")).expect("swapped");
    eventually("the new pair is served", || {
        serves(&server, server.file("second/ca.crt"))
    });
}
