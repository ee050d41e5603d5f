//! The policy `default-network-policy`: what stands before the first pod of a
//! namespace, and stays. Two replicas, with the rights of the chart and no
//! others.

use std::time::Duration;

use portcullis_cluster::proxy::Proxy;
use portcullis_cluster::{Answer, Installation, User};
use serde_json::{Value, json};

use crate::policies::{Turn, admin, apply, eventually, shown};
use crate::support::cluster;

/// A policy of somebody else, with other effects.
mod author;
/// What the API server calls, what is told, what an audit finds.
mod callers;
/// What a pod costs.
mod cost;
/// What others wrote, and what is withdrawn then.
mod coverage;
/// Faults of the API server.
mod faults;
/// The moment of the first pod.
mod first;
/// Who may enrol a namespace.
mod guarding;
/// What is kept, repaired and taken away.
mod kept;
/// What the chart grants.
mod rights;
/// Many namespaces.
mod scale;
/// What is known is seconds old.
mod stale;
/// Replicas that are killed in the middle of a step.
mod steps;
/// Who tells whether a pod came too early.
mod witness;

/// For anything that takes seconds.
const SOON: Duration = Duration::from_secs(60);

/// The name of every NetworkPolicy that is made.
const NAME: &str = "portcullis-default";

/// The policy, which judges nothing but what it is for.
pub(crate) fn document() -> Value {
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "WasmPolicy",
        "metadata": {"name": "default-network-policy"},
        "spec": {
            "program": {"builtin": "default-network-policy"},
            "effects": [{"apiGroup": "networking.k8s.io", "resource": "networkpolicies",
                "mode": "Apply"}],
            // A machine that does much else besides must not be what fails a write.
            "limits": {"deadlineMilliseconds": 2_000},
        },
    })
}

/// Two replicas that judge what is in namespaces of their own label, and the
/// policy in force.
pub(crate) struct Stage {
    // In the order in which they have to go.
    namespaces: Vec<String>,
    pub(crate) installation: Installation<'static>,
    replicas: usize,
    _turn: Turn,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage::through(None)
    }

    /// Which reaches the API server by this proxy.
    pub(crate) fn through(proxy: Option<&Proxy<'_>>) -> Stage {
        // Nothing here may wait for an audit.
        Stage::audited(proxy, "off")
    }

    /// The same, where what is there is audited this often.
    pub(crate) fn audited(proxy: Option<&Proxy<'_>>, every: &str) -> Stage {
        let turn = Turn::take();
        let mut installation = Installation::new(cluster()).expect("a place");
        grant(&installation);
        if let Some(proxy) = proxy {
            installation.through(proxy).expect("a way");
        }
        for _ in 0..2 {
            start(&mut installation, every).expect("it starts");
        }
        apply(&document().to_string()).ok().expect("a policy");
        for kind in ["Loaded", "Registered"] {
            let path = format!(".status.conditions[?(@.type==\"{kind}\")].status");
            let status = || shown("default-network-policy", &path);
            eventually(kind, status, |status| status == "True");
        }
        let closed = |installation: &Installation<'_>| {
            let [validating, _] = installation.configurations()?;
            let entries = portcullis_cluster::installation::failure_policies(&validating);
            let closed = ("fail.validate.portcullis.dev".into(), "Fail".into());
            let all_ready = installation.ready()?.iter().all(|ready| *ready);
            Ok(entries.contains(&closed) && all_ready)
        };
        installation
            .eventually("it fails closed", SOON, closed)
            .expect("closed");
        let stage = Stage {
            namespaces: vec![],
            installation,
            replicas: 2,
            _turn: turn,
        };
        stage.wait_for_calls();
        stage
    }

    /// The API server learns of a registration a moment later than who asks
    /// for it.
    fn wait_for_calls(&self) {
        let wrong = self.namespace_text("none", "no-such-profile");
        let ask = || admin(&["create", "--dry-run=server", "-f", "-"], &wrong);
        eventually("called", ask, |answer| {
            answer.stderr.contains("unknown-profile")
        });
    }

    /// Starts one more replica; gives its number.
    pub(crate) fn replace(&mut self) -> anyhow::Result<usize> {
        start(&mut self.installation, "off")?;
        self.replicas += 1;
        Ok(self.replicas - 1)
    }

    /// The name of a namespace of this stage.
    pub(crate) fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.installation.name())
    }

    /// A Namespace that is judged, with this profile.
    pub(crate) fn namespace_text(&self, short: &str, profile: &str) -> String {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name(short),
            "labels": {"run": self.installation.name(), "portcullis.dev/network": profile}}})
        .to_string()
    }

    /// A namespace that is judged and has this label besides, or none.
    pub(crate) fn namespace(&mut self, short: &str, profile: Option<&str>) -> String {
        let name = self.name(short);
        self.namespaces.push(name.clone());
        let mut object: Value =
            serde_json::from_str(&self.namespace_text(short, "")).expect("an object");
        let labels = object["metadata"]["labels"].as_object_mut();
        let labels = labels.expect("labels");
        match profile {
            Some(profile) => labels.insert("portcullis.dev/network".into(), profile.into()),
            None => labels.remove("portcullis.dev/network"),
        };
        admin(&["create", "-f", "-"], &object.to_string())
            .ok()
            .expect("a namespace");
        let wait = [
            "wait",
            "--for=create",
            "serviceaccount/default",
            "--timeout=60s",
        ];
        admin(&[&wait[..], &["-n", &name]].concat(), "")
            .ok()
            .expect("its account");
        name
    }
}

