//! Policies as resources of the cluster. A WasmPolicy is in force everywhere,
//! so these tests take turns; each judges its own namespace.

/// Changes while requests are judged.
mod changes;
/// What the definition takes, refuses and shows.
mod definition;
/// What was stored under an earlier definition.
mod earlier;
/// What is in force, and what stays so where a change is bad.
mod force;
/// Labels of namespaces.
mod labels;
/// What policies look up besides.
mod lookups;
/// The API server is gone for a while.
mod outage;
/// Policies are tried out when they are written.
mod vetting;

pub(crate) use changes::{client, client_of};
pub(crate) use force::config_map;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_cluster::{Answer, Namespace, Portcullis, Registration, User};
use serde_json::{Value, json};

use crate::support::{cluster, deployment, named};

/// Longer than anything here should take, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(90);

/// The right to have policies, which are deleted when this is dropped. The
/// definition is there.
pub(crate) struct Turn {
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    pub(crate) fn take() -> Turn {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let definition = Portcullis::print(&["crd"]).expect("a definition");
        apply(&definition).ok().expect("the definition is taken");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s"];
        let crds = [
            "crd/wasmpolicies.portcullis.dev",
            "crd/policyexemptions.portcullis.dev",
            "crd/relocations.portcullis.dev",
        ];
        admin(&[&wait[..], &crds].concat(), "")
            .ok()
            .expect("it is established");
        delete_all();
        Turn { _turn: turn }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        delete_all();
    }
}

fn delete_all() {
    for kind in [
        &["wasmpolicies"][..],
        &["policyexemptions", "--all-namespaces"],
    ] {
        let deleted = admin(&[&["delete", "--all"], kind].concat(), "");
        // The next turn finds what is left, and fails.
        if deleted.code != 0 {
            eprintln!("{kind:?} are still there: {}", deleted.stderr);
        }
    }
}

/// Runs kubectl as an administrator.
pub(crate) fn admin(arguments: &[&str], stdin: &str) -> Answer {
    cluster()
        .kubectl(User::Admin, arguments, stdin)
        .expect("kubectl runs")
}

pub(crate) fn apply(document: &str) -> Answer {
    admin(&["apply", "-f", "-"], document)
}

/// A policy that denies moving tags in this namespace.
pub(crate) fn policy(namespace: &Namespace<'_>, name: &str) -> Value {
    let pods = json!({"apiGroups": ["apps"], "apiVersions": ["*"], "resources": ["deployments"],
        "operations": ["CREATE", "UPDATE"]});
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": namespace.name()}});
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "WasmPolicy",
        "metadata": {"name": name},
        "spec": {
            "program": {"builtin": "image-tags"},
            "matchConstraints": {"resourceRules": [pods], "namespaceSelector": selector},
        },
    })
}

/// One member of a policy, as `kubectl` shows it.
pub(crate) fn shown(name: &str, path: &str) -> String {
    let output = format!("jsonpath={{{path}}}");
    admin(&["get", "wasmpolicy", name, "-o", &output], "").stdout
}

/// The condition `Loaded`: its status, reason and message.
pub(crate) fn loaded(name: &str) -> [String; 3] {
    let of = ".status.conditions[?(@.type==\"Loaded\")]";
    ["status", "reason", "message"].map(|member| shown(name, &format!("{of}.{member}")))
}

/// Asks until something holds.
pub(crate) fn eventually<T: std::fmt::Debug>(
    what: &str,
    ask: impl FnMut() -> T,
    holds: impl Fn(&T) -> bool,
) -> T {
    timed(what, ask, holds).0
}

/// The same, and how long it took until the last question.
pub(crate) fn timed<T: std::fmt::Debug>(
    what: &str,
    mut ask: impl FnMut() -> T,
    holds: impl Fn(&T) -> bool,
) -> (T, Duration) {
    let started = Instant::now();
    loop {
        let took = started.elapsed();
        let answer = ask();
        if holds(&answer) {
            return (answer, took);
        }
        assert!(took < PATIENCE, "never: {what}: {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A namespace, and a replica that is registered for it.
pub(crate) struct Stage {
    // In the order in which they have to go.
    pub(crate) registration: Registration<'static>,
    pub(crate) portcullis: Portcullis,
    pub(crate) namespace: Namespace<'static>,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage::in_namespace(cluster().namespace().expect("a namespace"))
    }

    pub(crate) fn in_namespace(namespace: Namespace<'static>) -> Stage {
        let kubeconfig = cluster().kubeconfig(User::Admin);
        let portcullis = Portcullis::start_in(cluster(), &kubeconfig, "default", "replica")
            .expect("it gets ready");
        Stage::of(namespace, portcullis)
    }

    pub(crate) fn of(namespace: Namespace<'static>, portcullis: Portcullis) -> Stage {
        let registration = portcullis
            .register(cluster(), &[&named(&namespace)])
            .expect("a registration");
        registration
            .wait(&portcullis, &namespace)
            .expect("the API server calls");
        Stage {
            registration,
            portcullis,
            namespace,
        }
    }

    /// What becomes of a Deployment with a moving tag, which is not stored.
    pub(crate) fn ask(&self) -> Answer {
        let create = ["create", "--dry-run=server", "-f", "-"];
        let object = deployment("web", "nginx:latest");
        self.namespace
            .kubectl(User::Dev, &create, &object)
            .expect("kubectl runs")
    }

    pub(crate) fn eventually_denied(&self) -> Answer {
        eventually("denied", || self.ask(), is_denied)
    }

    pub(crate) fn eventually_allowed(&self) -> Answer {
        eventually("allowed", || self.ask(), |answer| answer.code == 0)
    }
}

pub(crate) fn is_denied(answer: &Answer) -> bool {
    answer.code != 0 && answer.stderr.contains("nginx:latest")
}
