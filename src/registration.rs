//! The registration with the API server: what `portcullis webhook-config`
//! prints.
//!
//! Knows: webhook configurations of `admissionregistration.k8s.io/v1`, and the
//! paths that `server::routes` offers. Must not know: how policies run, or a
//! cluster.
//!
//! Invariant: what a policy of the set judges is sent to us, and nothing in a
//! namespace that must never wait for a webhook is.
#![deny(clippy::disallowed_types)]

mod changes;
pub mod name;
pub mod never;
pub mod reach;
pub mod selector;
pub mod target;
pub mod yaml;

use std::collections::BTreeSet;

use portcullis_contract::{NAME_LABEL, SelectorRequirement};
use serde_json::{Value, json};

use crate::policy::set::SYSTEM_NAMESPACES;
use crate::policy::{FailurePolicy, Policy, PolicySet};
use reach::Reach;
use target::Target;

/// What the API server waits (design: reliability.md, F7).
const MUTATE_TIMEOUT_SECONDS: u8 = 5;
const VALIDATE_TIMEOUT_SECONDS: u8 = 3;

/// Why there is no registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An option that cannot be used.
    #[error("{option} {problem}")]
    Option {
        /// Its name: `--url`.
        option: &'static str,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// A policy of which nobody knows what it judges.
    #[error(
        "policy `{policy}` cannot be registered, since what it judges is not known ({cause}): \
         mend it, take it out, or give it `spec.matchConstraints`"
    )]
    Unknown {
        /// The policy.
        policy: String,
        /// Why it could not be read.
        cause: String,
    },
}

/// The halves of admission, as the API server calls them one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Mutate,
    Validate,
}

/// How the API server is to reach us, and for what.
#[derive(Debug, Clone)]
pub struct Registration {
    /// `metadata.name` of both configurations.
    pub name: name::Name,
    /// Where we listen.
    pub target: Target,
    /// The CA of our certificate, PEM in base64; None where somebody else
    /// writes it.
    pub ca_bundle: Option<target::CaBundle>,
    /// What the labels of a namespace must fulfil besides.
    pub namespaces: Vec<SelectorRequirement>,
    /// What the labels of an object, old or new, must fulfil. Users choose
    /// them: only for opting in (design: reliability.md, F11).
    pub objects: Vec<SelectorRequirement>,
}

impl Registration {
    /// The two configurations for these policies, validating and mutating.
    /// One without an entry is still there, so that `kubectl apply` takes
    /// away what an earlier set of policies needed; it has no member
    /// `webhooks` then, since the API server stores no empty list and
    /// `kubectl diff` would never be clean.
    ///
    /// # Errors
    ///
    /// A policy whose program could not be read and whose document does not
    /// say what it judges.
    pub fn configurations(&self, set: &PolicySet) -> Result<[Value; 2], Error> {
        match unknown(set).next() {
            Some(unknown) => Err(unknown),
            None => Ok(self.of_known(set)),
        }
    }

    /// [`Registration::configurations`] for those policies of the set of which
    /// it is known what they judge; [`unknown`] has the others.
    pub fn of_known(&self, set: &PolicySet) -> [Value; 2] {
        let excluded = self.excluded(set);
        let configuration = |kind: &str, phase| {
            let webhooks = [FailurePolicy::Fail, FailurePolicy::Ignore]
                .into_iter()
                .filter_map(|group| self.entry(set, phase, group, &excluded))
                .collect::<Vec<Value>>();
            let mut configuration = json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": self.name.as_str()},
            });
            if !webhooks.is_empty() {
                configuration["webhooks"] = webhooks.into();
            }
            configuration
        };
        [
            configuration("ValidatingWebhookConfiguration", Phase::Validate),
            configuration("MutatingWebhookConfiguration", Phase::Mutate),
        ]
    }

    /// Namespaces that work on whatever becomes of us: the system's, those
    /// that the options name, and our own (design: reliability.md, section 3).
    /// They are told by the one label that users cannot change (F11).
    pub fn excluded(&self, set: &PolicySet) -> BTreeSet<String> {
        let system = SYSTEM_NAMESPACES.map(String::from);
        let own = self.target.namespace().map(String::from);
        let asked = set.excluded_namespaces.iter().cloned();
        system.into_iter().chain(asked).chain(own).collect()
    }

    /// The entry of one path; None if no policy is asked there.
    fn entry(
        &self,
        set: &PolicySet,
        phase: Phase,
        group: FailurePolicy,
        excluded: &BTreeSet<String>,
    ) -> Option<Value> {
        let is_asked = |policy: &&Policy| {
            set.asks(policy)
                && policy.spec.failure_policy == group
                && (phase == Phase::Validate || policy.is_mutating())
        };
        let asked: Vec<&Policy> = set.policies().iter().filter(is_asked).collect();
        let known = asked.iter().filter_map(|policy| policy.constraints());
        let reach: Reach<'_> = known.collect();
        if reach.is_empty() {
            return None;
        }
        let group_name = match group {
            FailurePolicy::Fail => "fail",
            FailurePolicy::Ignore => "ignore",
        };
        let (phase_name, timeout) = match phase {
            Phase::Mutate => ("mutate", MUTATE_TIMEOUT_SECONDS),
            Phase::Validate => ("validate", VALIDATE_TIMEOUT_SECONDS),
        };
        let path = format!("/{phase_name}/{group_name}");
        let mut entry = json!({
            "name": format!("{group_name}.{phase_name}.portcullis.dev"),
            "admissionReviewVersions": ["v1"],
            "clientConfig": self.target.client_config(&path, self.ca_bundle.as_ref()),
            "failurePolicy": group.to_string(),
            "matchPolicy": "Equivalent",
            "namespaceSelector": {"matchExpressions": self.requirements(excluded)},
            "rules": reach.rules(),
            "sideEffects": side_effects(&asked),
            "timeoutSeconds": timeout,
        });
        let mut conditions = reach.conditions();
        conditions.extend(changes::condition(&asked));
        if !conditions.is_empty() {
            entry["matchConditions"] = Value::from(conditions);
        }
        if !self.objects.is_empty() {
            entry["objectSelector"] = json!({"matchExpressions": self.objects});
        }
        if phase == Phase::Mutate {
            // What another webhook changes after us is looked at again.
            entry["reinvocationPolicy"] = "IfNeeded".into();
        }
        Some(entry)
    }

    fn requirements(&self, excluded: &BTreeSet<String>) -> Vec<Value> {
        let first = json!({"key": NAME_LABEL, "operator": "NotIn", "values": excluded});
        let others = self.namespaces.iter().map(|requirement| json!(requirement));
        std::iter::once(first).chain(others).collect()
    }
}

/// What the API server is told of effects: it does not send dry-runs to who
/// may have any, unless they are left out then.
fn side_effects(asked: &[&Policy]) -> &'static str {
    let has_effects = |policy: &&Policy| {
        let description = policy.description.as_ref();
        description.is_none_or(|description| !description.effects.is_empty())
    };
    match asked.iter().any(has_effects) {
        true => "NoneOnDryRun",
        false => "None",
    }
}

/// Policies of which nobody knows what they judge.
pub fn unknown(set: &PolicySet) -> impl Iterator<Item = Error> + '_ {
    let policies = set.policies().iter();
    let unknown = policies.filter(|policy| policy.constraints().is_none());
    unknown.map(|policy| Error::Unknown {
        policy: policy.name.to_string(),
        cause: match &policy.program {
            Err(failure) => failure.to_string(),
            Ok(_) => "it has no description".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests;
