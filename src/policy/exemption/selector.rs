//! Which objects of its namespace an exemption is for.

use std::collections::BTreeMap;

use portcullis_contract::{LabelSelector, pod};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::policy::matching::{check_selector, selects_labels};
use crate::policy::spec::Error;

/// Which objects; every member that is there has to hold, and one that is not
/// there holds for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selector {
    /// API groups, without a version; `""` is the core group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// Kinds, as manifests name them: `Deployment`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Names of objects, whole ones. Pods have names that a controller made:
    /// they are selected by their labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Labels of the object. Where it has a pod template, the labels of that
    /// count, too, and go before its own; so a workload is selected together
    /// with its Pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<LabelSelector>,
}

/// An object as a selector looks at it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its API group.
    pub group: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its name; empty where it is yet to be made.
    pub name: &'a str,
    /// All of it, or at least its metadata and those of its pod template.
    pub object: &'a Value,
}

impl Selector {
    /// Whether it selects an object.
    pub fn selects(&self, candidate: &Candidate<'_>) -> bool {
        let has =
            |list: &[String], value: &str| list.is_empty() || list.iter().any(|one| one == value);
        has(&self.api_groups, candidate.group)
            && has(&self.kinds, candidate.kind)
            && has(&self.names, candidate.name)
            && self
                .label_selector
                .as_ref()
                .is_none_or(|selector| selects_labels(selector, &labels(candidate.object)))
    }

    /// Refuses lists that are there and empty, and labels that cannot be.
    pub(super) fn validate(&self, pointer: &str) -> Result<(), Error> {
        for (member, list) in [
            ("apiGroups", &self.api_groups),
            ("kinds", &self.kinds),
            ("names", &self.names),
        ] {
            if list.iter().any(|value| value.contains('*')) {
                return Err(Error {
                    pointer: format!("{pointer}/{member}"),
                    problem: NO_WILDCARD.to_owned(),
                });
            }
        }
        match &self.label_selector {
            Some(selector) => check_selector(&format!("{pointer}/labelSelector"), selector),
            None => Ok(()),
        }
    }
}

/// Said by the parser, and by the definition of the kind.
pub const NO_WILDCARD: &str = "has no wildcards: write whole values, or leave it out for any";

/// An object's labels, and over them those of its pod template.
fn labels(object: &Value) -> BTreeMap<String, String> {
    let template = pod::view(object).map(|view| view.template);
    let all = [Some(object), template].into_iter().flatten();
    all.filter_map(|part| part.pointer("/metadata/labels")?.as_object())
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selects(selector: Value, object: &Value) -> bool {
        let selector: Selector = serde_json::from_value(selector).expect("a selector");
        let text = |at: &str| {
            object
                .pointer(at)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let group = text("/apiVersion")
            .split_once('/')
            .map_or("", |(group, _)| group);
        selector.selects(&Candidate {
            group,
            kind: text("/kind"),
            name: text("/metadata/name"),
            object,
        })
    }

    fn web(own: Value, template: Value) -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "labels": own},
            "spec": {"template": {"metadata": {"labels": template}}}})
    }

    #[test]
    fn an_empty_selector_selects_everything() {
        assert!(selects(json!({}), &web(json!({}), json!({}))));
        let all = json!({"labelSelector": {}});
        assert!(selects(
            all,
            &json!({"apiVersion": "v1", "kind": "Service"})
        ));
    }

    #[test]
    fn every_member_has_to_hold() {
        let object = web(json!({}), json!({"app": "web"}));
        let whole = json!({"apiGroups": ["apps"], "kinds": ["Deployment"], "names": ["web"],
            "labelSelector": {"matchLabels": {"app": "web"}}});
        assert!(selects(whole.clone(), &object));
        for (member, value) in [
            ("apiGroups", json!([""])),
            ("kinds", json!(["Pod"])),
            ("names", json!(["we", "web-1"])),
            ("labelSelector", json!({"matchLabels": {"app": "api"}})),
        ] {
            let mut other = whole.clone();
            other[member] = value;
            assert!(!selects(other, &object), "{member}");
        }
    }

    #[test]
    fn a_workload_is_selected_together_with_its_pods() {
        let app = |name: &str| json!({"labelSelector": {"matchLabels": {"app": name}}});
        let pod = |labels: Value| {
            json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"labels": labels}})
        };
        // Own labels count; what the template says of the same label goes first.
        let deployment = web(json!({"app": "own", "team": "a"}), json!({"app": "web"}));
        assert!(
            selects(app("web"), &deployment) && selects(app("web"), &pod(json!({"app": "web"})))
        );
        assert!(!selects(app("own"), &deployment));
        let team = json!({"labelSelector": {"matchLabels": {"team": "a"}}});
        assert!(selects(team, &deployment));
        let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {},
            "spec": {"jobTemplate": {"spec": {"template": {"metadata":
                {"labels": {"app": "web"}}}}}}});
        assert!(selects(app("web"), &cron));
        let not = json!({"labelSelector": {"matchExpressions":
            [{"key": "app", "operator": "NotIn", "values": ["web"]}]}});
        assert!(!selects(not, &deployment), "by its own labels it would be");
    }
}
