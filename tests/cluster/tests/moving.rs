//! Secrets leave ConfigMaps: two replicas of the webhook and one that serves,
//! each with the rights that the chart has for it, and a real kubelet.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_cluster::installation::Serving;
use portcullis_cluster::{Answer, Installation, Portcullis, User};
use serde_json::{Value, json};

use crate::policies::{Turn, admin, apply, eventually, shown};
use crate::support::cluster;

/// What was backed up comes back.
mod backups;
/// Values that must not come out.
mod canaries;
/// What pods read, before and after.
mod consumers;
/// What a move takes.
mod cost;
/// Secrets that are gone, and values that are written again.
mod dangling;
/// Comparing with what is written down, and rolling out what is new.
mod drift;
/// What the chart grants.
mod granted;
/// The same ConfigMaps and pods over time, beside a namespace without Portcullis.
mod histories;
/// The keys of the digests.
mod keyed;
/// Processes that are killed.
mod kills;
/// Values come, change and go.
mod lives;
/// What is told before.
mod planned;
/// Writes that are tried out first.
mod replay;
/// Who tries to gain by it.
mod rights;
/// What can go wrong, and does not.
mod rows;
/// What is there is moved step by step, and back.
mod stages;
/// What nobody has to be asked about.
mod unasked;

/// For anything that takes seconds.
const SOON: Duration = Duration::from_secs(90);

/// A value that nobody else writes.
pub(crate) const VALUE: &str = "Tr0ub4dor-7q9zX1";
/// Another one.
pub(crate) const OTHER: &str = "c0rrect-Horse-81bQ";

/// Of both replicas.
const OPTIONS: [&str; 5] = [
    "--restorer=velero",
    "--settle=0s",
    "--audit-interval=off",
    "--relocation",
    "--port-is-guarded",
];

/// The policy that says what is secret.
fn document() -> Value {
    json!({
        "apiVersion": "portcullis.dev/v1alpha1",
        "kind": "WasmPolicy",
        "metadata": {"name": "configmap-secrets"},
        "spec": {
            "program": {"builtin": "configmap-secrets"},
            "grants": ["values"],
            "validationActions": ["Move"],
            "limits": {"deadlineMilliseconds": 2_000},
        },
    })
}

