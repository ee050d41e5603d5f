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

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::Instant;

use portcullis_contract::{
    Changes, Finding, MatchConstraints, Operation, Redaction, Request, Verdict,
};
use serde_json::{Map, Value};

use crate::policy::action::{Action, NamespaceLabels, actions};
use crate::policy::decision::{Broken, Evaluation};
use crate::policy::scrub::Values;
use crate::policy::{
    Attributes, Cause, Decision, Failure, FailurePolicy, Judged, Policy, PolicySet, Ready,
    matching, patch, ratchet,
};

pub mod guard;
mod labels;
pub mod pool;
mod usual;
pub mod verdicts;

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

/// Whether every program has the time that it is given, or only those have a
/// say that answer at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guests {
    Waited,
    AtOnce,
}

/// Decides on one request. Policies run by name, each to its own deadline and
/// never past `deadline`; in the mutating half each sees what the ones before
/// it made of the object.
pub fn admit(set: &PolicySet, subject: &Subject<'_>, scope: Scope, deadline: Instant) -> Decision {
    decide(set, subject, scope, deadline, Guests::Waited).0
}

/// The same, if every verdict that is needed can be had at once (see
/// [`verdicts`] and [`guard`]): None where a program would have to be waited
/// for. Ends before `deadline`, so that it may run where nothing else may wait.
pub fn at_once(
    set: &PolicySet,
    subject: &Subject<'_>,
    scope: Scope,
    deadline: Instant,
) -> Option<Decision> {
    let (decision, is_whole) = decide(set, subject, scope, deadline, Guests::AtOnce);
    is_whole.then_some(decision)
}

/// A decision, and whether every policy that matches had a part in it.
fn decide(
    set: &PolicySet,
    subject: &Subject<'_>,
    scope: Scope,
    deadline: Instant,
    guests: Guests,
) -> (Decision, bool) {
    let request = Request::new(subject.admission, subject.namespace);
    let labels = Labels::of(subject);
    let mut admission = Admission {
        subject,
        scope,
        deadline,
        guests,
        missed: Cell::new(false),
        object: Cow::Borrowed(request.object),
        decision: Decision::default(),
        projections: Vec::new(),
        values: OnceCell::new(),
    };
    if !admission.passes_unjudged(set) {
        for policy in set.policies() {
            admission.ask(policy, labels.view());
            if admission.missed.get() {
                return (admission.decision, false);
            }
        }
    }
    let mut decision = admission.decision;
    if !decision.changed_by.is_empty() {
        decision.patch = patch::diff(request.object, &admission.object);
    }
    (decision, true)
}

