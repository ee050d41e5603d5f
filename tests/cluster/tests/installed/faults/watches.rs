//! A watch of policies goes wrong: none is lost, and none is invented.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis_cluster::Installation;
use portcullis_cluster::proxy::{Fault, Rule};

use super::{RECOVERED, Stage};
use crate::installed::SOON;
use crate::policies::{Turn, admin, apply, policy};

/// What can befall a list or a watch; `None` is an outage.
const FAULTS: [Option<(&str, Fault)>; 11] = [
    Some(("watch", Fault::Gone)),
    Some(("watch", Fault::ExpiredEvent)),
    Some(("watch", Fault::TooManyRequests { seconds: 1 })),
    Some(("watch", Fault::InternalError)),
    Some(("watch", Fault::Unavailable)),
    Some(("watch", Fault::ResetBefore)),
    Some(("watch", Fault::ResetAfter)),
    Some(("watch", Fault::Latency(Duration::from_secs(1)))),
    Some(("list", Fault::Gone)),
    Some(("list", Fault::ResetAfter)),
    None,
];

type Names = BTreeSet<String>;

/// The policies of the replica, by name.
fn judging(installation: &Installation<'_>) -> Option<Names> {
    let health = installation.health().ok()?.concat();
    let names = health.lines().filter_map(|line| {
        let (_, behind) = line.split_once("policy/")?;
        Some(behind.split([':', ' ']).next()?.to_owned())
    });
    Some(names.collect())
}

fn names(all: &[&str]) -> Names {
    all.iter().map(ToString::to_string).collect()
}

/// Each set of policies that was seen, in order, until `is_over`.
fn watch(installation: &Installation<'_>, is_over: &AtomicBool) -> Vec<Names> {
    let mut seen: Vec<Names> = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let now = judging(installation).expect("it stays ready");
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    seen
}

/// One policy comes and another goes, while a fault befalls the watch.
fn come_and_go(stage: &Stage, fault: Option<(&str, Fault)>, [goes, comes]: [&str; 2]) {
    let account = stage.installation.account_name();
    let outage = fault.is_none().then(|| stage.proxy.outage());
    let injection = fault.map(|(verb, fault)| {
        let rule = Rule::new(fault).account(&account).verb(verb);
        stage.proxy.inject(rule.resource("wasmpolicies"))
    });
    if let Some(injection) = &injection {
        // A watch that is about to begin does not hear of it the first time.
        let is_met = |_: &Installation<'_>| {
            stage.proxy.expire_watches("wasmpolicies");
            Ok(injection.hits() > 0)
        };
        let met = stage.installation.eventually("met", SOON, is_met);
        met.expect("the fault is met");
    }
    let document = policy(&stage.namespace, comes).to_string();
    apply(&document).ok().expect("a policy");
    let deleted = admin(&["delete", "wasmpolicy", goes], "");
    deleted.ok().expect("deleted");
    drop((outage, injection));
    let after = names(&["tags", comes]);
    let is_known =
        |installation: &Installation<'_>| Ok(judging(installation) == Some(after.clone()));
    let took = stage.installation.eventually("known", RECOVERED, is_known);
    eprintln!("{fault:?}: known {:?} after it", took.expect("soon"));
}

#[test]
fn no_policy_is_lost_or_invented_whatever_befalls_the_watch() {
    let _turn = Turn::take();
    let stage = Stage::new();
    apply(&policy(&stage.namespace, "one").to_string())
        .ok()
        .expect("a policy");
    let is_known = |installation: &Installation<'_>| {
        Ok(judging(installation) == Some(names(&["one", "tags"])))
    };
    let known = stage.installation.eventually("known", SOON, is_known);
    known.expect("both policies");
    let mut pair = ["one", "two"];
    for fault in FAULTS {
        let is_over = AtomicBool::new(false);
        let seen = std::thread::scope(|scope| {
            let watching = scope.spawn(|| watch(&stage.installation, &is_over));
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                come_and_go(&stage, fault, pair);
            }));
            is_over.store(true, Ordering::SeqCst);
            let seen = watching.join().expect("it watched");
            done.map(|()| seen)
        });
        let seen = seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let [goes, comes] = pair;
        // As the API server had them, one after the other; it may have missed
        // what was true for a moment.
        let mut had = [
            names(&["tags", goes]),
            names(&["tags", goes, comes]),
            names(&["tags", comes]),
        ]
        .into_iter();
        let is_in_order = seen.iter().all(|seen| had.any(|had| had == *seen));
        assert!(is_in_order, "{fault:?}: {seen:?}");
        pair = [comes, goes];
    }
}
