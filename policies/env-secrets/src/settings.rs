//! The settings.

use std::cell::OnceCell;

use portcullis_sdk::{Fault, Settings as Validate};
use portcullis_secrets::{Confidence, Detector, Options};
use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of `env-secrets`; all of them may be left out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Names of environment variables that are not judged; a `*` at the end
    /// stands for any rest.
    pub exempt_names: Vec<String>,
    /// Further names under which secrets stand, at the end of a whole name too:
    /// `licence_code` means `APP_LICENCE_CODE` as well.
    pub key_names: Vec<String>,
    /// Further tokens that are told by their looks.
    pub patterns: Vec<Pattern>,
    /// Built when the settings are read, so that no request builds it.
    #[serde(skip)]
    #[schemars(skip)]
    detector: OnceCell<Option<Detector>>,
}

/// A token by its looks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pattern {
    /// What to call it.
    pub name: String,
    /// A regular expression of ASCII text, without look-around:
    /// `acme_[0-9a-f]{32}`.
    pub regex: String,
    /// How sure a match is.
    #[serde(default)]
    pub confidence: Sureness,
}

/// How sure a match is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Sureness {
    /// It may be a secret.
    Low,
    /// It most likely is one.
    Medium,
    /// It is one.
    #[default]
    High,
}

impl Settings {
    /// Whether a variable of this name is not judged.
    pub(crate) fn exempts(&self, name: &str) -> bool {
        let fits = |entry: &String| match entry.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == entry,
        };
        self.exempt_names.iter().any(fits)
    }

    /// What finds secrets; None only for settings that were refused.
    pub(crate) fn detector(&self) -> Option<&Detector> {
        let build = || Detector::new(&self.options()).ok();
        self.detector.get_or_init(build).as_ref()
    }

    fn options(&self) -> Options {
        let pattern = |pattern: &Pattern| portcullis_secrets::Pattern {
            name: pattern.name.clone(),
            regex: pattern.regex.clone(),
            confidence: match pattern.confidence {
                Sureness::Low => Confidence::Low,
                Sureness::Medium => Confidence::Medium,
                Sureness::High => Confidence::High,
            },
        };
        Options {
            patterns: self.patterns.iter().map(pattern).collect(),
            key_names: self.key_names.clone(),
        }
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let names = self.exempt_names.iter().enumerate();
        let is_name = |entry: &String| {
            let star = entry.find('*');
            !entry.is_empty() && star.is_none_or(|at| at + 1 == entry.len())
        };
        let names = names.filter(|(_, entry)| !is_name(entry));
        let mut faults: Vec<Fault> = names
            .map(|(index, entry)| {
                let problem = format!("`{entry}` is no name: write it whole, or end it with `*`");
                Fault::new(format!("/exemptNames/{index}"), problem)
            })
            .collect();
        match Detector::new(&self.options()) {
            Ok(detector) => drop(self.detector.set(Some(detector))),
            Err(problems) => {
                let problems = problems.into_iter();
                faults.extend(problems.map(|fault| Fault::new(fault.path, fault.message)));
            }
        }
        faults
    }
}
