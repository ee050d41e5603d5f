//! Which faults are tried, and on which calls.

use std::time::Duration;

use portcullis_cluster::proxy::Fault;

use super::ways::Way;
use crate::support::seed;

/// How many cases are tried without PORTCULLIS_FULL.
const SHARE: usize = 6;

/// What can befall a call. That nobody answers at all is `ResetBefore`, and
/// the outage of everything (`outage`).
const FAULTS: [Fault; 9] = [
    Fault::Conflict,
    Fault::Gone,
    Fault::TooManyRequests { seconds: 1 },
    Fault::InternalError,
    Fault::Unavailable,
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Latency(Duration::from_secs(1)),
    Fault::ExpiredEvent,
];

/// A fault, on a call that is provoked in this way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) fault: Fault,
    pub(super) verb: String,
    pub(super) resource: String,
    pub(super) way: Way,
}

pub(super) fn is_full() -> bool {
    std::env::var_os("PORTCULLIS_FULL").is_some()
}

/// A version can be too old only for a list or a watch.
fn fits(fault: Fault, verb: &str) -> bool {
    match fault {
        Fault::ExpiredEvent => verb == "watch",
        Fault::Gone => ["list", "watch"].contains(&verb),
        _ => true,
    }
}

/// Every fault on every call (verb and resource) that can be met by it; a
/// share of them by a seed, unless all is asked for.
pub(super) fn cases(calls: &[(String, String)]) -> Vec<Case> {
    let writing = calls.iter().filter(|call| !is_of_the_audit(call, calls));
    let all = writing.flat_map(|(verb, resource)| {
        let way = Way::of(verb, resource);
        let fitting = FAULTS.into_iter().filter(|fault| fits(*fault, verb));
        fitting.map(move |fault| Case {
            fault,
            verb: verb.clone(),
            resource: resource.clone(),
            way,
        })
    });
    let all: Vec<Case> = all.collect();
    if is_full() {
        return part(all);
    }
    let quick = all.into_iter().filter(|case| !case.way.takes_minutes());
    share(quick.collect(), seed())
}

/// `PORTCULLIS_PART=2/3` is the second of three parts of all cases, for several
/// machines or processes: every third one.
fn part(all: Vec<Case>) -> Vec<Case> {
    let Ok(part) = std::env::var("PORTCULLIS_PART") else {
        return all;
    };
    let numbers = part.split_once('/').and_then(|(number, of)| {
        let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
        (1..=of).contains(&number).then_some((number, of))
    });
    let (number, of) = numbers.expect("PORTCULLIS_PART is like `2/3`");
    all.into_iter().skip(number - 1).step_by(of).collect()
}

/// Whether it is the audit of what is there that makes a call: it has tests of
/// its own, and what befalls it is in what it reports.
fn is_of_the_audit(call: &(String, String), calls: &[(String, String)]) -> bool {
    let (verb, resource) = (call.0.as_str(), call.1.as_str());
    let is_watched = || calls.contains(&("watch".to_owned(), resource.to_owned()));
    match (verb, resource) {
        (_, "clusterreports" | "reports" | "policyexemptions/status" | "*") => true,
        ("list", "daemonsets" | "services") => false,
        ("list", _) => !is_watched(),
        _ => false,
    }
}

fn share(mut all: Vec<Case>, seed: u64) -> Vec<Case> {
    let mut state = seed;
    let picked = (0..SHARE).map(|_| {
        // The generator of Knuth's MMIX; its upper bits are the good ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let index = (state >> 33) % all.len() as u64;
        all.swap_remove(usize::try_from(index).expect("small"))
    });
    picked.collect()
}
