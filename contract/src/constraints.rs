//! Match constraints, in the words of `ValidatingAdmissionPolicy`.
//!
//! Types only: the host decides what matches (`policy::matching`). Unknown
//! members are refused, so that a misspelt selector never widens a match.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
        MatchConstraints {
            resource_rules: vec![
                rule("", &core),
                rule("apps", &apps),
                rule("batch", &["jobs", "cronjobs"]),
            ],
            ..MatchConstraints::default()
        }
    }
}

/// CREATE and UPDATE of these resources, in any version.
fn rule(group: &str, resources: &[&str]) -> Rule {
    Rule {
        api_groups: vec![group.into()],
        api_versions: vec!["*".into()],
        resources: resources.iter().map(ToString::to_string).collect(),
        operations: vec![Operation::Create, Operation::Update],
        ..Rule::default()
    }
}