/// An installation that moves secrets in namespaces of its own label.
pub(crate) struct Stage {
    // In the order in which they have to go.
    namespaces: Vec<String>,
    pub(crate) installation: Installation<'static>,
    pub(crate) serving: Option<Serving>,
    /// An option of all processes.
    log: &'static str,
    _turn: Turn,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage::logging("--log=portcullis=trace,info")
    }

    /// With this option of all processes.
    pub(crate) fn logging(log: &'static str) -> Stage {
        let turn = Turn::take();
        let mut installation = Installation::new(cluster()).expect("a place");
        let selector = selector(&installation);
        let serving = installation
            .serve_relocation(&[&selector, log])
            .expect("it serves");
        for _ in 0..2 {
            let options = [&OPTIONS[..], &[log, &selector]].concat();
            installation.start(&[], &options).expect("it starts");
        }
        apply(&document().to_string()).ok().expect("a policy");
        let path = ".status.conditions[?(@.type==\"Loaded\")].status";
        let status = || shown("configmap-secrets", path);
        eventually("loaded", status, |status| status == "True");
        let closed = |installation: &Installation<'_>| {
            let [validating, _] = installation.configurations()?;
            let entries = portcullis_cluster::installation::failure_policies(&validating);
            Ok(entries.contains(&("relocate.validate.portcullis.dev".into(), "Fail".into())))
        };
        installation
            .eventually("it fails closed", SOON, closed)
            .expect("closed");
        Stage {
            namespaces: vec![],
            installation,
            serving: Some(serving),
            log,
            _turn: turn,
        }
    }

    /// Starts a replica again, that was killed.
    pub(crate) fn restart(&mut self, name: &str) {
        let selector = selector(&self.installation);
        let options = [&OPTIONS[..], &[self.log, &selector]].concat();
        let restarted = self.installation.restart(name, &[], &options);
        restarted.expect("it starts again");
    }

    /// One more process that serves.
    pub(crate) fn serve_too(&self) -> Serving {
        let selector = selector(&self.installation);
        let serving = self.installation.serve_relocation(&[&selector, self.log]);
        serving.expect("it serves")
    }

    /// A namespace that is judged, and not enrolled.
    pub(crate) fn namespace(&mut self, short: &str) -> String {
        self.named(&format!("{}-{short}", self.installation.name()))
    }

    /// [`Stage::namespace`], of this name.
    pub(crate) fn named(&mut self, name: &str) -> String {
        let (run, name) = (self.installation.name(), name.to_owned());
        let object = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": name, "labels": {"run": run}}});
        self.namespaces.push(name.clone());
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

    /// A namespace that is enrolled, as a person does it; the API server knows.
    pub(crate) fn enrolled(&mut self, short: &str) -> String {
        let name = self.namespace(short);
        let said = self.enrol(&name);
        assert!(said.contains("is enrolled"), "{said}");
        name
    }

    pub(crate) fn enrol(&self, namespace: &str) -> String {
        let account = format!("--account={}", self.installation.name());
        let said = self
            .secrets(&["enrol", namespace, &account])
            .expect("enrolled");
        // A moment later the API server knows both, the label and the rights.
        let probe = config_map("probe", json!({"PASSWORD": VALUE}));
        let ask = || {
            kubectl(
                namespace,
                &["apply", "--dry-run=server", "-o", "json", "-f", "-"],
                &probe,
            )
        };
        eventually("asked", ask, |answer| {
            answer.code == 0 && answer.stdout.contains("moved-secret:v1:")
        });
        said
    }

    /// Runs `portcullis secrets ...` as an administrator.
    pub(crate) fn secrets(&self, arguments: &[&str]) -> Result<String, String> {
        let line = self.secrets_line(arguments);
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        Portcullis::print(&words).map_err(|error| format!("{error:#}"))
    }

    /// The arguments of that.
    pub(crate) fn secrets_line(&self, arguments: &[&str]) -> Vec<String> {
        let config = cluster().kubeconfig(User::Admin).display().to_string();
        let installation = format!("--installation={}", self.installation.home.name());
        let takes_installation =
            matches!(arguments[0], "enrol" | "restore" | "plan" | "rotate-keys");
        let place = takes_installation.then_some(installation.as_str());
        [&["secrets"], arguments, &["--kubeconfig", &config]]
            .concat()
            .into_iter()
            .chain(place)
            .map(str::to_owned)
            .collect()
    }
}

/// The namespaces of this installation alone.
fn selector(installation: &Installation<'_>) -> String {
    format!("--namespace-selector=run={}", installation.name())
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.serving = None;
        for name in &self.namespaces {
            // Nobody of ours may be asked any more.
            admin(&["label", "namespace", name, "portcullis.dev/secrets-"], "");
            admin(&["delete", "namespace", name, "--wait=false"], "");
        }
        let guards = "validatingadmissionpolicy,validatingadmissionpolicybinding";
        let delete = [
            "portcullis-reserved-secrets",
            "portcullis-secrets-enrolment",
        ];
        admin(
            &[&["delete", guards, "--ignore-not-found"], &delete[..]].concat(),
            "",
        );
    }
}

pub(crate) fn kubectl(namespace: &str, arguments: &[&str], stdin: &str) -> Answer {
    admin(&[arguments, &["-n", namespace]].concat(), stdin)
}

pub(crate) fn config_map(name: &str, data: Value) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
        .to_string()
}

/// An object as JSON; null where there is none.
pub(crate) fn get(namespace: &str, kind: &str, name: &str) -> Value {
    let answer = kubectl(namespace, &["get", kind, name, "-o", "json"], "");
    match answer.code {
        0 => serde_json::from_str(&answer.stdout).expect("JSON"),
        _ => Value::Null,
    }
}

/// Waits until pods read this value under `PASSWORD` of a ConfigMap.
pub(crate) fn served_as(namespace: &str, name: &str, value: &str) {
    let read = || {
        served(namespace, name);
        let secret = get(namespace, "secret", &format!("portcullis-moved-t-{name}"));
        secret["data"]["PASSWORD"] == STANDARD.encode(value)
    };
    eventually("its value is served", read, |is_it| *is_it);
}

/// Waits until what was moved out of a ConfigMap is served as it is now.
pub(crate) fn served(namespace: &str, name: &str) -> Value {
    let read = || get(namespace, "relocation", name);
    eventually("served", read, |found| found["status"]["state"] == "Served")
}
