//! Requests of every kind for a long time, with reloads and swaps: nothing grows.
//!
//! `PORTCULLIS_SOAK` is the number of requests (`cargo xtask test --soak N`).

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portcullis::certs::make;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::extent;
use super::policies::{document, program, replace};
use super::traffic::{Caller, End, Target, kibibytes};
use crate::serve::{Server, client, eventually, pod};
use crate::support::Scratch;

const CALLERS: u64 = 4;
/// Requests of a caller on one connection.
const KEPT: u64 = 500;
/// How often policies are replaced, and the certificate.
const CHANGE: Duration = Duration::from_millis(500);
/// What memory may grow in a million requests, in KiB (issue 5).
const SLOPE: f64 = 1024.0;
/// How many standard errors a slope must stand above `SLOPE` to be one:
/// resident memory goes up and down by itself, and a short run shows less.
const SURE: f64 = 4.0;
const WINDOWS: usize = 20;

fn requests() -> u64 {
    let asked = std::env::var("PORTCULLIS_SOAK").ok();
    asked.map_or_else(
        || extent(200_000, 1_000_000),
        |text| text.parse().expect("PORTCULLIS_SOAK is a number"),
    )
}

/// What is sent: a Pod that differs each time, one that is large, one that is
/// denied, a body that is no review, one that ends too early.
fn body(number: u64) -> (&'static str, Vec<u8>, u16) {
    let image = format!("registry.example.com/web:1.{number}");
    match number % 8 {
        0 => ("/validate/fail", b"{\"kind\": 1}".to_vec(), 400),
        1 => ("/validate/fail", pod(&image)[..100].to_vec(), 400),
        2 => ("/validate/fail", pod("nginx:latest"), 200),
        3 => ("/mutate/fail", pod(&image), 200),
        4 => ("/validate/fail", large(&image), 200),
        5 => ("/elsewhere", pod(&image), 404),
        _ => ("/validate/fail", pod(&image), 200),
    }
}

fn large(image: &str) -> Vec<u8> {
    let mut review: Value = serde_json::from_slice(&pod(image)).expect("JSON");
    let notes = "n".repeat(60_000);
    review["request"]["object"]["metadata"]["annotations"] = json!({"notes": notes});
    review.to_string().into_bytes()
}

fn send(target: &Target, sent: &AtomicU64, most: u64) {
    let mut caller = Caller::new(target);
    loop {
        let number = sent.fetch_add(1, Ordering::Relaxed);
        if number >= most {
            return;
        }
        if number.is_multiple_of(KEPT) {
            caller = Caller::new(target);
        }
        let (path, body, status) = body(number);
        let answer = caller.post(path, &body).expect("an answer");
        assert_eq!(answer.status, status, "{}", answer.body);
    }
}

/// Replaces the policy and the certificate in turns, until it is over.
fn change(server: &Server, pairs: &[portcullis::certs::Certificates], is_over: &AtomicBool) -> u32 {
    let mut changes = 0;
    while !is_over.load(Ordering::Relaxed) {
        std::thread::sleep(CHANGE);
        changes += 1;
        if changes % 2 == 0 {
            let bytes = program(1 + changes % 3);
            replace(&server.file("p"), "one.wasm", bytes);
        } else {
            let pair = &pairs[usize::try_from(changes).expect("few") / 2 % pairs.len()].server;
            let folder = server.file("certs");
            replace(&folder, "tls.key", &pair.key);
            replace(&folder, "tls.crt", &pair.certificate);
        }
    }
    changes
}

/// A line through samples of memory by requests that were answered.
struct Trend {
    /// KiB that a million requests add.
    slope: f64,
    /// The slope's standard error.
    error: f64,
}

/// The line with the least squares.
fn trend(samples: &[(f64, f64)]) -> Trend {
    let count = f64::from(u32::try_from(samples.len()).expect("few"));
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|sample| sample.0), mean(|sample| sample.1));
    let both: f64 = samples.iter().map(|s| (s.0 - x) * (s.1 - y)).sum();
    let square: f64 = samples.iter().map(|s| (s.0 - x).powi(2)).sum();
    let slope = both / square;
    let beside = |s: &(f64, f64)| (s.1 - y - slope * (s.0 - x)).powi(2);
    let left: f64 = samples.iter().map(beside).sum();
    Trend {
        slope: slope * 1e6,
        error: (left / (count - 2.0) / square).sqrt() * 1e6,
    }
}

