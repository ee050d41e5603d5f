use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::marks;
use crate::sensitive::Sensitive;

/// A Secret to be written. Serializes as the API server takes it; its `Debug`
/// tells keys and no values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    api_version: &'static str,
    kind: &'static str,
    /// Name, labels, owner.
    pub metadata: Metadata,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable: Option<bool>,
    /// Keys and values.
    #[serde(serialize_with = "encoded")]
    pub data: BTreeMap<String, Sensitive>,
}

/// Metadata of a [`Manifest`]. No label or annotation of a user is in it: another
/// controller might copy the Secret elsewhere at its bidding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Name of the Secret.
    pub name: String,
    /// Namespace, that of the ConfigMap.
    pub namespace: String,
    /// Labels.
    pub labels: BTreeMap<&'static str, &'static str>,
    /// Annotations.
    pub annotations: BTreeMap<&'static str, String>,
    /// The ConfigMap, if it owns the Secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<OwnerReference>,
    /// What the Secret must be at for an update to be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
}

/// The ConfigMap that a serving Secret goes with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    api_version: &'static str,
    kind: &'static str,
    /// Name of the ConfigMap.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl OwnerReference {
    /// To a ConfigMap.
    pub fn config_map(name: &str, uid: &str) -> Self {
        Self {
            api_version: "v1",
            kind: "ConfigMap",
            name: name.to_owned(),
            uid: uid.to_owned(),
        }
    }
}

impl Manifest {
    /// A staged Secret: immutable, and owned by nobody. Were it owned by the
    /// ConfigMap, a backup put back, where the ConfigMap has another uid, would
    /// lose it to garbage collection.
    pub(crate) fn staged(
        namespace: &str,
        name: &str,
        config_map: &str,
        data: BTreeMap<String, Sensitive>,
    ) -> Self {
        let mut secret = Self::new(namespace, name, config_map, marks::STAGED, data);
        secret.immutable = Some(true);
        secret
    }

    /// A serving Secret. `told` are [`marks::MADE_FROM`] and [`marks::STATE`]; `at`
    /// is the resourceVersion that it was read at, if it exists.
    pub(crate) fn serving(
        namespace: &str,
        name: &str,
        owner: OwnerReference,
        (data, told): (BTreeMap<String, Sensitive>, [String; 2]),
        at: Option<&str>,
    ) -> Self {
        let mut secret = Self::new(namespace, name, &owner.name, marks::SERVING, data);
        let metadata = &mut secret.metadata;
        let names = [marks::MADE_FROM, marks::STATE];
        metadata.annotations.extend(names.into_iter().zip(told));
        metadata.owner_references = vec![owner];
        metadata.resource_version = at.map(str::to_owned);
        secret
    }

    fn new(
        namespace: &str,
        name: &str,
        config_map: &str,
        role: &'static str,
        data: BTreeMap<String, Sensitive>,
    ) -> Self {
        Self {
            api_version: "v1",
            kind: "Secret",
            metadata: Metadata {
                name: name.to_owned(),
                namespace: namespace.to_owned(),
                labels: BTreeMap::from([(marks::ROLE, role)]),
                annotations: BTreeMap::from([(marks::CONFIG_MAP, config_map.to_owned())]),
                owner_references: Vec::new(),
                resource_version: None,
            },
            r#type: "Opaque",
            immutable: None,
            data,
        }
    }
}

fn encoded<S: Serializer>(
    data: &BTreeMap<String, Sensitive>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(
        data.iter()
            .map(|(key, value)| (key, STANDARD.encode(value.expose()))),
    )
}
