//! What a policy is, without any of the ways it comes here or runs.
//!
//! Knows: the resource `WasmPolicy` and its one parser, matching, actions,
//! the fold of many verdicts into one decision, patches, the set that is
//! swapped whole. Must not know: HTTP, TLS, a Kubernetes client, wasmtime,
//! tokio, a clock's idea of now, the environment.
//!
//! Invariant: nothing here decides "allowed" because something went wrong.
//! What could not be judged is a [`Failure`], and a failure goes through the
//! policy's own `failurePolicy`.
#![deny(clippy::disallowed_types)]

pub mod action;
pub mod attributes;
pub mod decision;
pub mod digest;
pub mod effect;
pub mod exemption;
pub mod failure;
pub mod kinds;
pub mod lookup;
pub mod matching;
pub mod name;
pub mod patch;
pub mod program;
pub mod ratchet;
pub mod scrub;
pub mod set;
pub mod spec;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use portcullis_contract::{Code, Description, MatchConstraints, Redaction, Verdict, reads::Reads};

pub use action::Action;
pub use attributes::Attributes;
pub use decision::{Decision, Judged};
pub use digest::Digest;
pub use effect::Wanted;
pub use exemption::Exemption;
pub use failure::{Blame, Cause, Failure};
pub use lookup::{Others, Sight};
pub use name::PolicyName;
pub use set::PolicySet;
pub use spec::{FailurePolicy, Spec, ValidationAction};

/// What a program is asked.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The projected request, as JSON text.
    pub request: &'a str,
    /// The namespace of the request; None for cluster-scoped objects.
    pub namespace: Option<&'a str>,
    /// The objects that it may look up; None where nobody knows any.
    pub others: Option<&'a Arc<dyn Others>>,
    /// Where it is noted that the verdict hangs on more than the request: the
    /// program looked up what it was granted.
    pub looked: Option<&'a Cell<bool>>,
}

impl<'a> Asked<'a> {
    /// Of a request around which nothing is known.
    pub fn alone(request: &'a str) -> Asked<'a> {
        Asked {
            request,
            namespace: None,
            others: None,
            looked: None,
        }
    }
}

/// Runs a policy's program on one request. Implemented by `wasm::Program`,
/// and by closures in tests.
pub trait Evaluate: Send + Sync {
    /// The policy's verdict on a request.
    ///
    /// # Errors
    ///
    /// Whatever kept the program from answering, before `deadline` or at it.
    fn judge(&self, asked: Asked<'_>, deadline: Instant) -> Result<Verdict, Failure>;

    /// The same for a projected request, as JSON text, around which nothing is
    /// known.
    ///
    /// # Errors
    ///
    /// As for [`Evaluate::judge`].
    fn evaluate(&self, request: &str, deadline: Instant) -> Result<Verdict, Failure> {
        self.judge(Asked::alone(request), deadline)
    }

    /// Whether [`Evaluate::at_once`] may have an answer, before there is a
    /// projection to ask about.
    fn is_prompt(&self) -> bool {
        false
    }

    /// The verdict on a request, if it can be had within
    /// microseconds: it is known, or the program proved quick of late. None
    /// says nothing of the policy; [`Evaluate::judge`] will. Nobody waits
    /// for it past `deadline`.
    fn at_once(&self, _asked: Asked<'_>, _deadline: Instant) -> Option<Result<Verdict, Failure>> {
        None
    }

    /// SHA-256 of everything but the request that a verdict depends on, unless
    /// it is noted in [`Asked::looked`]: the program, its settings and what it
    /// is granted. None if a verdict may depend on more.
    fn identity(&self) -> Option<[u8; 32]> {
        None
    }
}

impl<F> Evaluate for F
where
    F: Fn(&str, Instant) -> Result<Verdict, Failure> + Send + Sync,
{
    fn judge(&self, asked: Asked<'_>, deadline: Instant) -> Result<Verdict, Failure> {
        self(asked.request, deadline)
    }
}

/// One policy of the set: what the operator asked for, and what came of it.
#[derive(Clone)]
pub struct Policy {
    /// The name of its resource.
    pub name: PolicyName,
    /// What the operator wrote.
    pub spec: Spec,
    /// What its program says of itself, if that much could be read.
    pub description: Option<Arc<Description>>,
    /// The program, ready to run, or why there is none.
    pub program: Result<Ready, Failure>,
}

/// A program that can be run, and what it is shown.
#[derive(Clone)]
pub struct Ready {
    /// The parsed reads of its description.
    pub reads: Arc<Reads>,
    /// Whether values of Secrets and ConfigMaps are blanked.
    pub redaction: Redaction,
    /// What it may look up.
    pub sight: Arc<Sight>,
    /// The program with its settings.
    pub program: Arc<dyn Evaluate>,
}

impl Policy {
    /// What the policy judges: the operator's word, else the program's own,
    /// else (neither is known) nothing less than everything, so that a policy
    /// which could not be read never lets a request pass unseen.
    pub fn constraints(&self) -> Option<&MatchConstraints> {
        let own = self
            .description
            .as_ref()
            .map(|description| &description.matches);
        self.spec.match_constraints.as_ref().or(own)
    }

    /// What a finding of this code leads to where no namespace is concerned.
    pub fn leads_to(&self, code: &Code) -> Action {
        let nowhere = action::NamespaceLabels::ClusterScoped;
        action::actions(&self.spec, &code.code, code.level, nowhere)
            .0
            .action
    }

    /// Whether it judges manifests in files only.
    pub fn is_offline(&self) -> bool {
        let description = self.description.as_ref();
        description.is_some_and(|description| description.offline)
    }

    /// Whether the policy may ask for changes, with the settings that it has.
    pub fn is_mutating(&self) -> bool {
        self.description
            .as_ref()
            .is_some_and(|description| description.mutates(&self.spec.settings))
    }
}
