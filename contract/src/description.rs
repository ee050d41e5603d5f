//! What a policy says of itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Lookup, MatchConstraints};

/// The answer of a guest's `describe`, and the JSON of the custom section
/// [`crate::DESCRIPTION_SECTION`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Description {
    /// The version of `portcullis:policy` this was written for.
    pub interface: String,
    /// The policy's name, a DNS label: `image-tags`.
    pub name: String,
    /// The policy's own version, semver.
    pub version: String,
    /// One line: what it is for.
    pub summary: String,
    /// The policy's page, Markdown.
    #[serde(default)]
    pub documentation: String,
    /// What it judges unless the operator says otherwise.
    pub matches: MatchConstraints,
    /// The fields it sees; see [`crate::reads`] for the grammar.
    pub reads: BTreeSet<String>,
    /// Everything it may report. A finding of another code is a failure.
    pub codes: Vec<Code>,
    /// Whether it may ask for changes of the object.
    #[serde(default)]
    pub mutating: bool,
    /// Members of the settings, one of which has to be set (to anything but
    /// `null` or `false`) before it asks for changes: without them the API
    /// server need not call it twice. Empty: no setting is needed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mutating_settings: BTreeSet<String>,
    /// Whether it judges manifests in files only: no cluster asks it, since
    /// what it reports is as it should be there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offline: bool,
    /// Whether it judges the values of Secrets and ConfigMaps: without the
    /// operator's grant `values` it would judge blanks, and does not load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_values: bool,
    /// Kinds of effects it may ask for; each needs the operator's grant.
    #[serde(default)]
    pub effects: BTreeSet<String>,
    /// Kinds whose objects it looks up; each needs the operator's grant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
    /// JSON Schema of its settings.
    pub settings: Value,
}

/// One thing a policy may report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Stable kebab-case name: `image-latest`.
    pub code: String,
    /// How bad it is.
    pub level: Level,
    /// What it means and why it matters, Markdown; the first sentence stands
    /// by itself.
    pub meaning: String,
    /// Whether what stands at the path of such a finding is a secret: the host
    /// shows it nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// How bad a finding is, in the policy's own eyes. What it leads to is the
/// operator's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// By default, what the policy's `validationActions` say.
    Error,
    /// By default, a warning.
    Warning,
    /// By default, a line in the audit annotations.
    Info,
}

impl Description {
    /// Whether it may ask for changes where it has these settings.
    pub fn mutates(&self, settings: &Map<String, Value>) -> bool {
        let is_set = |name: &String| {
            let value = settings.get(name).unwrap_or(&Value::Null);
            !matches!(value, Value::Null | Value::Bool(false))
        };
        let names = &self.mutating_settings;
        self.mutating && (names.is_empty() || names.iter().any(is_set))
    }

    /// The declaration of `code`, if there is one.
    pub fn code(&self, code: &str) -> Option<&Code> {
        self.codes.iter().find(|known| known.code == code)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_hang_on_the_settings_that_the_description_names() {
        let description = |more: Value| -> Description {
            let mut text = json!({"interface": "0.1.0", "name": "a", "version": "1.0.0",
                "summary": "s", "matches": {"resourceRules": []}, "reads": [], "codes": [],
                "settings": {}});
            for (name, value) in more.as_object().expect("members") {
                text[name] = value.clone();
            }
            serde_json::from_value(text).expect("a description")
        };
        let mutates = |more: &Value, settings: Value| {
            description(more.clone()).mutates(settings.as_object().expect("settings"))
        };
        let always = json!({"mutating": true});
        let named = json!({"mutating": true, "mutatingSettings": ["defaults", "addTls"]});
        let never = json!({"mutatingSettings": ["defaults"]});
        assert!(mutates(&always, json!({})));
        for settings in [
            json!({"defaults": {}}),
            json!({"defaults": null, "addTls": true}),
        ] {
            assert!(mutates(&named, settings.clone()), "{settings}");
            assert!(!mutates(&never, settings.clone()), "{settings}");
        }
        for settings in [
            json!({}),
            json!({"other": 1}),
            json!({"defaults": null, "addTls": false}),
        ] {
            assert!(!mutates(&named, settings.clone()), "{settings}");
        }
    }
}
