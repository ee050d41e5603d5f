//! Match constraints, in the words of `ValidatingAdmissionPolicy`.
//!
//! Types only: the host decides what matches (`policy::matching`). Unknown
//! members are refused, so that a misspelt selector never widens a match.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The label that every namespace carries its own name in, and that users
/// cannot change.
pub const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Which requests reach a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchConstraints {
    /// The request matches if any of these rules does.
    #[serde(default)]
    pub resource_rules: Vec<Rule>,
    /// The request does not match if any of these rules does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_resource_rules: Vec<Rule>,
    /// Labels of the object's namespace (of the object itself, for a
    /// Namespace). Cluster-scoped objects of other kinds always match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Labels of the object, old or new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
}

/// One rule: all of its members have to match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// API groups; `""` is the core group, `*` any.
    pub api_groups: Vec<String>,
    /// API versions; `*` any.
    pub api_versions: Vec<String>,
    /// Plural resources: `pods`, `pods/ephemeralcontainers`, `pods/*` (all
    /// subresources), `*/scale`, `*` (all resources, no subresources), `*/*`.
    pub resources: Vec<String>,
    /// Operations; `*` any.
    pub operations: Vec<Operation>,
    /// Namespaced, cluster-scoped, or both.
    #[serde(default, skip_serializing_if = "Scope::is_any")]
    pub scope: Scope,
    /// Names of objects; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
}

/// An operation of an admission request, or any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Operation {
    /// A new object.
    Create,
    /// A change of an existing object.
    Update,
    /// A deletion; the object is in `oldObject`.
    Delete,
    /// A connection such as `pods/exec`.
    Connect,
    /// In a rule: any of them.
    #[serde(rename = "*")]
    Any,
}

impl Operation {
    /// As the API server writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
            Operation::Any => "*",
        }
    }
}

/// Which scope a rule speaks of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Scope {
    /// Both.
    #[default]
    #[serde(rename = "*")]
    Any,
    /// Cluster-scoped objects.
    Cluster,
    /// Namespaced objects.
    Namespaced,
}

impl Scope {
    fn is_any(&self) -> bool {
        *self == Scope::Any
    }
}

/// A label selector; an empty one selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements, all of which must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<SelectorRequirement>,
}

/// One requirement of a [`LabelSelector`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SelectorRequirement {
    /// The label.
    pub key: String,
    /// How the label relates to `values`.
    pub operator: SelectorOperator,
    /// For `In` and `NotIn`; empty for the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// The operator of a [`SelectorRequirement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum SelectorOperator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl MatchConstraints {
    /// CREATE and UPDATE of everything that carries a pod template, pods
    /// themselves and their ephemeral containers included.
    pub fn workloads() -> Self {
        MatchConstraints::workloads_and(&["pods/ephemeralcontainers"])
    }

    /// The same without `pods/ephemeralcontainers`: for policies on fields that
    /// the API forbids in ephemeral containers, such as resources and probes.
    pub fn pod_templates() -> Self {
        MatchConstraints::workloads_and(&[])
    }

    /// CREATE and UPDATE of everything that carries a pod template, pods
    /// themselves and these subresources of theirs included.
    pub fn workloads_and(subresources: &[&str]) -> Self {
        let pods = [&["pods"], subresources].concat();
        let core = [&pods[..], &["replicationcontrollers", "podtemplates"]].concat();
        let apps = ["deployments", "statefulsets", "daemonsets", "replicasets"];
        MatchConstraints::from_iter([
            Rule::writes("", &core),
            Rule::writes("apps", &apps),
            Rule::writes("batch", &["jobs", "cronjobs"]),
        ])
    }

    /// CREATE of objects of any kind in the namespaces of these names: never
    /// of what is cluster-scoped, nor of events and leases, of which a cluster
    /// makes thousands.
    pub fn anything_created_in(namespaces: &[&str]) -> Self {
        let name = SelectorRequirement {
            key: NAME_LABEL.into(),
            operator: SelectorOperator::In,
            values: namespaces.iter().map(ToString::to_string).collect(),
        };
        MatchConstraints {
            resource_rules: vec![Rule {
                operations: vec![Operation::Create],
                scope: Scope::Namespaced,
                ..Rule::writes("*", &["*"])
            }],
            exclude_resource_rules: vec![
                Rule::writes("", &["events"]),
                Rule::writes("events.k8s.io", &["events"]),
                Rule::writes("coordination.k8s.io", &["leases"]),
            ],
            namespace_selector: Some(LabelSelector {
                match_expressions: vec![name],
                ..LabelSelector::default()
            }),
            object_selector: None,
        }
    }

    /// The names of the only namespaces whose objects can match; None if
    /// namespaces of any name can, or if cluster-scoped objects can.
    pub fn namespace_names(&self) -> Option<BTreeSet<&str>> {
        let is_namespaced = |rule: &Rule| rule.scope == Scope::Namespaced;
        if !self.resource_rules.iter().all(is_namespaced) {
            return None;
        }
        let selector = self.namespace_selector.as_ref()?;
        if let Some(name) = selector.match_labels.get(NAME_LABEL) {
            return Some(BTreeSet::from([name.as_str()]));
        }
        let by_name = selector.match_expressions.iter().find(|requirement| {
            requirement.key == NAME_LABEL && requirement.operator == SelectorOperator::In
        })?;
        Some(by_name.values.iter().map(String::as_str).collect())
    }
}

