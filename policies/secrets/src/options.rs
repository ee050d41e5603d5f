//! What an operator may add.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::Confidence;

/// What is looked for besides what is built in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Patterns of tokens.
    pub patterns: Vec<Pattern>,
    /// Names of keys that hold secrets, at the end of a whole name too:
    /// `licence_code` means `APP_LICENCE_CODE` and `licenceCode` as well.
    pub key_names: Vec<String>,
}

/// A token by its looks: as settings have it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(description = "A token by its looks.")]
pub struct Pattern {
    /// What to call it.
    pub name: String,
    /// A regular expression of ASCII text, without look-around:
    /// `acme_[0-9a-f]{32}`.
    pub regex: String,
    /// How sure a match is.
    #[serde(default)]
    pub confidence: Confidence,
}

/// Something wrong with the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer: `/patterns/0/regex`, `/keyNames/1`.
    pub path: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}
