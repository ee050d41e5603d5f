//! The API server answers badly, or not at all, for a while.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use portcullis_cluster::installation::edit;
use portcullis_cluster::proxy::{Access, Fault, Proxy, Rule};
use portcullis_cluster::{Installation, Namespace, User};
use serde_json::{Value, json};

use super::{ask, in_force, is_closed, place, tags};
use crate::policies::{Turn, apply, is_denied, shown};
use crate::support::cluster;

/// How soon all is right after a fault (the promise).
const RECOVERED: Duration = Duration::from_secs(10);
/// How many cases are tried without PORTCULLIS_FULL.
const SHARE: usize = 6;
/// How long a fault lasts.
const FAULT: Duration = Duration::from_secs(2);

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

/// An installation behind a proxy.
struct Stage {
    // In the order in which they have to go.
    installation: Installation<'static>,
    namespace: Namespace<'static>,
    proxy: Proxy<'static>,
}

impl Stage {
    fn new() -> Stage {
        let (mut installation, namespace) = place();
        let proxy = Proxy::start(cluster()).expect("a proxy");
        installation.through(&proxy).expect("a kubeconfig");
        let started = installation.start(&[&namespace], &["--settle=0s"]);
        started.expect("it starts");
        in_force(&installation, &namespace);
        Stage {
            installation,
            namespace,
            proxy,
        }
    }

    /// The policy changes, and somebody edits the registration.
    fn disturb(&self, number: usize) {
        let mut document = tags(&self.namespace);
        document["spec"]["validationActions"] = actions(number);
        document["spec"]["limits"] = json!({"deadlineMilliseconds": 1_000 + number});
        apply(&document.to_string()).ok().expect("a change");
        let kind = "validatingwebhookconfiguration";
        let open = edit("failurePolicy", &json!("Ignore"));
        let name = self.installation.name();
        let patch = ["patch", kind, name, "--type=json", "-p", &open];
        let answer = self.namespace.kubectl(User::Admin, &patch, "");
        answer.expect("kubectl").ok().expect("an edit");
    }

    /// Verdict, status and registration are those of the last change.
    fn is_right(&self, number: usize) -> Result<bool> {
        let deadline = (1_000 + number).to_string();
        let shown = |path: &str| shown("tags", path);
        Ok(is_closed(&self.installation)?
            && is_denied(&ask(&self.namespace)) == number.is_multiple_of(2)
            && shown(".status.inForce.spec.limits.deadlineMilliseconds") == deadline
            && shown(".status.observedGeneration") == shown(".metadata.generation"))
    }

    fn recovers(&self, what: &str, number: usize) -> Duration {
        let is_right = |_: &Installation<'_>| self.is_right(number);
        let took = self.installation.eventually(what, RECOVERED, is_right);
        took.expect("it recovers")
    }
}

fn actions(number: usize) -> Value {
    match number % 2 {
        0 => json!(["Deny"]),
        _ => json!(["Warn"]),
    }
}

fn is_full() -> bool {
    std::env::var_os("PORTCULLIS_FULL").is_some()
}

/// Every fault on everything that was used; a share of it by a seed, unless
/// all is asked for.
fn cases(used: &[Access]) -> Vec<(Fault, Access)> {
    let fits =
        |fault: Fault, access: &Access| fault != Fault::ExpiredEvent || access.verb == "watch";
    let all = FAULTS.iter().flat_map(|fault| {
        let of = used.iter().filter(|access| fits(*fault, access));
        of.map(|access| (*fault, access.clone()))
    });
    let mut all: Vec<_> = all.collect();
    if is_full() {
        return all;
    }
    let seed = std::env::var("PORTCULLIS_SEED").ok();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = seed.and_then(|seed| seed.parse::<u64>().ok());
    let seed = seed.unwrap_or_else(|| now.expect("after 1970").as_secs());
    eprintln!("PORTCULLIS_SEED={seed}");
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

#[test]
fn after_any_fault_of_the_api_server_all_is_right_within_ten_seconds() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let account = stage.installation.account_name();
    // What is used in such a round is what faults befall.
    stage.disturb(1);
    stage.recovers("the first change", 1);
    let used = stage.proxy.counts().into_keys();
    let used: Vec<Access> = used.filter(|access| access.account == account).collect();
    let mut late = Vec::new();
    for (number, (fault, access)) in (2..).zip(cases(&used)) {
        let rule = Rule::new(fault)
            .account(&account)
            .verb(&access.verb)
            .resource(&access.resource);
        let injection = stage.proxy.inject(rule);
        stage.proxy.expire_watches(&access.resource);
        stage.disturb(number);
        std::thread::sleep(FAULT);
        let hits = injection.hits();
        drop(injection);
        let case = format!("{fault:?} on {} {}", access.verb, access.resource);
        let is_right = |_: &Installation<'_>| stage.is_right(number);
        match stage.installation.eventually(&case, RECOVERED, is_right) {
            Ok(took) => eprintln!("{case}: {hits} hits, right after {took:?}"),
            Err(error) => late.push(format!("{case}: {hits} hits: {error:#}")),
        }
    }
    assert!(late.is_empty(), "{} late:\n{}", late.len(), late.join("\n"));
}

#[test]
fn verdicts_go_on_without_an_api_server_and_changes_are_seen_soon_after() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let length = Duration::from_secs(if is_full() { 60 } else { 6 });
    let (started, mut asked) = (Instant::now(), 0);
    let outage = stage.proxy.outage();
    stage.disturb(3);
    while started.elapsed() < length {
        assert!(is_denied(&ask(&stage.namespace)), "the set before goes on");
        asked += 1;
    }
    drop(outage);
    let took = stage.recovers("the change is in force", 3);
    eprintln!("{asked} denials in {length:?} of outage, right {took:?} after it");
}
