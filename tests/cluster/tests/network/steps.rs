//! Replicas that are killed (SIGKILL) in the middle of a step: while the API
//! server is asked, and before its answer is heard.

use std::time::Duration;

use portcullis_cluster::proxy::{Fault, Rule};

use super::first::{either, first_pods_while, namespaces, wait_for};
use super::{Stage, proxied};
use crate::support::{Chance, seed};

/// Time enough to kill in.
const LATENCY: Duration = Duration::from_millis(1_500);

/// Calls, and what they are held up by: a call that is reset after it was
/// passed on was done.
const STEPS: [(&str, &str, Fault); 6] = [
    ("get", "networkpolicies", Fault::Latency(LATENCY)),
    ("list", "networkpolicies", Fault::Latency(LATENCY)),
    ("create", "networkpolicies", Fault::Latency(LATENCY)),
    ("create", "networkpolicies", Fault::ResetAfter),
    ("get", "networkpolicies", Fault::ResetAfter),
    ("get", "namespaces", Fault::Latency(LATENCY)),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn killed_at_every_step_they_leave_no_first_pod_without_a_policy() {
    let proxy = proxied();
    let mut stage = Stage::through(Some(&proxy));
    let mut chance = Chance::new(seed());
    let first = chance.below(STEPS.len());
    let rounds = either(2, STEPS.len() * 5);
    let mut running = vec![0, 1];
    let mut all = namespaces(&stage, rounds * 3);
    for round in 0..rounds {
        let (verb, resource, fault) = STEPS[(first + round) % STEPS.len()];
        let some = all.split_off(all.len() - 3);
        let rule = Rule::new(fault).resource(resource).verb(verb).calls(1..=2);
        let held = proxy.inject(rule);
        first_pods_while(some, |_| {
            wait_for(1, &|| usize::try_from(held.hits()).unwrap_or(usize::MAX));
            for replica in running.drain(..) {
                stage.installation.kill(&format!("replica-{replica}"));
            }
            drop(held);
            for _ in 0..2 {
                running.push(stage.replace().expect("another replica"));
            }
        })
        .await;
        eprintln!("both were killed at {verb} {resource}, {fault:?}");
    }
}
