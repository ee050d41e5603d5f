//! A server of the test's own, and a client that speaks HTTP by hand.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::support::{Scratch, portcullis, run};

/// How long requests in flight have at the end.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// `portcullis serve`, ended when it is dropped.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) https: SocketAddr,
    pub(crate) plain: SocketAddr,
    /// The `serving` event.
    pub(crate) event: Value,
    pub(crate) scratch: Scratch,
    log: Arc<Mutex<String>>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Server {
        Server::start_in(Scratch::new(), arguments)
    }

    pub(crate) fn start_in(scratch: Scratch, arguments: &[&str]) -> Server {
        certificates(&scratch, "certs");
        Server::over_with(scratch, "certs", arguments)
    }

    /// Judging by the policies in the folder `p` of the scratch folder, and no
    /// others.
    pub(crate) fn judging(scratch: Scratch, more: &[&str]) -> Server {
        let folder = scratch.path().join("p").display().to_string();
        let policies = ["--profile", "none", "--policies", &folder];
        Server::start_in(scratch, &[&policies[..], more].concat())
    }

    /// With the certificates that are in this folder of the scratch folder.
    pub(crate) fn over(scratch: Scratch, folder: &str) -> Server {
        Server::over_with(scratch, folder, &[])
    }

    /// With at most so many bytes of address space.
    pub(crate) fn within(bytes: u64) -> Server {
        let scratch = Scratch::new();
        certificates(&scratch, "certs");
        let mut command = Command::new("prlimit");
        command.args([
            &format!("--as={bytes}"),
            env!("CARGO_BIN_EXE_portcullis"),
            "serve",
        ]);
        Server::run(scratch, "certs", command, &[])
    }

    fn over_with(scratch: Scratch, folder: &str, arguments: &[&str]) -> Server {
        Server::run(scratch, folder, portcullis(&["serve"]), arguments)
    }

    fn run(scratch: Scratch, folder: &str, mut serve: Command, arguments: &[&str]) -> Server {
        let certs = scratch.path().join(folder).display().to_string();
        let (cert, key) = (format!("{certs}/tls.crt"), format!("{certs}/tls.key"));
        serve.args(["--tls-cert", &cert, "--tls-key", &key]);
        serve.args(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
        serve
            .args(["--tls-poll", "50ms", "--drain-timeout"])
            .arg(format!("{}s", DRAIN_TIMEOUT.as_secs()))
            .args(arguments);
        let mut process = serve.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(process.stderr.take().expect("a log"));
        let event = serving(&mut lines);
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                kept.lock().expect("no panic").push_str(&(line + "\n"));
            }
        });
        let address = |name: &str| {
            event[name]
                .as_str()
                .expect("an address")
                .parse()
                .expect("one")
        };
        Server {
            https: address("https"),
            plain: address("plain"),
            process,
            event,
            scratch,
            log,
        }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    pub(crate) fn connect(&self) -> Connection {
        let tls = client(
            &[self.file("certs/ca.crt")],
            &rustls::version::TLS13,
            None,
            &[],
        );
        connect(self.https, tls).expect("a connection")
    }

    /// One review on a connection of its own; the answer's `response`.
    pub(crate) fn review(&self, path: &str, body: &[u8]) -> Value {
        let answer = self.connect().post(path, body);
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str::<Value>(&answer.body).expect("JSON")["response"].take()
    }

    /// A request to the plain listener.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let mut stream = BufReader::new(TcpStream::connect(self.plain).expect("the plain port"));
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.get_mut().write_all(head.as_bytes()).expect("sent");
        read_answer(&mut stream).expect("an answer")
    }

    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        let kill = Command::new("kill").args([name, &process]).status();
        assert!(kill.expect("kill").success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serving(lines: &mut impl BufRead) -> Value {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert_ne!(
            lines.read_line(&mut line).expect("UTF-8"),
            0,
            "it ended: {seen}"
        );
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        if event["message"] == "serving" {
            return event;
        }
        seen.push_str(&line);
    }
}

/// Makes certificates in a folder of the scratch folder.
pub(crate) fn certificates(scratch: &Scratch, folder: &str) -> String {
    let folder = scratch
        .path()
        .join(folder)
        .to_str()
        .expect("UTF-8")
        .to_owned();
    assert!(run(&["certs", &folder]).status.success());
    folder
}

/// Waits until `holds`, for at most ten seconds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "in ten seconds not: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn client(
    cas: &[PathBuf],
    version: &'static rustls::SupportedProtocolVersion,
    identity: Option<&str>,
    alpn: &[&str],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for ca in cas {
        roots
            .add(CertificateDer::from_pem_file(ca).expect("a CA"))
            .expect("a CA");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(folder) => {
            let chain = CertificateDer::from_pem_file(format!("{folder}/tls.crt")).expect("PEM");
            let key = PrivateKeyDer::from_pem_file(format!("{folder}/tls.key")).expect("PEM");
            builder
                .with_client_auth_cert(vec![chain], key)
                .expect("a pair")
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

pub(crate) struct Connection {
    pub(crate) stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

pub(crate) fn connect(address: SocketAddr, config: ClientConfig) -> std::io::Result<Connection> {
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(Arc::new(config), name).expect("a client");
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(tls, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(Connection {
        stream: BufReader::new(stream),
    })
}

impl Connection {
    pub(crate) fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.request("POST", path, "Content-Type: application/json\r\n", body)
    }

    pub(crate) fn request(&mut self, method: &str, path: &str, head: &str, body: &[u8]) -> Answer {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {length}\r\n\r\n"
        );
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes()).expect("sent");
        match stream.write_all(body).and_then(|()| stream.flush()) {
            Ok(()) => read_answer(&mut self.stream).expect("an answer"),
            // A body that is too large is refused before it is all sent.
            Err(_) => self.read_only(),
        }
    }

    /// The answer on a connection that takes no more: rustls would try to send
    /// the rest first.
    fn read_only(&mut self) -> Answer {
        let stream = self.stream.get_mut();
        let mut answer = Vec::new();
        while !matches!(stream.conn.read_tls(&mut stream.sock), Ok(0) | Err(_)) {
            stream.conn.process_new_packets().expect("TLS");
            // No more for now is an error of its own.
            let _ = stream.conn.reader().read_to_end(&mut answer);
        }
        read_answer(&mut &answer[..]).expect("an answer")
    }
}

pub(crate) fn read_answer(stream: &mut impl BufRead) -> std::io::Result<Answer> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = head[start..].trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    Ok(Answer {
        status,
        head,
        body: String::from_utf8(body).expect("UTF-8"),
    })
}
