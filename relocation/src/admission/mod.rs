//! What becomes of a ConfigMap that is created or updated.
//!
//! [`plan`] says it in one step, or asks first whether the user may create
//! Secrets: that question comes before any value is compared, or comparing would
//! tell anybody who guesses right. What it returns is acted on outside: *first*
//! the staged Secret is created, if there is one, *then* the patch is answered.
//! Whatever fails before that, the ConfigMap is refused and nothing is lost.
//!
//! [`verify()`] judges the final object, which other webhooks may have changed.

mod change;
mod denial;
mod judge;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::digest::Keyring;
use crate::field::Field;
use crate::secret::Manifest;

pub use denial::{Code, Denial};
pub use verify::verify;

/// More keys than these are not moved out of one ConfigMap.
pub const MOST_KEYS: usize = 64;

/// Most bytes of all values of a Secret
/// (k8s.io/api/core/v1/types.go, MaxSecretSize).
pub const MOST_BYTES: usize = 1 << 20;

/// For how many seconds a placeholder counts as just issued. The API server asks
/// again within one request, which takes a minute at most (`--request-timeout`).
/// Far less than what a staged Secret is kept for when no ConfigMap names it.
pub const FRESH_SECONDS: u32 = 120;

/// By how many seconds the clocks of two replicas may differ.
pub const SKEW_SECONDS: u32 = 30;

/// How far a ConfigMap has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Nothing is moved; the user is warned. A value put in a placeholder's stead
    /// stays: this is the way out.
    Audit,
    /// Values stay, and are served from a Secret to new pods besides.
    Prepare,
    /// Values are moved.
    Redact,
}

/// What the API server asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new ConfigMap.
    Create,
    /// A changed one.
    Update,
}

/// What happens where a key is to be moved and running pods read it from the
/// ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnUse {
    /// Refused, with advice.
    Deny,
    /// Moved, with a warning.
    Warn,
}

/// All that a verdict on a ConfigMap rests on. No `Debug`: it holds values.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Create or update.
    pub operation: Operation,
    /// Whether nothing is to be written.
    pub dry_run: bool,
    /// Who sends the request.
    pub user: &'a str,
    /// The request's namespace.
    pub namespace: &'a str,
    /// The request's name; none where the API server has yet to make one.
    pub name: Option<&'a str>,
    /// The ConfigMap as it would be.
    pub object: &'a Value,
    /// As it is.
    pub old: Option<&'a Value>,
    /// The keys whose values are secret, as detection says.
    pub secret: &'a BTreeSet<Field>,
    /// How far the ConfigMap has come.
    pub stage: Stage,
    /// Keys that running pods read from the ConfigMap, and names of these pods.
    pub uses: &'a BTreeMap<Field, Vec<String>>,
    /// What then.
    pub on_use: OnUse,
    /// Keys whose moved value no Secret holds, as far as is known: who writes it
    /// again has it moved anew. One that is named for nothing costs a Secret more.
    pub lost: &'a BTreeSet<Field>,
    /// Whether the user may write placeholders (puts backups back).
    pub restorer: bool,
    /// Whether the ConfigMap is none of ours: written by a system account, or
    /// owned by a controller. It is audited only, unless placeholders are in it.
    pub exempt: bool,
    /// Whether the namespace is being deleted.
    pub terminating: bool,
    /// Whether this user has tried too many values on this ConfigMap.
    pub throttled: bool,
    /// Keys for digests.
    pub keyring: &'a Keyring,
    /// Name of the staged Secret if there is to be one: [`crate::names::staged`]
    /// of fresh random bits. On a dry run it is not used.
    pub staged: &'a str,
    /// Seconds since 1970.
    pub now: u32,
}

/// What [`plan`] says.
pub enum Step<'a> {
    /// That is it.
    Done(Plan),
    /// Whether the requesting user may `create` `secrets` in the namespace
    /// (SubjectAccessReview) must be known first.
    Ask(Box<Pending<'a>>),
}

/// What waits for an answer. No `Debug`: it holds values.
pub struct Pending<'a> {
    input: Input<'a>,
    judged: judge::Judged,
}

/// What is to be done with the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The verdict.
    pub outcome: Outcome,
    /// Keys whose new value was compared with the moved one and differs. Rotation
    /// looks so, and guessing: count them by user and ConfigMap, whatever the
    /// verdict and also on a dry run.
    pub mismatches: BTreeSet<Field>,
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Refused.
    Deny(Denial),
    /// Nothing to change.
    Admit {
        /// For the user.
        warnings: Vec<String>,
    },
    /// To be changed.
    Move(Box<Move>),
}

/// How a ConfigMap is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The Secret to create before the answer; none where no value is new, and
    /// none on a dry run. If its name is taken, plan again with another name.
    pub staged: Option<Manifest>,
    /// JSON Patch (RFC 6902). No value that was moved is in it.
    pub patch: Value,
    /// For the user.
    pub warnings: Vec<String>,
    /// Keys that got a new placeholder.
    pub moved: BTreeSet<Field>,
    /// Keys that keep the one they had.
    pub carried: BTreeSet<Field>,
}

/// Says what becomes of the request.
pub fn plan(input: Input<'_>) -> Step<'_> {
    let judged = match judge::judge(&input) {
        Ok(judged) => judged,
        Err(denial) => return Step::Done(Plan::denied(denial)),
    };
    if judged.needs_permission() {
        return Step::Ask(Box::new(Pending { input, judged }));
    }
    Step::Done(change::plan(&input, judged, BTreeSet::new()))
}

impl Pending<'_> {
    /// The verdict, if the user may create Secrets (`allowed`) or not.
    pub fn answered(self, allowed: bool) -> Plan {
        let Self { input, judged } = self;
        if !allowed {
            let what = format!(
                "the value belongs in a Secret, and you may not create Secrets in {}; \
                 ask for that right, or have the Secret made by who has it",
                input.namespace
            );
            let fields = judged.compare.keys().chain(judged.fresh.keys());
            return Plan::denied(Denial::of(Code::SecretsForbidden, fields, what));
        }
        match judge::compared(&input, judged) {
            Ok((judged, mismatches)) => change::plan(&input, judged, mismatches),
            Err(plan) => plan,
        }
    }
}

impl Plan {
    fn denied(denial: Denial) -> Self {
        Self {
            outcome: Outcome::Deny(denial),
            mismatches: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests;
