//! One run of [`super::admit`]: every policy that matches is asked, and what it
//! says becomes part of the decision.

mod programs;
mod softening;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use portcullis_contract::{Changes, Finding, Guarded};
use serde_json::Value;

use super::labels::Labels;
use super::{Known, Phase, Scope, Subject};
use crate::policy::action::{NamespaceLabels, actions};
use crate::policy::decision::{Broken, Evaluation};
use crate::policy::effect::hanging::{Closing, Lacking};
use crate::policy::effect::{Guard, Wanted};
use crate::policy::scrub::Values;
use crate::policy::{
    Cause, Decision, Failure, Judged, Policy, PolicySet, Ready, exemption, matching, patch,
    ratchet, scrub,
};

pub use programs::Answers;

/// Whether every program has the time that it is given, or only those have a
/// say that answer at once.
pub(super) enum Guests {
    /// Who answered at once is not asked again.
    Waited(Answers),
    AtOnce,
}

/// One run.
pub(super) struct Admission<'a> {
    subject: &'a Subject<'a>,
    scope: Scope,
    deadline: Instant,
    /// Whether nobody is waited for.
    at_once: bool,
    /// Of those who are waited for, what they have said; else what they say.
    answers: RefCell<Answers>,
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

impl<'a> Admission<'a> {
    pub(super) fn new(
        subject: &'a Subject<'a>,
        scope: Scope,
        deadline: Instant,
        guests: Guests,
    ) -> Admission<'a> {
        let (at_once, answers) = match guests {
            Guests::AtOnce => (true, Answers::default()),
            Guests::Waited(answers) => (false, answers),
        };
        Admission {
            subject,
            scope,
            deadline,
            at_once,
            answers: RefCell::new(answers),
            missed: Cell::new(false),
            object: Cow::Borrowed(subject.object()),
            decision: Decision::default(),
            projections: Vec::new(),
            values: OnceCell::new(),
        }
    }

    /// A decision in which every policy that matches had a part.
    ///
    /// # Errors
    ///
    /// One that had none, for want of time: what the others said.
    pub(super) fn decide(mut self, set: &PolicySet) -> Result<Decision, Answers> {
        let labels = Labels::of(self.subject);
        if !self.passes_unjudged(set) {
            for policy in set.policies() {
                if set.asks(policy) {
                    self.ask(policy, labels.view());
                }
                if self.missed.get() {
                    return Err(self.answers.into_inner());
                }
            }
        }
        let mut decision = self.decision;
        scrub::found::hide(&mut decision, &self.object);
        if !decision.findings.is_empty() {
            // After every cache and every forgiveness that hangs on less.
            let objects = [&*self.object, self.subject.old_object()];
            let findings = &mut decision.findings;
            exemption::book::apply(set, self.subject.attributes, objects, findings);
        }
        if !decision.changed_by.is_empty() {
            decision.patch = patch::diff(self.subject.object(), &self.object);
        }
        Ok(decision)
    }
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
        if self.at_once && !ready.program.is_prompt() {
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
        for (finding, most) in verdict.findings.into_iter().zip(softening) {
            let mut judged = self.weigh(policy, finding, labels, guessed)?;
            if let Some(most) = most {
                judged.actions = judged.actions.at_most(most);
            }
            self.decision.findings.push(judged);
        }
        match verdict.changes {
            Some(changes) => self.take_effects(policy, changes, labels, guessed),
            None => Ok(()),
        }
    }

    /// What a finding leads to by itself.
    fn weigh(
        &self,
        policy: &Policy,
        finding: Finding,
        labels: NamespaceLabels<'_>,
        guessed: bool,
    ) -> Result<Judged, Failure> {
        let description = policy.description.as_deref();
        let (level, secret) = description
            .and_then(|description| description.code(&finding.code))
            .map(|code| (code.level, code.secret))
            .ok_or_else(|| undeclared(&finding.code))?;
        let (actions, by_override) = actions(&policy.spec, &finding.code, level, labels);
        if by_override && self.subject.known == Known::Lost {
            return Err(lost(self.subject, OVERRIDES));
        }
        Ok(Judged {
            policy: policy.name.clone(),
            finding,
            level,
            actions,
            guessed: guessed || by_override,
            secret,
            exempted: None,
        })
    }

    /// Nothing is done here: the host acts on what stands in the decision.
    fn take_effects(
        &mut self,
        policy: &Policy,
        changes: Changes,
        labels: NamespaceLabels<'_>,
        guessed: bool,
    ) -> Result<(), Failure> {
        for Guarded {
            finding,
            permission,
        } in changes.guarded
        {
            let judged = self.weigh(policy, finding, labels, guessed)?;
            self.decision.guarded.push(Guard {
                judged,
                permission,
                failure_policy: policy.spec.failure_policy,
            });
        }
        let attributes = self.subject.attributes;
        let namespace = attributes.namespace.as_deref().unwrap_or_default();
        for lack in changes.lacking {
            let judged = self.weigh(policy, lack.finding.clone(), labels, guessed)?;
            let lacking = Lacking::new(judged, lack, namespace);
            self.decision.lacking.push(lacking);
        }
        for cut_off in changes.cut_off {
            let judged = self.weigh(policy, cut_off.finding.clone(), labels, guessed)?;
            let answers = policy.spec.failure_policy;
            let closing = Closing::new(judged, cut_off, namespace, answers);
            self.decision.closing.push(closing);
        }
        for effect in changes.effects {
            let wanted = Wanted::new(policy, effect, attributes)?;
            self.decision.effects.push(wanted);
        }
        Ok(())
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

pub(super) const MATCH: &str = "whether it judges this request";
pub(super) const READS: &str = "what it reads";
pub(super) const OVERRIDES: &str = "what its finding leads to";

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
