//! What programs are shown, and what they say.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use portcullis_contract::{Finding, Redaction, Request, Verdict};
use serde_json::Value;

use super::Admission;
use crate::admit::Known;
use crate::policy::scrub::Values;
use crate::policy::{Asked, Cause, Failure, Policy, Ready};

/// What programs said of a request, in the order in which they were asked:
/// who asks again in that order asks none of them twice, and no cache is asked
/// twice either.
#[derive(Debug, Default, PartialEq)]
pub struct Answers(VecDeque<Result<Verdict, Failure>>);

impl Admission<'_> {
    /// The object as this policy sees it.
    pub(super) fn projection(&mut self, ready: &Ready) -> Rc<str> {
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

    /// What the policy says of the old object.
    pub(super) fn findings_before(
        &self,
        policy: &Policy,
        deadline: Instant,
    ) -> Result<Vec<Finding>, Failure> {
        let ready = policy.program.as_ref().map_err(Clone::clone)?;
        let projection = self.project(ready, self.subject.old_object());
        Ok(self.evaluate(ready, &projection, deadline)?.findings)
    }

    /// Runs a program; without the grant, no value leaves through it.
    pub(super) fn evaluate(
        &self,
        ready: &Ready,
        projection: &str,
        deadline: Instant,
    ) -> Result<Verdict, Failure> {
        let verdict = self.answer(ready, projection, deadline);
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

    fn answer(
        &self,
        ready: &Ready,
        projection: &str,
        deadline: Instant,
    ) -> Result<Verdict, Failure> {
        let asked = Asked {
            request: projection,
            namespace: self.subject.attributes.namespace.as_deref(),
            others: self.subject.others,
            looked: None,
        };
        let mut answers = self.answers.borrow_mut();
        if !self.at_once {
            let known = answers.0.pop_front();
            return known.unwrap_or_else(|| ready.program.judge(asked, deadline));
        }
        let Some(said) = ready.program.at_once(asked, deadline) else {
            return Err(self.miss());
        };
        answers.0.push_back(said.clone());
        said
    }

    /// Ends a decision that cannot be had at once; nobody is shown what it says.
    pub(super) fn miss(&self) -> Failure {
        self.missed.set(true);
        Failure::host(Cause::Overload, "its verdict cannot be had at once")
    }
}
