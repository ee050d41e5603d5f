//! The heart: a policy set and a request in, a decision out.
//!
//! Webhook, `review`, `check` and (later) the audit of a live cluster all
//! call [`admit`]; none of them decides anything itself, so that their
//! verdicts cannot differ. Knows policies through the trait `Evaluate`. Must
//! not know where a request came from or where the decision goes.
//!
//! Invariant: every policy that matches either judged the request or stands
//! in the decision as broken.
#![deny(clippy::disallowed_types)]

use std::sync::Arc;
use std::time::Instant;

use portcullis_contract::MatchConstraints;
use serde_json::{Map, Value};

use crate::policy::decision::Broken;
use crate::policy::{
    Attributes, Decision, Failure, FailurePolicy, Others, Policy, PolicySet, matching,
};

mod admission;
pub mod guard;
mod labels;
pub mod pool;
mod usual;
pub mod verdicts;

pub use admission::Answers;
use admission::{Admission, Guests};
use labels::Labels;

/// One request to decide on.
pub struct Subject<'a> {
    /// The members of the AdmissionRequest.
    pub admission: &'a Map<String, Value>,
    /// The same, parsed.
    pub attributes: &'a Attributes,
    /// The object's namespace; null if unknown or cluster-scoped.
    pub namespace: &'a Value,
    /// How much of it that is.
    pub known: Known,
    /// The objects besides; None where nobody knows any.
    pub others: Option<&'a Arc<dyn Others>>,
}

/// How much of a request's namespace is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// All: a label that it lacks is known to be absent.
    Whole,
    /// What files or the request itself tell; there is nobody to ask.
    InPart,
    /// No more than in part, since the cluster did not answer: what hangs on
    /// more is not judged by guessing, it fails.
    Lost,
}

/// Which policies are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Judge, or change.
    pub phase: Phase,
    /// Only policies of this failurePolicy; None for all.
    pub failure_policy: Option<FailurePolicy>,
    /// Only policies of which a finding may move what it is about.
    pub moving: bool,
}

/// The two halves of admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Mutating policies change the object; their findings are not acted on,
    /// since the validating half sees the final object.
    Mutate,
    /// All policies judge the object; changes are not sent.
    Validate,
}

/// Decides on one request. Policies run by name, each to its own deadline and
/// never past `deadline`; in the mutating half each sees what the ones before
/// it made of the object.
pub fn admit(set: &PolicySet, subject: &Subject<'_>, scope: Scope, deadline: Instant) -> Decision {
    go_on(set, subject, scope, deadline, Answers::default())
}

/// The same, if every verdict that is needed can be had at once (see
/// [`verdicts`] and [`guard`]). Ends before `deadline`, so that it may run
/// where nothing else may wait.
///
/// # Errors
///
/// A program would have to be waited for: what others answered, for [`go_on`].
pub fn at_once(
    set: &PolicySet,
    subject: &Subject<'_>,
    scope: Scope,
    deadline: Instant,
) -> Result<Decision, Answers> {
    let admission = Admission::new(subject, scope, deadline, Guests::AtOnce);
    admission.decide(set)
}

/// [`admit`] where [`at_once`] came to its end on the same set and subject:
/// who has answered is not asked again.
pub fn go_on(
    set: &PolicySet,
    subject: &Subject<'_>,
    scope: Scope,
    deadline: Instant,
    answers: Answers,
) -> Decision {
    let guests = Guests::Waited(answers);
    let admission = Admission::new(subject, scope, deadline, guests);
    // Who waits for every program misses none.
    admission.decide(set).unwrap_or_default()
}

/// A decision in which nobody could be asked: every matching policy's
/// failurePolicy answers.
pub fn refuse(set: &PolicySet, subject: &Subject<'_>, scope: Scope, failure: &Failure) -> Decision {
    let mut decision = Decision::default();
    let asked = set.policies().iter();
    for policy in asked.filter(|policy| scope.asks(policy) && set.asks(policy)) {
        let constraints = policy.constraints();
        if constraints.is_none_or(|constraints| reaches(constraints, subject)) {
            decision.failures.push(Broken {
                policy: policy.name.clone(),
                failure: failure.clone(),
                failure_policy: policy.spec.failure_policy,
            });
        }
    }
    decision
}

/// Whether a request reaches a policy with these constraints, or may.
pub fn reaches(constraints: &MatchConstraints, subject: &Subject<'_>) -> bool {
    let labels = Labels::of(subject);
    let objects = [subject.object(), subject.old_object()];
    matching::matches(constraints, subject.attributes, objects, labels.view()).matches
}

impl Scope {
    fn asks(self, policy: &Policy) -> bool {
        let group = self
            .failure_policy
            .is_none_or(|group| group == policy.spec.failure_policy);
        // A policy without a program may have been a mutating one; the
        // validating half speaks for it.
        let moving = !self.moving || policy.spec.may_move();
        group && moving && (self.phase == Phase::Validate || policy.is_mutating())
    }
}

impl Subject<'_> {
    fn object(&self) -> &Value {
        self.admission.get("object").unwrap_or(&Value::Null)
    }

    fn old_object(&self) -> &Value {
        self.admission.get("oldObject").unwrap_or(&Value::Null)
    }
}

#[cfg(test)]
mod tests;
