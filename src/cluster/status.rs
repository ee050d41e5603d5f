//! `status` of a WasmPolicy: what came of what the operator wrote.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policy::Digest;

/// `status`. Members of other writers are kept by the API server, since each
/// writes by server-side apply under a name of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The program, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What all replicas decide by: of an older generation where the newest
    /// does not load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
    /// `Loaded` and `Registered`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// A spec that loaded, with the program that it loaded with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InForce {
    /// The generation of that spec.
    pub generation: i64,
    /// The digest of its program.
    pub digest: Digest,
    /// The spec.
    pub spec: Map<String, Value>,
}

/// A condition, as Kubernetes' own objects have them (metav1.Condition).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which condition.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The generation that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Since when it has this status, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, and what to do, in one line.
    pub message: String,
}

impl Status {
    /// The condition of this type.
    pub fn condition(&self, r#type: &str) -> Option<&Condition> {
        self.conditions.iter().find(|one| one.r#type == r#type)
    }
}
