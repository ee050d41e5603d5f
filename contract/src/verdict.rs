//! What a policy says of one request: findings and, apart from them, changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::effect::{Effect, Guarded};
use crate::hanging::{CutOff, Lack};

/// The answer of a guest's `evaluate`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verdict {
    /// What is wrong with the object, in the order of its fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What the policy would change. Dropped if anything is denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Why the policy could not judge this request: the host treats it as a
    /// failure. Names places and types, never values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One thing that is wrong, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// One of the codes of the description.
    pub code: String,
    /// What is the case, one line, lower case, no final period:
    /// "`nginx:latest` changes under you".
    pub message: String,
    /// What to write instead, one line, an imperative, no final period.
    pub remedy: String,
    /// JSON Pointer into the object: `/spec/containers/0/image`.
    pub path: String,
    /// The container concerned, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Where in the text at `path` it is, if that holds a text of its own: a
    /// file in a ConfigMap, a script among the arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

/// A place in a text that an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// From 1; lines end with `\n`.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl std::fmt::Display for Within {
    /// `line 3`, as people are told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)
    }
}

/// What a policy would change: a patch or a whole object, never both. Effects
/// and findings that hang on more than the object need no right to change it;
/// the validating half acts on them, which sees it as it will be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Changes {
    /// RFC 6902 operations on the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patch: Vec<PatchOperation>,
    /// The object as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
    /// Objects that should exist besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// Findings that hang on what the user who asks may do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guarded: Vec<Guarded>,
    /// Findings of what is there, which hang on other objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<Lack>,
    /// Findings that hang on what the API server calls in the namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_off: Vec<CutOff>,
    /// Lines for the API server's audit log.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// One RFC 6902 operation. `copy` and `move` are left out: a diff never needs
/// them, and they hide what they carry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum PatchOperation {
    /// Adds a member, or inserts before an element.
    Add {
        /// JSON Pointer.
        path: String,
        /// What to add.
        value: Value,
    },
    /// Removes what is there.
    Remove {
        /// JSON Pointer.
        path: String,
    },
    /// Replaces what is there.
    Replace {
        /// JSON Pointer.
        path: String,
        /// What to put in its place.
        value: Value,
    },
    /// Fails unless the value is there.
    Test {
        /// JSON Pointer.
        path: String,
        /// What must be there.
        value: Value,
    },
}

impl Changes {
    /// Whether the object itself is to be changed, or the audit log told of it.
    pub fn is_of_object(&self) -> bool {
        !self.patch.is_empty() || self.object.is_some() || !self.annotations.is_empty()
    }

    /// Whether anything else is asked for.
    pub fn is_of_others(&self) -> bool {
        !self.effects.is_empty() || self.hanging().next().is_some()
    }

    /// The findings that hang on more than the object.
    pub fn hanging(&self) -> impl Iterator<Item = &Finding> {
        let guarded = self.guarded.iter().map(|one| &one.finding);
        let lacking = self.lacking.iter().map(|one| &one.finding);
        let cut_off = self.cut_off.iter().map(|one| &one.finding);
        guarded.chain(lacking).chain(cut_off)
    }

    /// The same, to take values out of them.
    pub fn hanging_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        let guarded = self.guarded.iter_mut().map(|one| &mut one.finding);
        let lacking = self.lacking.iter_mut().map(|one| &mut one.finding);
        let cut_off = self.cut_off.iter_mut().map(|one| &mut one.finding);
        guarded.chain(lacking).chain(cut_off)
    }
}

impl Verdict {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.changes.is_none() && self.error.is_none()
    }
}
