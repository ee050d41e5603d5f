//! What an operator may add.

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

/// A token by its looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As a message names it.
    pub name: String,
    /// A regular expression of ASCII text without look-around: `acme_[0-9a-f]{32}`.
    pub regex: String,
    /// How sure a match is.
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
