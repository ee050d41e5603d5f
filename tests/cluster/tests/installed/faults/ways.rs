//! How each call that an installation makes is provoked.

use std::time::Duration;

use portcullis_cluster::proxy::{Fault, Injection, Rule};
use portcullis_cluster::{Installation, User};
use serde_json::{Value, json};

use super::Stage;
use crate::installed::SOON;
use crate::policies::{admin, apply, policy};

const SECRET: &str = "secret/portcullis-certificates";
const STATE: &str = "configmap/portcullis-state";
const OWNED: &str = "app.kubernetes.io/managed-by";

/// How a call is provoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It comes again within seconds, whatever happens.
    OfItself,
    /// A watch ends, and starts again with a list.
    WatchEnds,
    /// A policy is changed.
    Change,
    /// What the pods need is looked at twice a minute.
    Look,
    /// Labels are asked for one by one while they cannot be watched.
    LabelsUnknown,
    /// Somebody takes from the anchor what owns it.
    Disown,
    /// Somebody changes a configuration.
    Edit,
    /// Somebody registers what is deregistered.
    Intrude,
    /// An object of ours goes away.
    Delete(&'static str),
    /// The certificates are damaged.
    Damage,
    /// What is remembered is edited.
    Forget,
    /// Something is wrong for the first time: a Secret that is not ours.
    Tell,
    /// It is wrong again.
    TellAgain,
    /// A copy that nobody refers to is collected.
    Collect,
}

/// What has to be undone after a fault.
#[must_use = "it is undone when this is given back to `mend`"]
pub(super) enum Undo {
    Nothing,
    Register(String),
    Label,
    /// Until this is dropped, namespaces cannot be watched.
    Labels {
        _rules: [Injection; 2],
    },
}

impl Way {
    /// The way for a verb and a resource; each right has one.
    pub(super) fn of(verb: &str, resource: &str) -> Way {
        match (verb, resource) {
            ("get", "pods") | ("list", "daemonsets" | "services") => Way::Look,
            ("get", "namespaces") => Way::LabelsUnknown,
            ("patch", "clusterroles") => Way::Disown,
            ("get", "secrets" | "configmaps" | "leases" | "clusterroles")
            | ("update", "leases") => Way::OfItself,
            ("get", "validatingwebhookconfigurations" | "mutatingwebhookconfigurations") => {
                Way::OfItself
            }
            ("list" | "watch", _) => Way::WatchEnds,
            ("patch", "wasmpolicies/status") => Way::Change,
            ("patch", "validatingwebhookconfigurations" | "mutatingwebhookconfigurations") => {
                Way::Edit
            }
            ("delete", "validatingwebhookconfigurations" | "mutatingwebhookconfigurations") => {
                Way::Intrude
            }
            ("create", "secrets") => Way::Delete(SECRET),
            ("create", "leases") => Way::Delete("lease/portcullis-leader"),
            ("create", "configmaps") => Way::Delete(STATE),
            ("update", "secrets") => Way::Damage,
            ("update", "configmaps") => Way::Forget,
            ("delete", "configmaps") => Way::Collect,
            ("create", "events") => Way::Tell,
            ("patch", "events") => Way::TellAgain,
            _ => panic!("nobody knows how to make it {verb} {resource}: add a way"),
        }
    }

    pub(super) fn takes_minutes(self) -> bool {
        self == Way::Collect
    }

    /// How long it may be until the call is made.
    pub(super) fn patience(self) -> Duration {
        match self {
            Way::Collect => Duration::from_secs(180),
            // Twice a minute, if nothing else takes long.
            Way::Look => Duration::from_secs(60),
            _ => SOON,
        }
    }
}

impl Stage {
    /// Provokes the call on `resource`.
    pub(super) fn provoke(&self, way: Way, resource: &str, number: usize) -> Undo {
        let installation = &self.installation;
        match way {
            // Watches are ended again and again, until the call is made.
            Way::OfItself | Way::Look | Way::Change | Way::WatchEnds => {}
            Way::LabelsUnknown => return self.ask_for_labels(),
            Way::Disown => {
                let none = r#"{"metadata": {"ownerReferences": []}}"#;
                let anchor = installation.anchor();
                self.admin(&["patch", "clusterrole", &anchor, "--type=merge", "-p", none]);
            }
            Way::Edit => {
                let object = format!("{}/{}", kind(resource), installation.name());
                self.admin(&["label", &object, &format!("{OWNED}-")]);
            }
            Way::Intrude => return self.intrude(resource),
            Way::Delete(object) => self.admin(&["delete", object]),
            Way::Damage => {
                let damage = json!({"stringData": {"ca.key": format!("oops {number}")}});
                self.admin(&["patch", SECRET, "-p", &damage.to_string()]);
            }
            Way::Forget => {
                let mut state = installation.state().expect("a state");
                state["excludedNamespaces"] = json!([]);
                let data = json!({"data": {"state.json": state.to_string()}}).to_string();
                self.admin(&["patch", STATE, "--type=merge", "-p", &data]);
            }
            Way::Tell => {
                // Of another object, so that it is another event.
                self.admin(&["delete", STATE]);
                self.eventually("it is there again", |i| Ok(!i.get(STATE)?.is_null()));
                return self.disown();
            }
            Way::TellAgain => {
                self.mend(self.disown());
                return self.disown();
            }
            Way::Collect => self.orphan(number),
        }
        Undo::Nothing
    }

