//! The webhook configurations as they are to be, given the policies in force,
//! what is there and what is known. Pure; `api` writes them.
//!
//! ```text
//! not there, never was    -> a self-call succeeds -> there, every entry Ignore
//! there, Ignore           -> settled, a self-call succeeds, nothing that we
//!                            need is matched -> as asked
//! there, edited           -> mended
//! not there, but it was   -> somebody broke the glass: it stays away
//! ```

pub mod api;
mod relocation;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::state::{How, Kind, State};
use crate::policy::PolicySet;
use crate::registration::Registration;

/// The member of metadata that names owners.
const OWNERS: &str = "ownerReferences";
/// The label of what we have written.
const MARK: (&str, &str) = ("app.kubernetes.io/managed-by", "portcullis");
/// What we set besides the entries, so that cert-manager finds them.
const INJECT: &str = "cert-manager.io/inject-ca-from";
/// Loading a WasmPolicy may compile it, off the path of any other request.
const POLICIES_TIMEOUT_SECONDS: u8 = 15;

/// What is wanted of both configurations, whatever is there.
#[derive(Debug, Clone)]
pub struct Wish {
    /// As `portcullis webhook-config` has it.
    pub registration: Registration,
    /// The Certificate of cert-manager whose CA is injected:
    /// `NAMESPACE/CERTIFICATE`.
    pub ca_from: Option<String>,
    /// Whether policies are resources of the cluster, and so are tried out
    /// when they are written.
    pub vets: bool,
    /// Whether secrets leave ConfigMaps of namespaces that are enrolled.
    pub relocates: bool,
}

impl Wish {
    /// Both configurations as asked: validating, mutating.
    pub fn configurations(&self, set: &PolicySet) -> [Value; 2] {
        let mut both = self.registration.of_known(set);
        let entries = |configuration: &mut Value| -> Vec<Value> {
            match configuration["webhooks"].take() {
                Value::Array(entries) => entries,
                _ => vec![],
            }
        };
        let mut validating = entries(&mut both[0]);
        let mut mutating = entries(&mut both[1]);
        if self.relocates {
            let of_policies = validating.iter_mut().chain(&mut mutating);
            of_policies.for_each(relocation::let_put_back);
            let excluded = self.registration.excluded(set);
            let [checks, moves] = relocation::entries(&self.registration, &excluded);
            validating.push(checks);
            mutating.push(moves);
        }
        if self.vets {
            validating.push(self.policies());
        }
        both[0]["webhooks"] = validating.into();
        both[1]["webhooks"] = mutating.into();
        for configuration in &mut both {
            configuration["metadata"]["labels"] = json!({MARK.0: MARK.1});
            if let Some(from) = &self.ca_from {
                configuration["metadata"]["annotations"] = json!({INJECT: from});
            }
        }
        both
    }

    /// The entry by which policies and exemptions are checked when they are
    /// written. It fails
    /// open: a cluster whose Portcullis is broken can still be given another
    /// policy.
    fn policies(&self) -> Value {
        let registration = &self.registration;
        let bundle = registration.ca_bundle.as_ref();
        json!({
            "name": "policies.portcullis.dev",
            "admissionReviewVersions": ["v1"],
            "clientConfig": registration.target.client_config("/policies", bundle),
            "failurePolicy": "Ignore",
            "matchPolicy": "Equivalent",
            "matchConditions": [{
                "name": "changed",
                "expression": "request.operation != \"UPDATE\" || object.spec != oldObject.spec",
            }],
            "rules": [{
                "apiGroups": ["portcullis.dev"],
                "apiVersions": ["v1alpha1"],
                "resources": ["wasmpolicies"],
                "operations": ["CREATE", "UPDATE"],
                "scope": "Cluster",
            }, {
                "apiGroups": ["portcullis.dev"],
                "apiVersions": ["v1alpha1"],
                "resources": ["policyexemptions"],
                "operations": ["CREATE", "UPDATE"],
                "scope": "Namespaced",
            }],
            "sideEffects": "None",
            "timeoutSeconds": POLICIES_TIMEOUT_SECONDS,
        })
    }
}

/// Has a configuration go with what owns it.
pub fn owned(asked: &mut Value, owner: &OwnerReference) {
    asked["metadata"][OWNERS] = json!([owner]);
}

/// Whether entries that are asked to fail closed may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Those that are there and do so already.
    Hold,
    /// All.
    Allowed,
    /// None.
    Withheld,
}

/// What is asked, with Ignore where Fail may not be yet.
pub fn staged(asked: &Value, live: Option<&Value>, closing: Closing) -> Value {
    let mut staged = asked.clone();
    for entry in entries_mut(&mut staged) {
        let fails_now = live
            .and_then(|live| entry_of(live, &entry["name"]))
            .is_some_and(|live| live["failurePolicy"] == "Fail");
        let may_fail = match closing {
            Closing::Hold => fails_now,
            Closing::Allowed => true,
            Closing::Withheld => false,
        };
        if entry["failurePolicy"] == "Fail" && !may_fail {
            entry["failurePolicy"] = "Ignore".into();
        }
    }
    staged
}

