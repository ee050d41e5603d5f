//! A policy that hangs, and the callers whom it does not concern.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::extent;
use super::traffic::{Caller, End, Target, quantile};
use crate::guests::text::Guest;
use crate::serve::{Server, pod};
use crate::support::Scratch;

/// What an evaluation may take where the operator says nothing.
const DEADLINE: Duration = Duration::from_millis(100);
const CALLERS: u32 = 4;
/// One request in so many meets the hostile policy.
const ONE_IN: u32 = 20;

/// Judges these resources, and finds nothing or never ends.
fn policy(scratch: &Scratch, (name, spec): (&str, Value), resource: &str, guest: Guest) {
    let guest = guest.described(|description| {
        let rule = &mut description["matches"]["resourceRules"][0];
        rule["resources"] = json!([resource]);
    });
    scratch.file(&format!("p/{name}.wasm"), guest.component());
    let mut document = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": name}, "spec": spec});
    document["spec"]["program"] = json!({"file": format!("{name}.wasm")});
    scratch.file(&format!("p/{name}.json"), document.to_string());
}

fn serve() -> Server {
    let scratch = Scratch::new();
    // What a busy machine delays is no failure of it.
    let patient = json!({"limits": {"deadlineMilliseconds": 5_000}});
    policy(&scratch, ("honest", patient), "pods", Guest::default());
    let hostile = Guest {
        evaluate: "(loop $l (br $l)) unreachable".into(),
        ..Guest::default()
    };
    policy(&scratch, ("hostile", json!({})), "secrets", hostile);
    Server::judging(scratch, &["--verdict-cache", "off"])
}

/// A Secret, as the API server sends it.
fn secret() -> Vec<u8> {
    let mut review: Value = serde_json::from_slice(&pod("nginx:1.2.3")).expect("JSON");
    let request = &mut review["request"];
    request["kind"] = json!({"group": "", "version": "v1", "kind": "Secret"});
    request["resource"] = json!({"group": "", "version": "v1", "resource": "secrets"});
    request["object"] = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}});
    review.to_string().into_bytes()
}

/// How long Pods took; each caller sends one request a `period`, and every
/// so many are for the hostile policy.
fn run(target: &Target, time: Duration, period: Duration, hostile: bool) -> Vec<Duration> {
    let is_over = AtomicBool::new(false);
    let send = |number: u32| {
        let (mut caller, mut took) = (Caller::new(target), Vec::new());
        let (mut next, mut count) = (Instant::now() + period * number / CALLERS, 0);
        while !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            next += period;
            count += 1;
            if hostile && count % ONE_IN == number % ONE_IN {
                // Its caller has to wait, and others do not wait for it.
                let target = target.clone();
                std::thread::spawn(move || {
                    Caller::new(&target).timed("/validate/fail", &secret());
                });
            } else {
                took.push(caller.timed("/validate/fail", &pod("nginx:1.2.3")));
            }
        }
        took
    };
    std::thread::scope(|scope| {
        let end = End(&is_over);
        let send = &send;
        let running: Vec<_> = (0..CALLERS).map(|n| scope.spawn(move || send(n))).collect();
        std::thread::sleep(time);
        drop(end);
        let took = running
            .into_iter()
            .map(|caller| caller.join().expect("answers"));
        took.flatten().collect()
    })
}

#[test]
fn a_hostile_policy_costs_those_who_do_not_meet_it_one_deadline_at_most() {
    let server = serve();
    let target = Target::new(server.https, &server.file("certs/ca.crt"));
    let time = extent(Duration::from_secs(3), Duration::from_secs(30));
    let capacity = run(&target, Duration::from_secs(1), Duration::ZERO, false).len();
    let capacity = u32::try_from(capacity).expect("few");
    // Half of it, by all callers together.
    let period = Duration::from_secs(1) * CALLERS * 2 / capacity;
    let mut alone = run(&target, time, period, false);
    let mut beside = run(&target, time, period, true);
    let (alone, beside) = (quantile(&mut alone, 0.99), quantile(&mut beside, 0.99));
    println!("capacity {capacity}/s; p99 alone {alone:?}, beside a hostile policy {beside:?}");
    assert!(
        beside <= alone * 6 / 5 + DEADLINE,
        "{beside:?} against {alone:?}"
    );
    let metrics = server.get("/metrics").body;
    let failures = |cause: &str| {
        let name = "portcullis_policy_failures_total{policy=\"hostile\"";
        let of_cause = |line: &&str| line.starts_with(name) && line.contains(cause);
        let line = metrics.lines().find(of_cause);
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or(0)
    };
    assert!(failures("cause=\"deadline\"") >= 10, "{metrics}");
    assert!(failures("cause=\"suspended\"") > 0, "{metrics}");
    assert!(
        !metrics.contains("policy_failures_total{policy=\"honest\""),
        "{metrics}"
    );
}