    /// Puts right what a way has done, once the fault is over.
    pub(super) fn mend(&self, undo: Undo) {
        match undo {
            Undo::Nothing => {}
            Undo::Labels { .. } => {
                let deleted = admin(&["delete", "wasmpolicy", "labels"], "");
                deleted.ok().expect("deleted");
            }
            Undo::Label => {
                self.admin(&["label", SECRET, &format!("{OWNED}=portcullis")]);
                self.eventually("it is kept again", |i| Ok(says(&i.state()?, true)));
            }
            Undo::Register(object) => {
                self.eventually("it is taken away", |i| Ok(i.get(&object)?.is_null()));
                self.installation.command("resume").expect("resumed");
            }
        }
    }

    fn admin(&self, arguments: &[&str]) {
        let answer = self.installation.home.kubectl(User::Admin, arguments, "");
        answer.expect("kubectl").ok().expect("done");
    }

    fn eventually(&self, what: &str, holds: impl Fn(&Installation<'_>) -> anyhow::Result<bool>) {
        let took = self.installation.eventually(what, SOON, holds);
        took.expect("in the end");
    }

    /// The Secret is somebody else's now, which is told.
    fn disown(&self) -> Undo {
        self.admin(&["label", SECRET, &format!("{OWNED}-")]);
        self.eventually("it is told", |i| Ok(says(&i.state()?, false)));
        Undo::Label
    }

    fn intrude(&self, resource: &str) -> Undo {
        let installation = &self.installation;
        installation.command("deregister").expect("deregistered");
        let kind = kind(resource);
        // An empty one would be what an uninstall leaves, and stays.
        let entry = json!({"name": "a.example.org", "clientConfig": {"url": "https://127.0.0.1:9/"},
            "failurePolicy": "Ignore", "sideEffects": "None", "admissionReviewVersions": ["v1"]});
        let object = json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
            "metadata": {"name": installation.name()}, "webhooks": [entry]});
        let created = admin(&["create", "-f", "-"], &object.to_string());
        created.ok().expect("a configuration");
        Undo::Register(format!("{kind}/{}", installation.name()))
    }

    fn ask_for_labels(&self) -> Undo {
        let mut document = policy(&self.namespace, "labels");
        document["spec"]["failurePolicy"] = json!("Ignore");
        document["spec"]["matchConstraints"]["namespaceSelector"] = json!({"matchExpressions":
            [{"key": "env", "operator": "NotIn", "values": ["dev"]}]});
        apply(&document.to_string()).ok().expect("a policy");
        let account = self.installation.account_name();
        let rules = ["list", "watch"].map(|verb| {
            let rule = Rule::new(Fault::Unavailable).account(&account);
            self.proxy.inject(rule.resource("namespaces").verb(verb))
        });
        self.proxy.expire_watches("namespaces");
        Undo::Labels { _rules: rules }
    }

    /// A copy of a program that no policy names.
    fn orphan(&self, number: usize) {
        let name = format!("portcullis-program-{number:064x}");
        let labels = json!({OWNED: "portcullis", "portcullis.dev/kept": "program"});
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "labels": labels}});
        let home = &self.installation.home;
        let created = home.kubectl(User::Admin, &["create", "-f", "-"], &map.to_string());
        created.expect("kubectl").ok().expect("a copy");
    }
}

/// As `kubectl` takes it, and a document names it.
fn kind(resource: &str) -> &'static str {
    match resource {
        "validatingwebhookconfigurations" => "ValidatingWebhookConfiguration",
        _ => "MutatingWebhookConfiguration",
    }
}

/// Whether the state says that certificates are kept, or are not.
fn says(state: &Value, kept: bool) -> bool {
    let conditions = state["conditions"].as_array().into_iter().flatten();
    let mut of_them = conditions.filter(|one| one["type"] == "CertificatesKept");
    of_them.any(|one| one["status"] == kept)
}
