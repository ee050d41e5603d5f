//! Findings that hang on other objects, as a case expects them.

use serde::Deserialize;
use serde_json::Value;

use super::ExpectedFinding;
use crate::{Changes, CutOff, Finding, Lack};

/// A finding of what is there, as far as the case says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedLack {
    code: String,
    path: String,
    message: Option<String>,
    remedy: Option<String>,
    among: Option<usize>,
    unless: Option<usize>,
    object: Option<Value>,
}

/// A finding that counts where the API server is kept out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedCutOff {
    code: String,
    path: String,
    message: Option<String>,
    remedy: Option<String>,
    policy: Option<Value>,
}

impl ExpectedLack {
    fn fits(&self, found: &Lack) -> bool {
        let is_count = |expected: Option<usize>, found: usize| expected.is_none_or(|n| n == found);
        is_finding(
            (&self.code, &self.path),
            (&self.message, &self.remedy),
            &found.finding,
        ) && is_count(self.among, found.among.len())
            && is_count(self.unless, found.unless.len())
            && (self.object.is_none() || self.object == found.object)
    }
}

impl ExpectedCutOff {
    fn fits(&self, found: &CutOff) -> bool {
        is_finding(
            (&self.code, &self.path),
            (&self.message, &self.remedy),
            &found.finding,
        ) && self
            .policy
            .as_ref()
            .is_none_or(|policy| *policy == found.policy)
    }
}

fn is_finding(
    (code, path): (&str, &str),
    (message, remedy): (&Option<String>, &Option<String>),
    found: &Finding,
) -> bool {
    let expected = ExpectedFinding {
        code: code.to_owned(),
        path: path.to_owned(),
        container: None,
        within: None,
        message: message.clone(),
        remedy: remedy.clone(),
    };
    expected.fits(found)
}

/// What differs, one line.
pub(super) fn lacking_differ(
    changes: Option<&Changes>,
    expected: &[ExpectedLack],
) -> Option<String> {
    let found = changes.map_or(&[][..], |changes| &changes.lacking);
    let mut both = found.iter().zip(expected);
    let fits = found.len() == expected.len() && both.all(|(found, expected)| expected.fits(found));
    (!fits).then(|| format!("lacking: found {found:?}, expected {expected:?}"))
}

/// What differs, one line.
pub(super) fn cut_off_differ(
    changes: Option<&Changes>,
    expected: &[ExpectedCutOff],
) -> Option<String> {
    let found = changes.map_or(&[][..], |changes| &changes.cut_off);
    let mut both = found.iter().zip(expected);
    let fits = found.len() == expected.len() && both.all(|(found, expected)| expected.fits(found));
    (!fits).then(|| format!("cutOff: found {found:?}, expected {expected:?}"))
}
