//! What it means that a policy gave no verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::decision::{cut, plain};

/// A policy gave no verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Whose fault it is.
    pub blame: Blame,
    /// What kind of fault, for metrics and tests.
    pub cause: Cause,
    /// One line for people; never a value of the object.
    pub message: String,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The policy's program, or its settings.
    Guest,
    /// Portcullis, or the machine it runs on.
    Host,
}

/// What kind of fault kept a policy from answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// The program could not be found or read.
    Source,
    /// The program is no component of a world that the host knows.
    Program,
    /// The program imports what it was not granted.
    Import,
    /// The program wants something that the operator did not grant.
    Grant,
    /// The description is missing, malformed, or not the embedded one.
    Description,
    /// The settings were refused.
    Settings,
    /// The evaluation was stopped at its deadline.
    Deadline,
    /// The guest wanted more memory or more tables than its limit.
    Memory,
    /// The guest trapped: a panic, an out-of-bounds access, a stack overflow.
    Trap,
    /// The answer is not a verdict that the description allows.
    Output,
    /// The guest said that it cannot judge this request.
    Refused,
    /// The changes could not be applied to the object.
    Patch,
    /// The cluster did not tell what the policy hangs on.
    Lookup,
    /// An object that has to exist first could not be brought to exist.
    Effect,
    /// The host had no room for one more evaluation.
    Overload,
    /// The policy hit its deadline so often that it is not asked for a while.
    Suspended,
}

/// The longest message, in bytes: what a guest says of itself ends in logs and
/// in denials.
const MAX_MESSAGE: usize = 2_048;

impl Failure {
    /// A failure that is the guest's fault.
    pub fn guest(cause: Cause, message: impl AsRef<str>) -> Self {
        Failure::new(Blame::Guest, cause, message.as_ref())
    }

    /// A failure that is the host's fault.
    pub fn host(cause: Cause, message: impl AsRef<str>) -> Self {
        Failure::new(Blame::Host, cause, message.as_ref())
    }

    /// Whether it may be gone by itself: time or memory was missing, which a
    /// busy machine also takes from guests that do no wrong, or the host could
    /// not do its part.
    pub fn may_pass(&self) -> bool {
        match self.cause {
            Cause::Deadline | Cause::Memory | Cause::Overload => true,
            Cause::Program => self.blame == Blame::Host,
            _ => false,
        }
    }

    /// One line of bounded length, whatever the guest said.
    fn new(blame: Blame, cause: Cause, message: &str) -> Self {
        let message = cut(plain(message), MAX_MESSAGE);
        Failure {
            blame,
            cause,
            message,
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blame::Guest => "guest",
            Blame::Host => "host",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Source => "source",
            Cause::Program => "program",
            Cause::Import => "import",
            Cause::Grant => "grant",
            Cause::Description => "description",
            Cause::Settings => "settings",
            Cause::Deadline => "deadline",
            Cause::Memory => "memory",
            Cause::Trap => "trap",
            Cause::Output => "output",
            Cause::Refused => "refused",
            Cause::Patch => "patch",
            Cause::Lookup => "lookup",
            Cause::Effect => "effect",
            Cause::Overload => "overload",
            Cause::Suspended => "suspended",
        })
    }
}
