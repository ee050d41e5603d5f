//! The resource `WasmPolicy`, and its one parser.
//!
//! Files, the controller and `check` all read policies through
//! [`Resource::parse`]. Unknown members are refused: a misspelt member of a
//! security setting must never fall back to a default in silence.

mod actions;
mod limits;
pub(in crate::policy) mod resources;

use std::collections::BTreeSet;
use std::fmt;

use portcullis_contract::MatchConstraints;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::effect::{self, EffectGrant};
use super::lookup::{self, LookupGrant};
use super::name::{NameError, PolicyName};
pub use super::program::{ConfigMapRef, ProgramRef};
pub use actions::{Override, ValidationAction};
pub use limits::Limits;

/// The API group and version of [`Resource`].
pub const API_VERSION: &str = "portcullis.dev/v1alpha1";
/// The kind of [`Resource`].
pub const KIND: &str = "WasmPolicy";

/// Why a document is no `WasmPolicy`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(.pointer))]
pub struct Error {
    /// JSON Pointer to the member that is wrong; empty for the document.
    pub pointer: String,
    /// What is wrong with it, and what is allowed.
    pub problem: String,
}

fn place(pointer: &str) -> String {
    match pointer {
        "" => String::new(),
        pointer => format!("`{}`: ", portcullis_contract::pointer::field_path(pointer)),
    }
}

/// A `WasmPolicy` document.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `metadata.name`.
    pub name: PolicyName,
    /// `spec`.
    pub spec: Spec,
}

/// What the operator wants of one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// Where the program comes from.
    pub program: ProgramRef,
    /// The program's settings; its own schema says which.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// Which requests it judges, instead of the program's own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_constraints: Option<MatchConstraints>,
    /// What a finding of level error leads to.
    #[serde(default = "deny")]
    pub validation_actions: Vec<ValidationAction>,
    /// Other actions for some codes or namespaces; the first that fits wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// What happens when the policy breaks.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// How updates of objects that were bad before are judged.
    #[serde(default)]
    pub on_update: OnUpdate,
    /// How objects are judged that a built-in controller makes for an owner
    /// which was judged itself.
    #[serde(default)]
    pub inherited: Inherited,
    /// What the program is allowed beyond its declared reads.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grants: BTreeSet<Grant>,
    /// The kinds whose objects it may look up, beside the one it judges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<LookupGrant>,
    /// The kinds of objects that it may have Portcullis create in the namespace
    /// of a request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectGrant>,
    /// Whether PolicyExemptions of a namespace may forgive what it finds there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exemptible: bool,
    /// Limits of one evaluation.
    #[serde(default)]
    pub limits: Limits,
}

fn deny() -> Vec<ValidationAction> {
    vec![ValidationAction::Deny]
}

/// What happens when a policy breaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FailurePolicy {
    /// The request is refused.
    #[default]
    Fail,
    /// The request passes, with a warning.
    Ignore,
}

/// How updates of objects that were bad before are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnUpdate {
    /// A denial that the old object had already, with the same value in the
    /// same place, becomes a warning.
    #[default]
    Ratchet,
    /// Every update is judged like a creation.
    Always,
}

/// How objects are judged that a built-in controller makes for an owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Inherited {
    /// A denial becomes an audit line: the owner was judged when a person
    /// wrote it, and a drain or a rollout must not stop.
    #[default]
    Audit,
    /// Denied like anything else.
    Deny,
}

/// What a program is allowed beyond its declared reads.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Grant {
    /// It sees the values of Secrets and ConfigMaps, and whole objects.
    Values,
}

/// What surrounds a spec.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

impl Resource {
    /// Reads a `WasmPolicy` document.
    ///
    /// # Errors
    ///
    /// The first member that is wrong, with its place and what is allowed.
    pub fn parse(document: &Value) -> Result<Resource, Error> {
        let version = document
            .get("apiVersion")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let kind = document
            .get("kind")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if (version, kind) != (API_VERSION, KIND) {
            let problem = format!("expected `{API_VERSION}` `{KIND}`, found `{version}` `{kind}`");
            return Err(Error {
                pointer: String::new(),
                problem,
            });
        }
        let parsed: Document =
            serde_path_to_error::deserialize(document).map_err(|fault| fault_of(&fault))?;
        debug_assert_eq!(
            (parsed.api_version.as_str(), parsed.kind.as_str()),
            (API_VERSION, KIND)
        );
        let name = parsed
            .metadata
            .name
            .parse()
            .map_err(|problem: NameError| Error {
                pointer: "/metadata/name".into(),
                problem: problem.to_string(),
            })?;
        parsed.spec.validate()?;
        Ok(Resource {
            name,
            spec: parsed.spec,
        })
    }
}

/// What a document is refused for.
pub(super) fn fault_of(fault: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    Error {
        pointer: pointer(fault.path()),
        problem: fault.inner().to_string(),
    }
}

