//! The settings.

use portcullis_sdk::{Fault, Settings as Validate, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of `plain-secret-in-git`; all of them may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Secrets that may be in the clear, by name; a `*` at the end stands for
    /// any rest.
    pub exempt_names: Vec<String>,
    /// Keys of Secrets that may be in the clear, by name; a `*` at the end
    /// stands for any rest.
    pub exempt_keys: Vec<String>,
}

impl Settings {
    pub(crate) fn exempts_name(&self, name: &str) -> bool {
        names::fit(&self.exempt_names, name)
    }

    pub(crate) fn exempts_key(&self, key: &str) -> bool {
        names::fit(&self.exempt_keys, key)
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let mut faults = names::faults("exemptNames", &self.exempt_names);
        faults.extend(names::faults("exemptKeys", &self.exempt_keys));
        faults
    }
}
