//! One kind, as it is listed.

use std::collections::BTreeSet;

/// A kind whose objects are listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// Empty for the core group.
    pub group: String,
    /// The version that policies match.
    pub version: String,
    /// Plural: `deployments`.
    pub plural: String,
    /// `Deployment`.
    pub kind: String,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// The only namespaces that any policy judges them in; None for all.
    pub namespaces: Option<BTreeSet<String>>,
}

impl Kind {
    /// Where its objects are listed, if only these namespaces are audited, or
    /// all where none is named: the namespaces one by one, or all at once.
    pub fn places<'a>(&'a self, audited: &'a [String]) -> Vec<Option<&'a str>> {
        match &self.namespaces {
            None if audited.is_empty() => vec![None],
            None => audited.iter().map(|name| Some(name.as_str())).collect(),
            Some(names) => names
                .iter()
                .filter(|name| audited.is_empty() || audited.contains(name))
                .map(|name| Some(name.as_str()))
                .collect(),
        }
    }

    /// `deployments.apps`, as kubectl takes it.
    pub fn resource(&self) -> String {
        qualified(&self.group, &self.plural)
    }

    /// `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// Where its objects are listed, of all namespaces or of one.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "api" } else { "apis" };
        let (version, plural) = (self.api_version(), &self.plural);
        match namespace {
            Some(namespace) => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
            None => format!("/{root}/{version}/{plural}"),
        }
    }
}

/// `deployments.apps`; a resource of the core group is its name alone.
pub fn qualified(group: &str, plural: &str) -> String {
    match group {
        "" => plural.to_owned(),
        group => format!("{plural}.{group}"),
    }
}