/// The JSON Pointer of a serde path.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .fold(String::new(), |pointer, segment| match segment {
            Segment::Seq { index } => {
                portcullis_contract::pointer::join(&pointer, &index.to_string())
            }
            Segment::Map { key } => portcullis_contract::pointer::join(&pointer, key),
            Segment::Enum { .. } | Segment::Unknown => pointer,
        })
}

impl Spec {
    /// The spec of a document that names a program and nothing else.
    pub fn of(program: ProgramRef) -> Spec {
        Spec {
            program,
            settings: Map::new(),
            match_constraints: None,
            validation_actions: deny(),
            overrides: Vec::new(),
            failure_policy: FailurePolicy::default(),
            on_update: OnUpdate::default(),
            inherited: Inherited::default(),
            grants: BTreeSet::new(),
            lookups: Vec::new(),
            effects: Vec::new(),
            exemptible: false,
            limits: Limits::default(),
        }
    }

    /// What the types cannot say.
    fn validate(&self) -> Result<(), Error> {
        actions::check("/spec/validationActions", &self.validation_actions)?;
        for (index, entry) in self.overrides.iter().enumerate() {
            actions::check(
                &format!("/spec/overrides/{index}/validationActions"),
                &entry.validation_actions,
            )?;
            if let Some(selector) = &entry.namespace_selector {
                let place = format!("/spec/overrides/{index}/namespaceSelector");
                super::matching::check_selector(&place, selector)?;
            }
        }
        if let Some(constraints) = &self.match_constraints {
            super::matching::check_constraints("/spec/matchConstraints", constraints)?;
        }
        lookup::validate(&self.lookups)?;
        effect::validate(&self.effects)?;
        self.limits.validate()
    }

    /// Whether a finding may move what it is about.
    pub fn may_move(&self) -> bool {
        let moves = |actions: &[ValidationAction]| actions.contains(&ValidationAction::Move);
        let mut overrides = self.overrides.iter();
        moves(&self.validation_actions) || overrides.any(|entry| moves(&entry.validation_actions))
    }

    /// Whether this grants no more than `other` does.
    pub fn grants_no_more_than(&self, other: &Spec) -> bool {
        let may_look = |grant: &LookupGrant| grant.is_within(&other.lookups);
        let may_create = |grant: &EffectGrant| grant.is_within(&other.effects);
        self.grants.is_subset(&other.grants)
            && self.lookups.iter().all(may_look)
            && self.effects.iter().all(may_create)
    }
}

impl fmt::Display for FailurePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailurePolicy::Fail => "Fail",
            FailurePolicy::Ignore => "Ignore",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use std::time::Duration;

    use super::*;

    fn parse(spec: Value) -> Result<Resource, Error> {
        Resource::parse(&json!({"apiVersion": API_VERSION, "kind": KIND,
            "metadata": {"name": "tags"}, "spec": spec}))
    }

    #[test]
    fn the_shortest_policy_is_a_program() {
        let policy = parse(json!({"program": {"builtin": "image-tags"}})).expect("parses");
        assert_eq!(policy.spec.validation_actions, [ValidationAction::Deny]);
        assert_eq!(policy.spec.failure_policy, FailurePolicy::Fail);
        assert_eq!(policy.spec.limits.deadline(), Duration::from_millis(100));
    }

    #[test]
    fn faults_name_their_place_and_what_is_allowed() {
        let program = json!({"builtin": "x"});
        for (spec, text) in [
            (
                json!({"program": program, "setings": {}}),
                "`spec.setings`: unknown field `setings`",
            ),
            (
                json!({"program": {}}),
                "`spec.program`: set exactly one of `builtin`, `configMap`, `file`",
            ),
            (
                json!({"program": {"builtin": "a", "file": "b"}}),
                "exactly one",
            ),
            (json!({"program": {"url": "x"}}), "unknown field `url`"),
            (
                json!({"program": program, "validationActions": ["Deny", "Warn"]}),
                "`spec.validationActions`: has both",
            ),
            (
                json!({"program": program, "validationActions": []}),
                "at least one of",
            ),
            (
                json!({"program": program, "validationActions": ["deny"]}),
                "`spec.validationActions[0]`: unknown variant `deny`, expected one of `Deny`",
            ),
            (
                json!({"program": program, "limits": {"deadlineMilliseconds": 0}}),
                "`spec.limits.deadlineMilliseconds`: 0 is out of range: write 1 to 10000",
            ),
            (
                json!({"program": program, "failurePolicy": "fail"}),
                "expected `Fail` or `Ignore`",
            ),
        ] {
            let error = parse(spec.clone()).expect_err("refused").to_string();
            assert!(error.contains(text), "{spec}: {error}");
        }
    }
}
