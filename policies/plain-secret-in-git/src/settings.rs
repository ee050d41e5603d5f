//! The settings.

use portcullis_sdk::{Fault, Settings as Validate};
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
        fits(&self.exempt_names, name)
    }

    pub(crate) fn exempts_key(&self, key: &str) -> bool {
        fits(&self.exempt_keys, key)
    }
}

fn fits(entries: &[String], name: &str) -> bool {
    entries.iter().any(|entry| match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == entry,
    })
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let lists = [
            ("exemptNames", &self.exempt_names),
            ("exemptKeys", &self.exempt_keys),
        ];
        let mut faults = Vec::new();
        for (member, list) in lists {
            for (index, entry) in list.iter().enumerate() {
                let star = entry.find('*');
                if entry.is_empty() || star.is_some_and(|at| at + 1 != entry.len()) {
                    let problem =
                        format!("`{entry}` is no name: write it whole, or end it with `*`");
                    faults.push(Fault::new(format!("/{member}/{index}"), problem));
                }
            }
        }
        faults
    }
}