/// A replica that judges what has the label of its installation.
fn start(installation: &mut Installation<'_>, every: &str) -> anyhow::Result<()> {
    let selector = format!("--namespace-selector=run={}", installation.name());
    let every = format!("--audit-interval={every}");
    let options = ["--settle=0s", &every, &selector];
    installation.start(&[], &options)
}

impl Drop for Stage {
    fn drop(&mut self) {
        for name in &self.namespaces {
            admin(&["delete", "namespace", name, "--wait=false"], "");
        }
        let name = format!("{}-networks", self.installation.name());
        let kinds = "clusterrole,clusterrolebinding";
        admin(&["delete", kinds, &name, "--ignore-not-found"], "");
    }
}

/// The rights that the chart has for it, for this installation.
fn grant(installation: &Installation<'_>) {
    let name = installation.name();
    let rights = rights::of_chart()
        .replace(
            "name: portcullis-networks",
            &format!("name: {name}-networks"),
        )
        .replace("name: portcullis\n", &format!("name: {name}\n"))
        .replace("{{ .Release.Namespace }}", installation.home.name());
    apply(&rights).ok().expect("rights");
}

/// A proxy in front of the API server, from within a test that is asynchronous.
pub(crate) fn proxied() -> Proxy<'static> {
    tokio::task::block_in_place(|| Proxy::start(cluster())).expect("a proxy")
}

/// A Pod that asks for nothing.
pub(crate) fn pod(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}})
    .to_string()
}

/// Enrols a namespace that is there.
pub(crate) fn enrol(namespace: &str) {
    let profile = "portcullis.dev/network=isolate-ingress";
    let label = ["label", "namespace", namespace, profile];
    admin(&label, "").ok().expect("labelled");
}

pub(crate) fn create_in(namespace: &str, object: &str) -> Answer {
    admin(&["create", "-n", namespace, "-f", "-"], object)
}

/// The NetworkPolicy of a namespace; null where there is none.
pub(crate) fn network_policy(namespace: &str) -> Value {
    let get = ["get", "networkpolicy", NAME, "-n", namespace, "-o", "json"];
    let answer = cluster()
        .kubectl(User::Admin, &get, "")
        .expect("kubectl runs");
    match answer.code {
        0 => serde_json::from_str(&answer.stdout).expect("JSON"),
        _ => Value::Null,
    }
}
