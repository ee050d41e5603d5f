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

pub mod name;
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
    /// The CA of our certificate, PEM in base64.
    pub ca_bundle: target::CaBundle,
    /// What the labels of a namespace must fulfil besides.
    pub namespaces: Vec<SelectorRequirement>,
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
        let excluded = self.excluded(set);
        let configuration = |kind: &str, phase| -> Result<Value, Error> {
            let webhooks = [FailurePolicy::Fail, FailurePolicy::Ignore]
                .into_iter()
                .filter_map(|group| self.entry(set, phase, group, &excluded).transpose())
                .collect::<Result<Vec<Value>, Error>>()?;
            let mut configuration = json!({
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": self.name.as_str()},
            });
            if !webhooks.is_empty() {
                configuration["webhooks"] = webhooks.into();
            }
            Ok(configuration)
        };
        Ok([
            configuration("ValidatingWebhookConfiguration", Phase::Validate)?,
            configuration("MutatingWebhookConfiguration", Phase::Mutate)?,
        ])
    }

    /// Namespaces that work on whatever becomes of us: the system's, those
    /// that the options name, and our own (design: reliability.md, section 3).
    /// They are told by the one label that users cannot change (F11).
    fn excluded(&self, set: &PolicySet) -> BTreeSet<String> {
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
    ) -> Result<Option<Value>, Error> {
        let asked = set.policies().iter().filter(|policy| {
            policy.spec.failure_policy == group
                && (phase == Phase::Validate || policy.is_mutating())
        });
        let reach = asked.map(constraints).collect::<Result<Reach<'_>, _>>()?;
        if reach.is_empty() {
            return Ok(None);
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
            "clientConfig": self.target.client_config(&path, &self.ca_bundle),
            "failurePolicy": group.to_string(),
            "matchPolicy": "Equivalent",
            "namespaceSelector": {"matchExpressions": self.requirements(excluded)},
            "rules": reach.rules(),
            // Nothing outside the request is touched; effects will change this.
            "sideEffects": "None",
            "timeoutSeconds": timeout,
        });
        let conditions = reach.conditions();
        if !conditions.is_empty() {
            entry["matchConditions"] = Value::from(conditions);
        }
        if phase == Phase::Mutate {
            // What another webhook changes after us is looked at again.
            entry["reinvocationPolicy"] = "IfNeeded".into();
        }
        Ok(Some(entry))
    }

    fn requirements(&self, excluded: &BTreeSet<String>) -> Vec<Value> {
        let first = json!({"key": NAME_LABEL, "operator": "NotIn", "values": excluded});
        let others = self.namespaces.iter().map(|requirement| json!(requirement));
        std::iter::once(first).chain(others).collect()
    }
}

/// What a policy judges.
fn constraints(policy: &Policy) -> Result<&portcullis_contract::MatchConstraints, Error> {
    policy.constraints().ok_or_else(|| Error::Unknown {
        policy: policy.name.to_string(),
        cause: match &policy.program {
            Err(failure) => failure.to_string(),
            Ok(_) => "it has no description".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests;
