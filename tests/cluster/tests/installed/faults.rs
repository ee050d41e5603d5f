//! The API server answers badly, or not at all, for a while.

/// Faults on calls.
mod cases;
/// Nobody answers.
mod outage;
/// Faults of watches.
mod watches;
/// What is done so that a call is made.
mod ways;

use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis_cluster::installation::edit;
use portcullis_cluster::proxy::{Injection, Proxy, Rule};
use portcullis_cluster::{Installation, Namespace, User};
use serde_json::{Value, json};

use super::{ask, in_force, is_closed, place, rights, tags};
use crate::policies::{Turn, admin, apply, is_denied, shown};
use crate::support::cluster;
use cases::{Case, cases};
use ways::Way;

/// How soon all is right after a fault (the promise).
const RECOVERED: Duration = Duration::from_secs(10);
/// How long a fault lasts after the first call that it befell.
const FAULT: Duration = Duration::from_secs(1);

/// An installation behind a proxy.
struct Stage {
    // In the order in which they have to go.
    installation: Installation<'static>,
    namespace: Namespace<'static>,
    proxy: Proxy<'static>,
}

impl Stage {
    fn new() -> Stage {
        Stage::of(1)
    }

    /// With so many replicas.
    fn of(replicas: usize) -> Stage {
        let (mut installation, namespace) = place();
        let proxy = Proxy::start(cluster()).expect("a proxy");
        installation.through(&proxy).expect("a kubeconfig");
        for _ in 0..replicas {
            let started = installation.start(&[&namespace], &["--settle=0s"]);
            started.expect("it starts");
        }
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

    /// Verdict, status and registration are those of the last change, and
    /// nobody complains.
    fn is_right(&self, number: usize) -> Result<bool> {
        let deadline = (1_000 + number).to_string();
        let shown = |path: &str| shown("tags", path);
        Ok(is_closed(&self.installation)?
            && is_denied(&ask(&self.namespace)) == number.is_multiple_of(2)
            && shown(".status.inForce.spec.limits.deadlineMilliseconds") == deadline
            && shown(".status.observedGeneration") == shown(".metadata.generation")
            && is_content(&self.installation.state()?))
    }

    fn recovers(&self, what: &str, number: usize) -> Duration {
        let is_right = |_: &Installation<'_>| self.is_right(number);
        let took = self.installation.eventually(what, RECOVERED, is_right);
        took.expect("it recovers")
    }

    /// Waits until the fault has befallen a call, and a while longer. Requests
    /// come all the time.
    fn meet(&self, injection: &Injection, case: &Case) -> Result<Duration> {
        let is_met = |_: &Installation<'_>| {
            if case.way == Way::WatchEnds {
                self.proxy.expire_watches(&case.resource);
            }
            ask(&self.namespace);
            Ok(injection.hits() > 0)
        };
        let most = case.way.patience();
        let took = self.installation.eventually("it is met", most, is_met)?;
        let met = Instant::now();
        while met.elapsed() < FAULT {
            ask(&self.namespace);
        }
        Ok(took)
    }

    /// A fault befalls a call, while more happens; then all is right soon.
    fn suffer(&self, case: &Case, number: usize) -> Result<String> {
        let rule = Rule::new(case.fault)
            .account(&self.installation.account_name())
            .verb(&case.verb)
            .resource(&case.resource);
        let injection = self.proxy.inject(rule);
        self.disturb(number);
        let undo = self.provoke(case.way, &case.resource, number);
        let met = self.meet(&injection, case);
        let hits = injection.hits();
        drop(injection);
        self.mend(undo);
        let met = met?;
        let is_right = |_: &Installation<'_>| self.is_right(number);
        let took = self.installation.eventually("right", RECOVERED, is_right)?;
        Ok(format!(
            "met after {met:?}, {hits} hits, right after {took:?}"
        ))
    }
}

fn actions(number: usize) -> Value {
    match number % 2 {
        0 => json!(["Deny"]),
        _ => json!(["Warn"]),
    }
}

/// Whether the installation says that it has registered and keeps its
/// certificates.
fn is_content(state: &Value) -> bool {
    let conditions = state["conditions"].as_array().into_iter().flatten();
    let good = conditions.filter(|one| one["status"] == true);
    let kinds: Vec<_> = good.filter_map(|one| one["type"].as_str()).collect();
    kinds == ["Anchored", "CertificatesKept", "Registered"]
}

/// Verb and resource of every right. That a configuration is created is a part
/// of the patch that applies it, and no call of its own.
fn calls(installation: &Installation<'_>) -> Vec<(String, String)> {
    let rights = rights::granted(installation).expect("roles");
    let rights = rights.into_iter().filter(|[group, _, verb]| {
        (group.as_str(), verb.as_str()) != ("admissionregistration.k8s.io", "create")
    });
    rights.map(|[_, resource, verb]| (verb, resource)).collect()
}

/// Policies of the pack, and what is watched for each.
const LOOKED_UP: [(&str, &[&str]); 4] = [
    ("dangling-references", &["configmaps"]),
    (
        "disruption-budget",
        &["poddisruptionbudgets", "horizontalpodautoscalers"],
    ),
    ("probes", &["services"]),
    ("resources", &["limitranges"]),
];

/// All of them in force, so that each kind is watched, until this is dropped.
struct Looking;

impl Looking {
    fn start() -> Looking {
        for (name, _) in LOOKED_UP {
            let applied = admin(&["apply", "-f", &format!("pack/observe/{name}.yaml")], "");
            applied.ok().expect("a policy of the pack");
        }
        Looking
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        for (name, _) in LOOKED_UP {
            let _ = admin(&["delete", "wasmpolicy", name, "--ignore-not-found"], "");
        }
    }
}

#[test]
fn after_any_fault_on_any_call_all_is_right_within_ten_seconds() {
    let _turn = Turn::take();
    let stage = Stage::new();
    stage.disturb(1);
    stage.recovers("the first change", 1);
    let calls = calls(&stage.installation);
    let cases = cases(&calls);
    let mut bad = Vec::new();
    for (number, case) in (2..).zip(&cases) {
        let name = format!("{:?} on {} {}", case.fault, case.verb, case.resource);
        let is_looked_up = LOOKED_UP
            .iter()
            .any(|(_, kinds)| kinds.contains(&&*case.resource));
        let looking = (is_looked_up && case.way == Way::WatchEnds).then(Looking::start);
        let suffered = stage.suffer(case, number);
        drop(looking);
        match suffered {
            Ok(done) => eprintln!("{name}: {done}"),
            Err(error) => {
                eprintln!("{name}: NOT RIGHT");
                bad.push(format!("{name}: {error:#}"));
            }
        }
    }
    assert!(bad.is_empty(), "{} bad:\n{}", bad.len(), bad.join("\n"));
    eprintln!("{} cases, each met, of {} calls", cases.len(), calls.len());
}