/// A decision in which nobody could be asked: every matching policy's
/// failurePolicy answers.
pub fn refuse(set: &PolicySet, subject: &Subject<'_>, scope: Scope, failure: &Failure) -> Decision {
    let mut decision = Decision::default();
    for policy in set.policies().iter().filter(|policy| scope.asks(policy)) {
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
        group && (self.phase == Phase::Validate || policy.is_mutating())
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

/// One run of [`admit`].
struct Admission<'a> {
    subject: &'a Subject<'a>,
    scope: Scope,
    deadline: Instant,
    guests: Guests,
    /// A verdict was needed that is not known.
    missed: Cell<bool>,
    /// The object as the policies so far made it.
    object: Cow<'a, Value>,
    decision: Decision,
    /// Projections of `object`, one a group of equal reads.
    projections: Vec<(Ready, Rc<str>)>,
    /// What no policy without the grant may repeat.
    values: OnceCell<Values>,
}

impl Admission<'_> {
    fn passes_unjudged(&self, set: &PolicySet) -> bool {
        let excluded = self
            .subject
            .attributes
            .namespace
            .as_ref()
            .is_some_and(|name| set.excluded_namespaces.contains(name));
        excluded
            || ratchet::passes_unjudged(
                self.subject.attributes,
                self.subject.object(),
                self.subject.old_object(),
            )
    }

    fn ask(&mut self, policy: &Policy, labels: NamespaceLabels<'_>) {
        if !self.scope.asks(policy) {
            return;
        }
        let selected = policy.constraints().map_or(true.into(), |constraints| {
            let objects = [&*self.object, self.subject.old_object()];
            matching::matches(constraints, self.subject.attributes, objects, labels)
        });
        if !selected.matches {
            return;
        }
        let started = Instant::now();
        let result = match selected.guessed {
            true if self.subject.known == Known::Lost => Err(lost(self.subject, MATCH)),
            guessed => self.judge(policy, labels, guessed),
        };
        let took = started.elapsed();
        self.decision.evaluations.push(Evaluation {
            policy: policy.name.clone(),
            took,
        });
        if let Err(failure) = result {
            self.decision.failures.push(Broken {
                policy: policy.name.clone(),
                failure,
                failure_policy: policy.spec.failure_policy,
            });
        }
    }

    fn judge(
        &mut self,
        policy: &Policy,
        labels: NamespaceLabels<'_>,
        guessed: bool,
    ) -> Result<(), Failure> {
        let ready = policy.program.as_ref().map_err(Clone::clone)?;
        if self.guests == Guests::AtOnce && !ready.program.is_prompt() {
            return Err(self.miss());
        }
        let is_lost = self.subject.known == Known::Lost;
        if is_lost && ready.reads.has("namespaceObject") {
            return Err(lost(self.subject, READS));
        }
        let deadline = self
            .deadline
            .min(Instant::now() + policy.spec.limits.deadline());
        let projection = self.projection(ready);
        let verdict = self.evaluate(ready, &projection, deadline)?;
        if self.scope.phase == Phase::Mutate {
            return match verdict.changes {
                Some(changes) => self.change(policy, ready, changes),
                None => Ok(()),
            };
        }
        let softening = self.softening(policy, &verdict.findings, deadline)?;
        let description = policy.description.as_deref();
        for (finding, most) in verdict.findings.into_iter().zip(softening) {
            let level = description
                .and_then(|description| description.code(&finding.code))
                .map(|code| code.level)
                .ok_or_else(|| undeclared(&finding.code))?;
            let (mut actions, by_override) = actions(&policy.spec, &finding.code, level, labels);
            if by_override && is_lost {
                return Err(lost(self.subject, OVERRIDES));
            }
            if let Some(most) = most {
                actions = actions.at_most(most);
            }
            let policy = policy.name.clone();
            self.decision.findings.push(Judged {
                policy,
                finding,
                level,
                actions,
                guessed: guessed || by_override,
            });
        }
        Ok(())
    }

    /// The object as this policy sees it.
    fn projection(&mut self, ready: &Ready) -> Rc<str> {
        let same = |(known, _): &&(Ready, Rc<str>)| {
            known.redaction == ready.redaction && known.reads == ready.reads
        };
        if let Some((_, projection)) = self.projections.iter().find(same) {
            return Rc::clone(projection);
        }
        let projection: Rc<str> = self.project(ready, &self.object).into();
        self.projections
            .push((ready.clone(), Rc::clone(&projection)));
        projection
    }

    fn project(&self, ready: &Ready, object: &Value) -> String {
        let request = Request {
            namespace_is_known: self.subject.known == Known::Whole,
            ..Request::new(self.subject.admission, self.subject.namespace)
        };
        ready
            .reads
            .project(&request.with_object(object), ready.redaction)
    }

    /// For each finding, the most that it may lead to on this request.
    fn softening(
        &self,
        policy: &Policy,
        findings: &[Finding],
        deadline: Instant,
    ) -> Result<Vec<Option<Action>>, Failure> {
        use crate::policy::spec::{Inherited, OnUpdate};
        let (attributes, old) = (self.subject.attributes, self.subject.old_object());
        let inherited = policy.spec.inherited == Inherited::Audit
            && policy.constraints().is_some_and(|constraints| {
                ratchet::is_inherited(constraints, attributes, &self.object)
            });
        if inherited {
            return Ok(vec![Some(Action::Audit); findings.len()]);
        }
        if findings.is_empty() || attributes.operation != Operation::Update {
            return Ok(vec![None; findings.len()]);
        }
        if ratchet::is_metadata_only(&self.object, old) {
            let of_metadata = |finding: &Finding| finding.path.starts_with("/metadata/");
            let most = |finding| {
                if of_metadata(finding) {
                    None
                } else {
                    Some(Action::Warn)
                }
            };
            return Ok(findings.iter().map(most).collect());
        }
        if policy.spec.on_update == OnUpdate::Always {
            return Ok(vec![None; findings.len()]);
        }
        let before = self.findings_before(policy, deadline)?;
        let soften = |finding| ratchet::softened(finding, &self.object, &before, old);
        Ok(findings.iter().map(soften).collect())
    }

    /// What the policy says of the old object.
    fn findings_before(&self, policy: &Policy, deadline: Instant) -> Result<Vec<Finding>, Failure> {
        let ready = policy.program.as_ref().map_err(Clone::clone)?;
        let projection = self.project(ready, self.subject.old_object());
        Ok(self.evaluate(ready, &projection, deadline)?.findings)
    }

    /// Runs a program; without the grant, no value leaves through it.
    fn evaluate(
        &self,
        ready: &Ready,
        projection: &str,
        deadline: Instant,
    ) -> Result<Verdict, Failure> {
        let verdict = match self.guests {
            Guests::Waited => ready.program.evaluate(projection, deadline),
            Guests::AtOnce => {
                let result = ready.program.at_once(projection, deadline);
                result.unwrap_or_else(|| Err(self.miss()))
            }
        };
        let says_nothing = verdict.as_ref().is_ok_and(Verdict::is_empty);
        if ready.redaction == Redaction::None || says_nothing {
            // To collect the values of a large object takes a millisecond.
            return verdict;
        }
        let values = self
            .values
            .get_or_init(|| Values::of([self.subject.object(), self.subject.old_object()]));
        let mut verdict = verdict.map_err(|failure| values.scrub_failure(failure))?;
        values.scrub(&mut verdict)?;
        Ok(verdict)
    }

    /// Ends a decision that cannot be had at once; nobody is shown what it says.
    fn miss(&self) -> Failure {
        self.missed.set(true);
        Failure::host(Cause::Overload, "its verdict cannot be had at once")
    }

    fn change(&mut self, policy: &Policy, ready: &Ready, changes: Changes) -> Result<(), Failure> {
        if changes.object.is_some() && !ready.reads.whole_objects().contains("object") {
            let message = "it answered with an object of which it saw only parts, and the rest \
                           would be lost: let it read all of `object`, or answer with a patch";
            return Err(Failure::guest(Cause::Patch, message));
        }
        let changed = match changes.object {
            Some(object) => patch::apply(&self.object, &patch::diff(&self.object, &object)),
            None => patch::apply(&self.object, &changes.patch),
        };
        let changed = changed.map_err(|error| {
            let message = format!("its changes cannot be applied: {error}");
            Failure::guest(Cause::Patch, message)
        })?;
        if changed != *self.object {
            self.object = Cow::Owned(changed);
            self.projections.clear();
            self.decision.changed_by.push(policy.name.clone());
        }
        if !changes.annotations.is_empty() {
            self.decision
                .annotations
                .insert(policy.name.clone(), changes.annotations);
        }
        Ok(())
    }
}

const MATCH: &str = "whether it judges this request";
const READS: &str = "what it reads";
const OVERRIDES: &str = "what its finding leads to";

/// `what` hangs on a namespace that the cluster did not tell.
fn lost(subject: &Subject<'_>, what: &str) -> Failure {
    let namespace = subject.attributes.namespace.as_deref().unwrap_or_default();
    let message = format!(
        "{what} hangs on the namespace `{namespace}`, which could not be read from the API \
         server: see the log of Portcullis"
    );
    Failure::host(Cause::Lookup, message)
}

fn undeclared(code: &str) -> Failure {
    let code: String = code.chars().take(64).collect();
    let message = format!("it reported the code {code:?}, which its description does not declare");
    Failure::guest(Cause::Output, message)
}

#[cfg(test)]
mod tests;
