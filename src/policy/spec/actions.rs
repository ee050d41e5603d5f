//! `spec.validationActions`, and `spec.overrides` with others.

use std::collections::BTreeSet;

use portcullis_contract::LabelSelector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Error;

/// What a finding leads to, as in `ValidatingAdmissionPolicyBinding`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum ValidationAction {
    /// The request is refused.
    Deny,
    /// The client sees a warning.
    Warn,
    /// The audit annotations say so.
    Audit,
    /// In a namespace enrolled for it (label `portcullis.dev/secrets: move`),
    /// the entry of a ConfigMap that holds it becomes an entry of a Secret.
    /// Anywhere else, a warning.
    Move,
}

/// Other actions for some findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// The codes concerned; empty means every code of the policy.
    #[serde(default)]
    pub codes: BTreeSet<String>,
    /// The namespaces concerned; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// What such a finding leads to.
    pub validation_actions: Vec<ValidationAction>,
}

/// The rules of `ValidatingAdmissionPolicyBinding.spec.validationActions`:
/// at least one, no repetition, not Deny and Warn together (the same text
/// would be shown twice). `Move` says itself what becomes of it elsewhere.
pub(super) fn check(pointer: &str, actions: &[ValidationAction]) -> Result<(), Error> {
    use ValidationAction::{Deny, Move, Warn};
    let distinct: BTreeSet<_> = actions.iter().collect();
    let problem = if actions.is_empty() {
        "is empty: write at least one of `Deny`, `Warn`, `Audit`, `Move`"
    } else if distinct.len() != actions.len() {
        "names an action twice"
    } else if actions.contains(&Deny) && actions.contains(&Warn) {
        "has both `Deny` and `Warn`, which would show the same text twice: write one of them"
    } else if actions.contains(&Move) && (actions.contains(&Deny) || actions.contains(&Warn)) {
        "has `Move` beside `Deny` or `Warn`: where nothing is moved it is a warning anyway; write \
         one of them"
    } else {
        return Ok(());
    };
    Err(Error {
        pointer: pointer.to_owned(),
        problem: problem.to_owned(),
    })
}
