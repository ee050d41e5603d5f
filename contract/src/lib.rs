//! What the host and its guests agree on, as data.
//!
//! `wit/policy.wit` fixes three functions; the JSON documents that pass
//! through them are defined here, once, for the host, for the SDK and for
//! the tools. This crate knows no wasm, no network, no clock and no file
//! system, and a guest carries it whole: keep it small.
//!
//! - [`Description`]: what a policy says of itself.
//! - [`Request`]: one admission request, with the normalised [`pod`] view.
//! - [`Reads`](reads::Reads): the fields a policy declared, and the
//!   projection of a request onto them.
//! - [`Verdict`]: what a policy says of a request.
//! - [`Lookup`] and [`Query`]: which other objects it may ask for, and how.
//! - [`Effect`]: an object that it wants to exist besides.
//! - [`Lack`] and [`CutOff`]: findings that hang on other objects.
//!
//! How the documents may grow is written in `wit/policy.wit`.

mod constraints;
mod description;
pub mod effect;
pub mod hanging;
pub mod lookups;
pub mod pod;
pub mod pointer;
pub mod reads;
pub mod redaction;
mod request;
mod verdict;

#[cfg(feature = "cases")]
pub mod case;

pub use constraints::{
    LabelSelector, MatchConstraints, NAME_LABEL, Operation, Rule, Scope, SelectorOperator,
    SelectorRequirement,
};
pub use description::{Code, Description, Level};
pub use effect::{Condition, Effect, EffectMode, Guarded, Permission, Test, Unless};
pub use hanging::{CutOff, Lack};
pub use lookups::{Lookup, Query};
pub use redaction::Redaction;
pub use request::Request;
pub use verdict::{Changes, Finding, PatchOperation, Verdict, Within};

/// The version of the WIT package that this crate speaks.
pub const INTERFACE: &str = "0.1.0";

/// What a policy imports that looks other objects up: `wit/lookups.wit`.
pub const LOOKUPS: &str = "portcullis:policy/lookups@0.1.0";

/// The custom section of a policy's component that holds its description.
pub const DESCRIPTION_SECTION: &str = "portcullis:description";
