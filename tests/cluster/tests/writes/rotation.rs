//! Certificates that live for seconds, while everybody calls.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portcullis_cluster::Installation;
use portcullis_cluster::caller::{Bundle, call};
use serde_json::Value;

use super::{SOON, closed, verdict};

/// How long a caller may be behind with what it knows of CAs: as long as a new
/// CA is published before it is used, less what a look takes.
const LAG: Duration = Duration::from_millis(2500);

/// Leaves and CAs that have to come and go.
fn wanted() -> (usize, usize) {
    match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => (100, 5),
        None => (8, 2),
    }
}

fn secret(installation: &Installation<'_>) -> anyhow::Result<[String; 2]> {
    let secret = installation.get("secret/portcullis-certificates")?;
    let entry = |name: &str| secret["data"][name].as_str().unwrap_or_default().to_owned();
    Ok([entry("tls.crt"), entry("ca.key")])
}

/// The bundle that the API server has in force.
fn bundle(configuration: &Value) -> String {
    let bundle = &configuration["webhooks"][0]["clientConfig"]["caBundle"];
    bundle.as_str().unwrap_or_default().to_owned()
}

/// What the callers have seen.
#[derive(Default)]
struct Seen {
    calls: AtomicUsize,
    failures: Mutex<Vec<String>>,
    done: AtomicBool,
}

/// Opens one connection after the other, each with the newest bundle that is
/// old enough.
fn strangers(seen: &Seen, known: &Mutex<Vec<(Instant, String)>>, host: &str, port: u16) {
    while !seen.done.load(Ordering::Relaxed) {
        let bundle = {
            let known = known.lock().unwrap();
            let late = known.iter().rev().find(|(since, _)| since.elapsed() > LAG);
            late.unwrap_or(&known[0]).1.clone()
        };
        let called = Bundle::parse(&bundle).and_then(|bundle| call(&bundle, host, port));
        seen.calls.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = called {
            seen.failures.lock().unwrap().push(format!("{error:#}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn certificates_come_and_go_under_load_without_one_failed_request() {
    let lives = [
        "--leaf-lifetime=9s",
        "--ca-lifetime=36s",
        "--ca-propagation=4s",
        "--resync=500ms",
    ];
    let (mut installation, namespace) = closed(&lives);
    installation
        .start(&[&namespace], &[&super::STRICT[..], &lives].concat())
        .unwrap();
    let serves = |installation: &Installation<'_>| {
        Ok(installation
            .metric("portcullis_certificate_not_after_seconds")?
            .iter()
            .all(|end| *end > 0.0))
    };
    installation.eventually("both serve", SOON, serves).unwrap();
    let seen = Arc::new(Seen::default());
    let first = bundle(&installation.configurations().unwrap()[0]);
    let known = Arc::new(Mutex::new(vec![(Instant::now(), first)]));
    let (host, port) = (installation.host(), installation.service.port());
    let stranger = {
        let (seen, known) = (Arc::clone(&seen), Arc::clone(&known));
        std::thread::spawn(move || strangers(&seen, &known, &host, port))
    };
    let mut pairs = vec![secret(&installation).unwrap()];
    let mut verdicts = 0;
    let counts = |pairs: &[[String; 2]]| {
        let distinct = |at: usize| {
            pairs
                .iter()
                .map(|p| &p[at])
                .collect::<std::collections::BTreeSet<_>>()
                .len()
        };
        (distinct(0) - 1, distinct(1) - 1)
    };
    let (leaves, cas) = wanted();
    let deadline = Instant::now() + Duration::from_secs(u64::try_from(leaves).unwrap() * 12 + 60);
    while counts(&pairs).0 < leaves || counts(&pairs).1 < cas {
        assert!(
            Instant::now() < deadline,
            "{:?} so far: {}",
            counts(&pairs),
            installation.log()
        );
        // With Fail, whatever goes wrong on the way is an error to who asks.
        let answer = verdict(&namespace);
        assert!(
            answer.stderr.contains("image-tags/image-latest"),
            "{answer:?}"
        );
        verdicts += 1;
        let now = bundle(&installation.configurations().unwrap()[0]);
        let mut known = known.lock().unwrap();
        if known.last().unwrap().1 != now {
            known.push((Instant::now(), now));
        }
        drop(known);
        let pair = secret(&installation).unwrap();
        if pairs.last() != Some(&pair) {
            pairs.push(pair);
        }
    }
    seen.done.store(true, Ordering::Relaxed);
    stranger.join().unwrap();
    let (calls, failures) = (
        seen.calls.load(Ordering::Relaxed),
        seen.failures.lock().unwrap(),
    );
    eprintln!(
        "{:?} leaves and CAs, {verdicts} verdicts, {calls} strangers",
        counts(&pairs)
    );
    assert_eq!(failures.as_slice(), Vec::<String>::new(), "of {calls}");
    assert!(calls > 20 * leaves, "{calls}");
    installation.check().unwrap();
    let log = installation.log();
    assert!(!log.contains("PRIVATE KEY"), "keys are not logged");
}
