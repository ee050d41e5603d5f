//! Connections that are slow, half-open or idle: the library's server, with
//! short limits.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::server::{Call, Health, Judge, Options, Reply, Server, Source};
use portcullis::telemetry::Metrics;

use super::server::{certificates, client, connect};
use crate::support::Scratch;

/// Answers with the length of the body.
struct Echo;

impl Judge for Echo {
    async fn judge(&self, call: Call) -> Reply {
        Reply {
            status: 200,
            body: call.body.len().to_string().into_bytes(),
        }
    }

    fn health(&self) -> Vec<Health> {
        vec![]
    }
}

const HEADER_TIMEOUT: Duration = Duration::from_millis(500);

/// The address of a server that lives as long as the test's runtime.
fn serve(scratch: &Scratch, runtime: &tokio::runtime::Runtime) -> SocketAddr {
    let certs = certificates(scratch, "certs");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let source = Source::Files {
        cert: format!("{certs}/tls.crt").into(),
        key: format!("{certs}/tls.key").into(),
    };
    let options = Options {
        header_timeout: HEADER_TIMEOUT,
        max_connections: 4,
        ..Options::new(any, any, source)
    };
    runtime.block_on(async {
        let server = Server::bind(options, Arc::new(Metrics::default()))
            .await
            .expect("bound");
        let (https, _) = server.addresses().expect("addresses");
        tokio::spawn(server.run(Arc::new(Echo), std::future::pending()));
        https
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Waits until the other side closes; fails after two seconds.
fn closed(mut stream: impl Read) -> bool {
    let started = Instant::now();
    let mut byte = [0];
    loop {
        match stream.read(&mut byte) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
        if started.elapsed() > Duration::from_secs(2) {
            return false;
        }
    }
}

#[test]
fn an_idle_connection_is_kept_and_a_slow_head_is_not() {
    let (scratch, runtime) = (Scratch::new(), runtime());
    let https = serve(&scratch, &runtime);
    let trusted = [scratch.path().join("certs/ca.crt")];
    let open =
        || connect(https, client(&trusted, &rustls::version::TLS13, None, &[])).expect("open");
    let mut idle = open();
    for _ in 0..3 {
        assert_eq!(idle.post("/validate/fail", b"{}").body, "2");
        let until = Instant::now() + 2 * HEADER_TIMEOUT;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let mut slow = open();
    slow.stream
        .get_mut()
        .write_all(b"POST /validate/fail HTTP/1.1\r\nHost: x\r\n")
        .expect("sent");
    slow.stream.get_mut().flush().expect("sent");
    slow.stream
        .get_ref()
        .sock
        .set_read_timeout(Some(Duration::from_secs(2)))
        .expect("set");
    assert!(closed(&mut slow.stream));
}

#[test]
fn half_open_connections_make_room_again() {
    let (scratch, runtime) = (Scratch::new(), runtime());
    let https = serve(&scratch, &runtime);
    // More than there is room for, and none of them ever says a word.
    let silent: Vec<_> = (0..8)
        .map(|_| TcpStream::connect(https).expect("open"))
        .collect();
    let trusted = [scratch.path().join("certs/ca.crt")];
    let mut honest =
        connect(https, client(&trusted, &rustls::version::TLS13, None, &[])).expect("open");
    assert_eq!(honest.post("/validate/fail", b"{}").status, 200);
    drop(silent);
}