/// Whether every entry is there and all that is left to do is to fail closed.
pub fn waits_to_close(asked: &Value, live: &Value) -> bool {
    let fails = |entry: &&Value| entry["failurePolicy"] == "Fail";
    let mut asked = entries(asked).iter().filter(fails);
    asked.any(|entry| !entry_of(live, &entry["name"]).is_some_and(|live| fails(&live)))
}

/// Whether what is there is what is wanted: every member that we set, no entry
/// besides ours, and nothing that narrows ours.
pub fn holds(wanted: &Value, live: &Value) -> bool {
    let (ours, theirs) = (entries(wanted), entries(live));
    let is_in_force = |entry: &Value| {
        entry_of(live, &entry["name"]).is_some_and(|live| {
            covers(entry, live)
                && is_same_or_empty(entry, live, "matchConditions")
                && is_same_or_empty(entry, live, "objectSelector")
        })
    };
    ours.len() == theirs.len()
        && ours.iter().all(is_in_force)
        && covers_metadata(&wanted["metadata"], &live["metadata"])
}

/// Owners of others may stand beside ours.
fn covers_metadata(wanted: &Value, live: &Value) -> bool {
    let owners = |metadata: &Value| metadata[OWNERS].as_array().cloned().unwrap_or_default();
    let (ours, known) = (owners(wanted), owners(live));
    let mut rest = wanted.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.remove(OWNERS);
    }
    covers(&rest, live)
        && ours
            .iter()
            .all(|our| known.iter().any(|one| covers(our, one)))
}

/// `covers` is happy with members that are only in what is there; these two
/// would switch an entry off.
fn is_same_or_empty(entry: &Value, live: &Value, member: &str) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    entry.get(member).is_some() || live.get(member).is_none_or(is_empty)
}

/// Whether all that is wanted is there; the API server adds defaults.
fn covers(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted
            .iter()
            .all(|(key, wanted)| live.get(key).is_some_and(|live| covers(wanted, live))),
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(w, l)| covers(w, l))
        }
        (wanted, live) => wanted == live,
    }
}

/// The entries of a configuration.
pub fn entries(configuration: &Value) -> &[Value] {
    let entries = configuration["webhooks"].as_array();
    entries.map_or(&[], Vec::as_slice)
}

fn entries_mut(configuration: &mut Value) -> &mut [Value] {
    let entries = configuration["webhooks"].as_array_mut();
    entries.map_or(&mut [], Vec::as_mut_slice)
}

fn entry_of<'v>(configuration: &'v Value, name: &Value) -> Option<&'v Value> {
    entries(configuration)
        .iter()
        .find(|entry| entry["name"] == *name)
}

/// The bundle that is in force in every entry of what is there, base64; None
/// where they differ or have none.
pub fn bundle_of(live: &Value) -> Option<&str> {
    let bundles = entries(live)
        .iter()
        .map(|entry| entry["clientConfig"]["caBundle"].as_str());
    let mut bundles = bundles.collect::<Vec<_>>();
    bundles.dedup();
    match bundles.as_slice() {
        [Some(bundle)] if !bundle.is_empty() => Some(bundle),
        _ => None,
    }
}

/// The CAs that are in force in every entry of what is there, PEM.
pub fn ca_of(live: &Value) -> Option<String> {
    let bundle = STANDARD.decode(bundle_of(live)?).ok()?;
    String::from_utf8(bundle).ok()
}

/// What becomes of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is written, or mended.
    Apply,
    /// Somebody has deleted it: it stays away.
    Broken,
    /// It stays away.
    Away,
    /// It is there though it should stay away.
    Delete,
}

/// Whether a configuration is there, but nothing of it is ours: the manifests
/// hold it empty, so that it is deleted with them, and first. Then it is as if
/// it were not there; and where we had registered it was deleted meanwhile.
pub fn is_blank(live: &Value) -> bool {
    let metadata = &live["metadata"];
    entries(live).is_empty() && metadata[OWNERS].is_null() && metadata["labels"][MARK.0] != MARK.1
}

/// What becomes of a configuration that is there or not.
pub fn fate(kind: Kind, state: &State, is_there: bool) -> Fate {
    match (state.away.contains_key(&kind), is_there) {
        (true, true) => Fate::Delete,
        (true, false) => Fate::Away,
        (false, false) if state.registered.contains(&kind) => Fate::Broken,
        (false, _) => Fate::Apply,
    }
}

/// One line for people: what is away, since when, and how it comes back.
pub fn away_line(state: &State) -> String {
    let lines = state.away.iter().map(|(kind, away)| {
        let how = match away.how {
            How::Deleted => "was deleted",
            How::Paused => "was paused",
            How::Deregistered => "was deregistered",
        };
        let by = match away.by.as_str() {
            "" => String::new(),
            by => format!(" by {by}"),
        };
        let kind = match kind {
            Kind::Validating => "validating",
            Kind::Mutating => "mutating",
        };
        format!("{kind} {how}{by} at {}", away.at)
    });
    lines.collect::<Vec<_>>().join("; ") + ": it stays away until `portcullis resume`"
}

#[cfg(test)]
mod tests;