/// The least memory of each window of samples: what a reload needs for a
/// moment comes and goes.
fn floors(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let window = samples.len().div_ceil(WINDOWS);
    let least = |window: &[(f64, f64)]| {
        let by_memory = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
        *window.iter().min_by(by_memory).expect("samples")
    };
    samples.chunks(window).map(least).collect()
}

fn entries(process: u32, folder: &str) -> usize {
    let path = format!("/proc/{process}/{folder}");
    std::fs::read_dir(Path::new(&path)).expect("Linux").count()
}

fn serve() -> (Server, Vec<portcullis::certs::Certificates>, Target) {
    let scratch = Scratch::new();
    scratch.file("p/one.wasm", program(1));
    scratch.file("p/one.json", document("one", json!({})));
    let folder = scratch.path().join("p").display().to_string();
    // Full before memory is looked at.
    let flags = [
        "--policies",
        &folder,
        "--policies-poll",
        "100ms",
        "--verdict-cache",
        "1MiB",
    ];
    let server = Server::start_in(scratch, &flags);
    let now = OffsetDateTime::now_utc();
    let pairs: Vec<_> = (0..2)
        .map(|_| make(&["localhost".to_owned()], now).expect("certificates"))
        .collect();
    let mut cas = vec![server.scratch.file(
        "ca.crt",
        std::fs::read(server.file("certs/ca.crt")).expect("a CA"),
    )];
    for (number, pair) in pairs.iter().enumerate() {
        cas.push(
            server
                .scratch
                .file(&format!("ca{number}.crt"), &pair.ca.certificate),
        );
    }
    let cas: Vec<_> = cas.into_iter().map(std::path::PathBuf::from).collect();
    let target = Target {
        address: server.https,
        tls: client(&cas, &rustls::version::TLS13, None, &[]),
    };
    (server, pairs, target)
}

#[test]
fn nothing_grows_however_many_requests_come() {
    let most = requests();
    let (server, pairs, target) = serve();
    let process = server.process.id();
    send(&target, &AtomicU64::new(0), 2_000);
    let at_rest = |folder: &str| entries(process, folder);
    let (fds, threads) = (at_rest("fd"), at_rest("task"));
    let (sent, is_over, started) = (AtomicU64::new(0), AtomicBool::new(false), Instant::now());
    let mut samples = Vec::new();
    let changes = std::thread::scope(|scope| {
        let end = End(&is_over);
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| scope.spawn(|| send(&target, &sent, most)))
            .collect();
        let changing = scope.spawn(|| change(&server, &pairs, &is_over));
        while callers.iter().any(|caller| !caller.is_finished()) {
            std::thread::sleep(Duration::from_millis(100));
            let so_far = sent.load(Ordering::Relaxed).min(most);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            samples.push((so_far as f64, kibibytes(process, "VmRSS") as f64));
        }
        drop(end);
        callers
            .into_iter()
            .for_each(|caller| caller.join().expect("answers"));
        changing.join().expect("changes")
    });
    let floor = floors(&samples);
    let warm = &floor[WINDOWS * 3 / 10..];
    let Trend { slope, error } = trend(warm);
    println!(
        "{most} requests in {:?}, {changes} changes: {slope:.0} KiB a million (± {error:.0}), \
         {:.0} KiB at the end",
        started.elapsed(),
        warm[warm.len() - 1].1
    );
    assert!(changes >= 4, "{changes}");
    assert!(
        slope - SURE * error <= SLOPE,
        "{slope} KiB a million requests, ± {error}: {floor:?}"
    );
    eventually("no connection is left", || {
        server
            .get("/metrics")
            .body
            .contains("portcullis_connections 0\n")
    });
    // Threads that were needed for a moment leave after ten idle seconds.
    eventually("files and threads are as before", || {
        at_rest("fd") <= fds && at_rest("task") <= threads
    });
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
