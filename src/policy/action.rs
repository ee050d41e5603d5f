//! From a finding's level and code to what it leads to.

use std::collections::BTreeMap;

use portcullis_contract::Level;
use serde::Serialize;

use super::matching;
use super::spec::{Spec, ValidationAction};

/// What a finding leads to. `Audit` may come with either of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actions {
    /// The strongest of them, which names the finding in every report.
    pub action: Action,
    /// Whether the audit annotations name it.
    pub audit: bool,
    /// Whether the entry of a ConfigMap that it stands in is to be moved, where
    /// the namespace is enrolled.
    pub moves: bool,
}

/// The strongest thing a finding leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The request is refused.
    Deny,
    /// The client sees a warning.
    Warn,
    /// Only the audit annotations say so.
    Audit,
}

/// The labels of the namespace that an object is in.
#[derive(Debug, Clone, Copy)]
pub enum NamespaceLabels<'a> {
    /// The object is cluster-scoped and no Namespace.
    ClusterScoped,
    /// All labels are known.
    Known(&'a BTreeMap<String, String>),
    /// Only these are: offline, the namespace is not among the files.
    Partly(&'a BTreeMap<String, String>),
}

/// What a finding of `code` and `level` leads to: the first override that
/// fits, else error as `validationActions` say, warning a warning, info an
/// audit line. Also whether this hung on a label that is not known: such an
/// override does not fit, since it could weaken what is meant for others.
pub fn actions(
    spec: &Spec,
    code: &str,
    level: Level,
    labels: NamespaceLabels<'_>,
) -> (Actions, bool) {
    let mut guessed = false;
    let overridden = spec.overrides.iter().find(|entry| {
        if !entry.codes.is_empty() && !entry.codes.contains(code) {
            return false;
        }
        let selected = entry
            .namespace_selector
            .as_ref()
            .map_or(true.into(), |selector| {
                matching::selects_namespace(selector, labels)
            });
        guessed |= selected.guessed;
        selected.matches && !selected.guessed
    });
    let actions = match (overridden, level) {
        (Some(entry), _) => entry.validation_actions.as_slice(),
        (None, Level::Error) => spec.validation_actions.as_slice(),
        (None, Level::Warning) => &[ValidationAction::Warn],
        (None, Level::Info) => &[ValidationAction::Audit],
    };
    (Actions::of(actions), guessed)
}

impl Actions {
    fn of(actions: &[ValidationAction]) -> Self {
        let has = |action| actions.contains(&action);
        let action = if has(ValidationAction::Deny) {
            Action::Deny
        } else if has(ValidationAction::Warn) || has(ValidationAction::Move) {
            Action::Warn
        } else {
            Action::Audit
        };
        Actions {
            action,
            audit: has(ValidationAction::Audit),
            moves: has(ValidationAction::Move),
        }
    }

    /// The same, but nothing stronger than `most`.
    #[must_use]
    pub fn at_most(self, most: Action) -> Self {
        let action = self.action.max(most);
        Actions {
            action,
            audit: self.audit || action == Action::Audit,
            moves: self.moves,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::spec::{API_VERSION, KIND, Resource};

    fn spec(spec: serde_json::Value) -> Spec {
        Resource::parse(&json!({"apiVersion": API_VERSION, "kind": KIND,
            "metadata": {"name": "p"}, "spec": spec}))
        .expect("a policy")
        .spec
    }

    fn action(spec: &Spec, code: &str, level: Level, env: &str) -> Action {
        let labels = BTreeMap::from([("env".to_owned(), env.to_owned())]);
        actions(spec, code, level, NamespaceLabels::Known(&labels))
            .0
            .action
    }

    #[test]
    fn levels_map_to_actions_by_default() {
        let spec = spec(json!({"program": {"builtin": "p"}, "validationActions": ["Deny"]}));
        assert_eq!(action(&spec, "c", Level::Error, ""), Action::Deny);
        assert_eq!(action(&spec, "c", Level::Warning, ""), Action::Warn);
        assert_eq!(action(&spec, "c", Level::Info, ""), Action::Audit);
    }

    #[test]
    fn the_first_override_that_fits_wins() {
        let spec = spec(json!({"program": {"builtin": "p"}, "overrides": [
            {"codes": ["a"], "namespaceSelector": {"matchLabels": {"env": "dev"}},
             "validationActions": ["Warn", "Audit"]},
            {"codes": ["a"], "validationActions": ["Audit"]},
            {"validationActions": ["Deny"]}]}));
        assert_eq!(action(&spec, "a", Level::Error, "dev"), Action::Warn);
        assert_eq!(action(&spec, "a", Level::Error, "prod"), Action::Audit);
        assert_eq!(action(&spec, "b", Level::Info, "prod"), Action::Deny);
    }

    #[test]
    fn what_is_moved_is_a_warning_where_it_is_not() {
        let spec = spec(json!({"program": {"builtin": "p"}, "validationActions": ["Move"]}));
        let labels = BTreeMap::new();
        let (actions, _) = actions(&spec, "c", Level::Error, NamespaceLabels::Known(&labels));
        assert_eq!((actions.action, actions.moves), (Action::Warn, true));
    }

    #[test]
    fn an_override_that_hangs_on_an_unknown_label_does_not_weaken() {
        let spec = spec(json!({"program": {"builtin": "p"}, "overrides": [
            {"namespaceSelector": {"matchLabels": {"env": "dev"}}, "validationActions": ["Warn"]}]}));
        let nothing = BTreeMap::new();
        let (actions, guessed) =
            actions(&spec, "c", Level::Error, NamespaceLabels::Partly(&nothing));
        assert_eq!((actions.action, guessed), (Action::Deny, true));
    }

    #[test]
    fn a_cap_never_strengthens() {
        let audit = Actions {
            action: Action::Audit,
            audit: true,
            moves: false,
        };
        assert_eq!(audit.at_most(Action::Warn), audit);
        let deny = Actions {
            action: Action::Deny,
            audit: false,
            moves: false,
        };
        assert_eq!(deny.at_most(Action::Audit), audit);
    }
}
