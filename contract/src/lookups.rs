//! Lookups: which other objects a policy may ask for, and how it asks.
//!
//! The functions are those of `wit/lookups.wit`. What a policy sees of an
//! object is what its description reads of it (see [`crate::reads`], with
//! `object` as the first name), and nothing else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::LabelSelector;

/// A kind whose objects a policy looks up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lookup {
    /// Group and version that a cluster is asked in: `v1`, `policy/v1`. Among
    /// files, objects of every version of the group are found.
    pub api_version: String,
    /// The kind, as manifests name it: `PodDisruptionBudget`.
    pub kind: String,
    /// Its plural, as requests name it: `poddisruptionbudgets`.
    pub resource: String,
    /// The fields of an object that are seen: `object.spec.selector`.
    pub reads: BTreeSet<String>,
    /// Whether the policy judges without it, too: then it is answered that
    /// the lookup is not granted. Without the grant, a policy that needs one
    /// does not load.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Lookup {
    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// What queries and grants call it: `secrets`,
    /// `poddisruptionbudgets.policy`.
    pub fn name(&self) -> String {
        qualified(self.group(), &self.resource)
    }
}

/// A resource with its group, as CustomResourceDefinitions are named; the core
/// group has no name.
pub fn qualified(group: &str, resource: &str) -> String {
    match group {
        "" => resource.to_owned(),
        group => format!("{resource}.{group}"),
    }
}

/// What a guest asks: one object where it gives a name, else a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Query {
    /// [`Lookup::name`] of what is looked up.
    pub resource: String,
    /// Where to look; absent for the namespace of the request, and `*` for
    /// everywhere. Any but the request's own needs the grant of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// For `get`: the object's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For `list`: what the objects' labels have to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// [`Query::namespace`] that stands for all of them.
pub const EVERYWHERE: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_is_named_as_its_definition_would_be() {
        let lookup = |api_version: &str| Lookup {
            api_version: api_version.into(),
            kind: "Thing".into(),
            resource: "things".into(),
            reads: BTreeSet::new(),
            optional: false,
        };
        assert_eq!(lookup("v1").name(), "things");
        assert_eq!(lookup("a.example/v1beta1").name(), "things.a.example");
    }
}
