//! Certificates that live for seconds, while everybody calls.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use portcullis_cluster::caller::{Bundle, call};
use portcullis_cluster::{Installation, Namespace, User};
use serde_json::Value;

use super::{SOON, closed, verdict};
use crate::policies::client;

/// How long a caller may be behind with what it knows of CAs: as long as a new
/// CA is published before it is used, less what a look takes.
const LAG: Duration = Duration::from_secs(1);

/// Leaves and CAs that have to come and go.
fn wanted() -> (usize, usize) {
    match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => (100, 5),
        None => (4, 1),
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
        "--leaf-lifetime=18s",
        "--ca-lifetime=54s",
        "--ca-propagation=3s",
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
    let seen = Seen::default();
    let first = bundle(&installation.configurations().unwrap()[0]);
    let known = Mutex::new(vec![(Instant::now(), first)]);
    let (leaves, cas) = wanted();
    let verdicts = std::thread::scope(|scope| {
        let (host, port) = (installation.host(), installation.service.port());
        scope.spawn(|| look(&seen, &known, &installation));
        let (seen, known) = (&seen, &known);
        scope.spawn(move || strangers(seen, known, &host, port));
        // However it ends, the others end with it.
        let _end = End(&seen.done);
        ask(&installation, &namespace, leaves, cas)
    });
    let calls = seen.calls.load(Ordering::Relaxed);
    let failures = seen.failures.lock().unwrap();
    eprintln!("{verdicts} verdicts, {calls} strangers");
    assert_eq!(failures.as_slice(), Vec::<String>::new(), "of {calls}");
    assert!(calls > 20 * leaves, "{calls}");
    drop(failures);
    installation.check().unwrap();
    let log = installation.log();
    assert!(!log.contains("PRIVATE KEY"), "keys are not logged");
}

/// Ends the callers.
struct End<'s>(&'s AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks again and again at what the API server has in force, over a connection
/// that stays: what is seen late is told to callers late, beyond their `LAG`.
fn look(seen: &Seen, known: &Mutex<Vec<(Instant, String)>>, installation: &Installation<'_>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(async {
        let all: Api<ValidatingWebhookConfiguration> = Api::all(client(User::Admin).await);
        while !seen.done.load(Ordering::Relaxed) {
            let live = all.get(installation.name()).await.unwrap();
            let now = bundle(&serde_json::to_value(live).unwrap());
            learn(&mut known.lock().unwrap(), now);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

fn learn(known: &mut Vec<(Instant, String)>, now: String) {
    if known.last().unwrap().1 != now {
        known.push((Instant::now(), now));
    }
}

/// Asks the API server until so many leaves and CAs were made; gives how often.
fn ask(
    installation: &Installation<'_>,
    namespace: &Namespace<'_>,
    leaves: usize,
    cas: usize,
) -> usize {
    let seconds = u64::try_from(leaves).unwrap() * 20 + 120;
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut pairs = vec![secret(installation).unwrap()];
    let mut verdicts = 0;
    loop {
        let distinct = |at: usize| pairs.iter().map(|p| &p[at]).collect::<BTreeSet<_>>().len() - 1;
        let made = (distinct(0), distinct(1));
        if made.0 >= leaves && made.1 >= cas {
            eprintln!("{made:?} leaves and CAs");
            return verdicts;
        }
        assert!(
            Instant::now() < deadline,
            "{made:?}: {}",
            installation.log()
        );
        // With Fail, whatever goes wrong on the way is an error to who asks.
        let answer = verdict(namespace);
        assert!(
            answer.stderr.contains("image-tags/image-latest"),
            "{answer:?}"
        );
        verdicts += 1;
        let pair = secret(installation).unwrap();
        if pairs.last() != Some(&pair) {
            pairs.push(pair);
        }
    }
}
