//! What an author implements.

use portcullis_contract::{Code, Lookup, MatchConstraints};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Reads, Report};

/// A policy: what it reads, what it may report, and its one function.
pub trait Policy: Page {
    /// What it reads of a request.
    type Request<'a>: Reads + Deserialize<'a>;
    /// Its settings; [`NoSettings`] if it has none.
    type Settings: Settings;
    /// What it may report.
    type Code: Codes;

    /// Whether it may ask for changes.
    const MUTATING: bool = false;
    /// Members of the settings, by their names in YAML, one of which has to be
    /// set (to anything but `null` or `false`) before it asks for changes.
    /// Empty: it may always. Without them the API server calls it once for an
    /// object and not twice, and a change that it asks for all the same is a
    /// failure.
    const MUTATING_SETTINGS: &'static [&'static str] = &[];
    /// Whether it judges manifests in files only (`portcullis check`): no
    /// cluster asks it, since what it reports is as it should be there.
    const OFFLINE: bool = false;
    /// Whether it judges the values of Secrets and ConfigMaps: without the
    /// grant `values`, which shows them to it, it does not load.
    const NEEDS_VALUES: bool = false;
    /// Kinds of effects it may ask for, each a resource with its group:
    /// `networkpolicies.networking.k8s.io`. The operator has to grant each
    /// (`spec.effects` of the WasmPolicy), or the policy does not load.
    const EFFECTS: &'static [&'static str] = &[];

    /// What it judges unless the operator says otherwise.
    fn matches() -> MatchConstraints;

    /// The kinds whose objects it looks up: see [`crate::lookups`].
    fn lookups() -> Vec<Lookup> {
        Vec::new()
    }

    /// Judges one request. A pure function: the same request, settings and
    /// looked up objects give the same report, and nothing is kept from one
    /// call to the next.
    fn evaluate(
        request: &Self::Request<'_>,
        settings: &Self::Settings,
        report: &mut Report<Self::Code>,
    );
}

/// A policy's settings: every member has a default, none is unknown
/// (`#[serde(default, deny_unknown_fields)]`), and doc comments describe them.
pub trait Settings: Default + DeserializeOwned + JsonSchema + 'static {
    /// What the types cannot say; called once, when the policy is loaded.
    fn validate(&self) -> Vec<Fault> {
        Vec::new()
    }
}

/// For policies without settings.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

impl Settings for NoSettings {}

/// Something wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON Pointer into the settings.
    pub path: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Fault {
    /// A fault at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Fault {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// What a policy may report. Derive it.
pub trait Codes {
    /// The stable, kebab-case name.
    fn name(&self) -> &'static str;
    /// All of them, as the description declares them.
    fn declarations() -> Vec<Code>;
}

/// Who the policy is. Derive it.
pub trait Page {
    /// The name of its crate.
    const NAME: &'static str;
    /// The version of its crate.
    const VERSION: &'static str;
    /// The description of its crate, one line.
    const SUMMARY: &'static str;
    /// Its page, Markdown.
    const DOCUMENTATION: &'static str;
}