impl LabelSelector {
    /// Whether it selects something with these labels and no others.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let is_there = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        let holds =
            |requirement: &SelectorRequirement| requirement.holds(labels.get(&requirement.key));
        self.match_labels.iter().all(is_there) && self.match_expressions.iter().all(holds)
    }
}

impl SelectorRequirement {
    /// Whether a label with this value, or none, is as required.
    pub fn holds(&self, label: Option<&String>) -> bool {
        let listed = label.is_some_and(|label| self.values.contains(label));
        match self.operator {
            SelectorOperator::In => listed,
            SelectorOperator::NotIn => !listed,
            SelectorOperator::Exists => label.is_some(),
            SelectorOperator::DoesNotExist => label.is_none(),
        }
    }
}

impl FromIterator<Rule> for MatchConstraints {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        MatchConstraints {
            resource_rules: rules.into_iter().collect(),
            ..MatchConstraints::default()
        }
    }
}

impl Rule {
    /// CREATE and UPDATE of these resources of an API group, in any version.
    pub fn writes(group: &str, resources: &[&str]) -> Self {
        Rule {
            api_groups: vec![group.into()],
            api_versions: vec!["*".into()],
            resources: resources.iter().map(ToString::to_string).collect(),
            operations: vec![Operation::Create, Operation::Update],
            ..Rule::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_namespaces_are_known_where_nothing_else_can_match() {
        let named = MatchConstraints::anything_created_in(&["default", "old"]);
        let names = BTreeSet::from(["default", "old"]);
        assert_eq!(named.namespace_names(), Some(names));

        let mut label = named.clone();
        label.namespace_selector = Some(LabelSelector {
            match_labels: BTreeMap::from([(NAME_LABEL.into(), "shop".into())]),
            ..LabelSelector::default()
        });
        let shop = BTreeSet::from(["shop"]);
        assert_eq!(label.namespace_names(), Some(shop));

        // A selector says nothing of what is cluster-scoped.
        let mut any = named.clone();
        any.resource_rules[0].scope = Scope::Any;
        assert_eq!(any.namespace_names(), None);
        let mut others = named;
        let selector = others.namespace_selector.as_mut().expect("a selector");
        selector.match_expressions[0].operator = SelectorOperator::NotIn;
        assert_eq!(others.namespace_names(), None);
        assert_eq!(MatchConstraints::workloads().namespace_names(), None);
    }
}
