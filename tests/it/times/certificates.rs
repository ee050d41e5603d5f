//! Certificates that are replaced while callers come and go.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use portcullis::certs::{Certificates, Pair, make};
use time::OffsetDateTime;

use super::extent;
use super::traffic::{Caller, End, Target};
use crate::serve::{Server, client, connect, eventually, pod};

/// Each with a CA of its own, so that a caller can tell which is served.
const GOOD: usize = 3;

fn made(days: i64) -> Certificates {
    let now = OffsetDateTime::now_utc() + time::Duration::days(days);
    make(&["localhost".to_owned()], now).expect("certificates")
}

/// Puts a file in place whole.
fn replace(folder: &Path, name: &str, text: &str) {
    let beside = folder.join("new");
    std::fs::write(&beside, text).expect("written");
    std::fs::rename(beside, folder.join(name)).expect("renamed");
}

/// The files of a server's pair, and the certificates that come and go.
struct Files {
    folder: PathBuf,
    good: Vec<Certificates>,
    bad: Vec<Pair>,
}

impl Files {
    fn new(server: &Server) -> Files {
        let good: Vec<_> = (0..GOOD).map(|_| made(0)).collect();
        for (number, made) in good.iter().enumerate() {
            server
                .scratch
                .file(&format!("ca{number}.crt"), &made.ca.certificate);
        }
        // The first of other years; certificates are valid for one.
        let mismatched = Pair {
            certificate: made(0).server.certificate,
            key: made(0).server.key,
        };
        let empty = Pair {
            certificate: String::new(),
            key: String::new(),
        };
        Files {
            folder: server.file("certs"),
            good,
            bad: vec![mismatched, empty, made(-10_000).server, made(10_000).server],
        }
    }

    fn rename(&self, pair: &Pair) {
        replace(&self.folder, "tls.crt", &pair.certificate);
        replace(&self.folder, "tls.key", &pair.key);
    }

    fn in_place(&self, pair: &Pair) {
        for (name, text) in [("tls.crt", &pair.certificate), ("tls.key", &pair.key)] {
            std::fs::write(self.folder.join(name), text).expect("written");
        }
    }

    /// The key long before the certificate: in between they do not match.
    fn key_first(&self, pair: &Pair) {
        replace(&self.folder, "tls.key", &pair.key);
        std::thread::sleep(Duration::from_millis(150));
        replace(&self.folder, "tls.crt", &pair.certificate);
    }

    /// As Kubernetes does: both at once, by one link.
    fn swap_link(&self, pair: &Pair, number: usize) {
        let name = format!("..v{number}");
        let data = self.folder.join(&name);
        std::fs::create_dir(&data).expect("a folder");
        replace(&data, "tls.crt", &pair.certificate);
        replace(&data, "tls.key", &pair.key);
        self.link(&name, "..data");
        for name in ["tls.crt", "tls.key"] {
            self.link(&format!("..data/{name}"), name);
        }
    }

    fn link(&self, to: &str, name: &str) {
        let beside = self.folder.join("..new");
        symlink(to, &beside).expect("a link");
        std::fs::rename(beside, self.folder.join(name)).expect("renamed");
    }
}

/// Whether a new connection gets a certificate of this CA.
fn serves(server: &Server, number: usize) -> bool {
    let ca = [server.file(&format!("ca{number}.crt"))];
    connect(
        server.https,
        client(&ca, &rustls::version::TLS13, None, &[]),
    )
    .is_ok()
}

fn refused(server: &Server) -> u32 {
    let name = "portcullis_certificate_reloads_total{reason=\"refused\"} ";
    let metrics = server.get("/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |count| count.parse().expect("a count"))
}

#[test]
fn certificates_swapped_in_every_way_fail_no_request() {
    let swaps: usize = extent(16, 100);
    let server = Server::start(&[]);
    let files = Files::new(&server);
    let mut cas: Vec<_> = (0..GOOD)
        .map(|number| server.file(&format!("ca{number}.crt")))
        .collect();
    cas.push(server.file("certs/ca.crt"));
    let target = Target {
        address: server.https,
        tls: client(&cas, &rustls::version::TLS13, None, &[]),
    };
    let (is_over, sent) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let end = End(&is_over);
        for keeps in [true, false] {
            let (target, is_over, sent) = (&target, &is_over, &sent);
            scope.spawn(move || {
                let mut caller = Caller::new(target);
                while !is_over.load(Ordering::Relaxed) {
                    caller.timed("/validate/ignore", &pod("nginx:1.2.3"));
                    sent.fetch_add(1, Ordering::Relaxed);
                    if !keeps {
                        caller = Caller::new(target);
                    }
                }
            });
        }
        let mut in_force = None;
        for number in 0..swaps {
            let next = number % GOOD;
            let pair = &files.good[next].server;
            match number % 8 {
                0 => files.rename(pair),
                1 => files.in_place(pair),
                2 => files.swap_link(pair, number),
                3 => files.key_first(pair),
                bad => {
                    let before = refused(&server);
                    files.rename(&files.bad[bad - 4]);
                    eventually("it is refused", || refused(&server) > before);
                    let still = in_force.expect("a good one came first");
                    assert!(serves(&server, still), "the old one stays");
                    continue;
                }
            }
            eventually("the new one is served", || serves(&server, next));
            in_force = Some(next);
        }
        drop(end);
    });
    let sent = sent.into_inner();
    println!("{swaps} swaps, {sent} requests");
    assert!(sent > 100, "only {sent} requests");
    let log = server.log();
    for part in [
        "does not belong to",
        "holds no",
        "has expired",
        "is not yet valid",
    ] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
}
