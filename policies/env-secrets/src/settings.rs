//! The settings.

use std::cell::OnceCell;

use portcullis_sdk::{Fault, Settings as Validate, names};
use portcullis_secrets::{Detector, Options, Pattern};
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
    detector: OnceCell<Detector>,
}

impl Settings {
    /// Whether a variable of this name is not judged.
    pub(crate) fn exempts(&self, name: &str) -> bool {
        names::fit(&self.exempt_names, name)
    }

    /// What finds secrets; None only for settings that were refused.
    pub(crate) fn detector(&self) -> Option<&Detector> {
        self.detector.get()
    }

    fn options(&self) -> Options {
        Options {
            patterns: self.patterns.clone(),
            key_names: self.key_names.clone(),
        }
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let mut faults = names::faults("exemptNames", &self.exempt_names);
        match Detector::new(&self.options()) {
            Ok(detector) => drop(self.detector.set(detector)),
            Err(problems) => {
                let problems = problems.into_iter();
                faults.extend(problems.map(|fault| Fault::new(fault.path, fault.message)));
            }
        }
        faults
    }
}
