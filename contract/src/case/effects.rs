//! Effects and guarded findings that a case expects.

use serde::Deserialize;
use serde_json::Value;

use super::ExpectedFinding;
use crate::{Changes, Effect, EffectMode, Guarded, Permission};

/// An effect, as far as the case says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedEffect {
    kind: String,
    required: bool,
    object: Option<Value>,
    mode: Option<EffectMode>,
    unless: Option<usize>,
}

/// A finding that counts only where the user may not do something.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedGuarded {
    code: String,
    path: String,
    message: Option<String>,
    remedy: Option<String>,
    permission: Permission,
}

impl ExpectedEffect {
    fn fits(&self, found: &Effect) -> bool {
        self.kind == found.kind
            && self.required == found.required
            && self.object.as_ref().is_none_or(|o| *o == found.object)
            && self.mode.is_none_or(|mode| mode == found.mode)
            && self.unless.is_none_or(|count| count == found.unless.len())
    }
}

impl ExpectedGuarded {
    fn fits(&self, found: &Guarded) -> bool {
        let finding = ExpectedFinding {
            code: self.code.clone(),
            path: self.path.clone(),
            container: None,
            within: None,
            message: self.message.clone(),
            remedy: self.remedy.clone(),
        };
        finding.fits(&found.finding) && self.permission == found.permission
    }
}

/// What differs, one line.
pub(super) fn differ(changes: Option<&Changes>, expected: &[ExpectedEffect]) -> Option<String> {
    let found = changes.map_or(&[][..], |changes| &changes.effects);
    let fits = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| expected.fits(found));
    (!fits).then(|| {
        let found = serde_json::to_string(found).unwrap_or_default();
        format!("effects: found {found}, expected {expected:?}")
    })
}

/// What differs, one line.
pub(super) fn guarded_differ(
    changes: Option<&Changes>,
    expected: &[ExpectedGuarded],
) -> Option<String> {
    let found = changes.map_or(&[][..], |changes| &changes.guarded);
    let fits = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| expected.fits(found));
    (!fits).then(|| format!("guarded: found {found:?}, expected {expected:?}"))
}
