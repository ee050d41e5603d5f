//! Writers while replicas come and go, where everything fails closed.

use std::time::{Duration, Instant};

use portcullis_cluster::{Installation, Namespace};

use super::{SOON, in_force, place};
use crate::policies::Turn;
use crate::support::cluster;
use crate::writers::{Failure, Load, WRITERS};

/// Nothing waits before it fails closed; who ends serves on for a while, as by
/// default, so that callers can close their connections.
const OPTIONS: [&str; 2] = ["--settle=0s", "--drain-delay=2s"];

/// Two replicas, a policy that fails closed.
fn two() -> (Installation<'static>, Namespace<'static>) {
    let (mut installation, namespace) = place();
    for _ in 0..2 {
        let started = installation.start(&[&namespace], &OPTIONS);
        started.expect("it starts");
    }
    in_force(&installation, &namespace);
    all_ready(&installation, 2);
    (installation, namespace)
}

/// Each replica that runs has a certificate, and the policy.
fn all_ready(installation: &Installation<'_>, number: usize) {
    let is_ready = |installation: &Installation<'_>| {
        Ok(installation.ready()?.iter().filter(|ready| **ready).count() == number)
    };
    installation
        .eventually("all are ready", SOON, is_ready)
        .expect("ready");
}

/// Writes that were lost with a replica: what users are told is the API
/// server's, and names the entry. Apart from them, what a living replica
/// refused since all places of the policy were taken: with two cores there is
/// one, and on a busy machine its holder does not get on for the 8 ms that
/// others wait (`admit::guard`). That has nothing to do with a dead replica.
fn lost(failed: Vec<Failure>) -> Vec<Failure> {
    let is_refused = |failure: &Failure| failure.why.contains("[host/overload]");
    let (refused, lost): (Vec<_>, Vec<_>) = failed.into_iter().partition(is_refused);
    if !refused.is_empty() {
        eprintln!("{} refused by a living replica: {refused:?}", refused.len());
    }
    for Failure { why, .. } in &lost {
        assert!(why.contains("failed calling webhook \"fail."), "{why}");
    }
    lost
}

/// Until the other end of a connection notices that it is closed, on a busy machine:
/// a call that is sent before is one that the dead one owes.
const NOTICED: Duration = Duration::from_millis(100);

/// What cannot be otherwise: the API server calls by POST over kept HTTP/1.1
/// connections, and neither it nor Go's transport says a POST again once a byte
/// of it was written (only requests that may safely come twice). Whoever is
/// killed owes answers, and with Fail each is a write that fails. All others
/// have to succeed, from the moment of the kill on.
#[test]
fn a_killed_replica_costs_the_calls_that_it_had_begun_with_and_no_other() {
    let _turn = Turn::take();
    let (mut installation, namespace) = two();
    let load = Load::start(cluster(), &namespace);
    load.more(100);
    let owed = installation.service.lost();
    let before = Instant::now();
    installation.kill("replica-0");
    let after = Instant::now();
    load.more(200);
    let (done, failed) = load.end();
    let failed = lost(failed);
    let owed = installation.service.lost() - owed;
    eprintln!(
        "{done} writes, {} lost of {owed} calls that the killed replica owed: {failed:?}",
        failed.len()
    );
    for failure in &failed {
        let was_under_way = failure.began <= after + NOTICED && failure.ended >= before;
        assert!(was_under_way, "{before:?} to {after:?}: {failure:?}");
    }
    assert!(failed.len() <= owed && owed <= WRITERS, "{failed:?}");
}

/// Until its Service leaves a dead replica out, new connections still go there:
/// that, too, ends when it is left out. Other replicas go on answering.
#[test]
fn nothing_fails_any_more_once_the_service_leaves_a_dead_replica_out() {
    let _turn = Turn::take();
    let (mut installation, namespace) = two();
    installation.service.wait_to_be_told();
    let load = Load::start(cluster(), &namespace);
    load.more(100);
    installation.kill("replica-0");
    // As long as a kubelet and kube-proxy may take.
    std::thread::sleep(Duration::from_secs(2));
    installation.balance_without("replica-0");
    let told = Instant::now();
    load.more(100);
    let (done, failed) = load.end();
    let failed = lost(failed);
    let refused = installation.service.refused();
    eprintln!(
        "{done} writes, {} lost in the two seconds until the Service knew, {refused} connections \
         refused",
        failed.len()
    );
    for failure in &failed {
        assert!(failure.began <= told, "{failure:?}");
    }
}

#[test]
fn a_rolling_restart_fails_no_write() {
    let _turn = Turn::take();
    let (mut installation, namespace) = two();
    let load = Load::start(cluster(), &namespace);
    load.more(50);
    for old in ["replica-0", "replica-1"] {
        installation
            .start_apart(&[&namespace], &OPTIONS)
            .expect("it starts");
        // As a Deployment does it: the new one serves before the old one goes.
        all_ready(&installation, 3);
        installation.terminate(old).expect("it is there");
        installation.balance_without(old);
        let ended = |installation: &Installation<'_>| installation.has_ended(old);
        installation
            .eventually("it ends", Duration::from_secs(60), ended)
            .expect("ended");
        installation.kill(old);
        load.more(50);
    }
    let (done, failed) = load.end();
    assert!(failed.is_empty(), "of {done} writes: {failed:?}");
    eprintln!("{done} writes during a rolling restart, none failed");
}
