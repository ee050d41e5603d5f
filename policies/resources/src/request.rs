//! What is read of a request.

use std::collections::BTreeMap;

use portcullis_sdk::contract::Operation;
use portcullis_sdk::pod::{List, Pod};
use portcullis_sdk::quantity::Written;
use portcullis_sdk::{Kind, Reads, Text};
use serde::Deserialize;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow)]
    pub(crate) operation: Text<'a>,
    pub(crate) kind: Kind<'a>,
    sub_resource: Option<Text<'a>>,
    pub(crate) pod: Option<Pod<'a, Spec<'a>>>,
    pub(crate) old_pod: Option<Pod<'a, Spec<'a>>>,
    pub(crate) object: Option<Object>,
    pub(crate) namespace_object: Option<Namespace<'a>>,
    #[serde(default)]
    pub(crate) namespace_is_known: bool,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Object {
    metadata: ObjectMetadata,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectMetadata {
    owner_references: List<Owner>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Owner {
    controller: Option<bool>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Namespace<'a> {
    #[serde(borrow)]
    pub(crate) metadata: NamespaceMetadata<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct NamespaceMetadata<'a> {
    #[serde(borrow)]
    pub(crate) labels: Option<BTreeMap<Text<'a>, Text<'a>>>,
}

/// What is read of a pod's spec. Not `ephemeralContainers`: the API forbids
/// resources there.
#[derive(Debug, Default, PartialEq, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec<'a> {
    #[serde(borrow)]
    pub(crate) init_containers: List<Container<'a>>,
    pub(crate) containers: List<Container<'a>>,
    pub(crate) resources: Option<Resources<'a>>,
}

/// A container. The image is read only to see whether it changed.
#[derive(Debug, Default, PartialEq, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    image: Text<'a>,
    restart_policy: Text<'a>,
    pub(crate) resources: Option<Resources<'a>>,
}

/// Requests and limits, of a container or of a pod.
#[derive(Debug, Default, PartialEq, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Resources<'a> {
    #[serde(borrow)]
    pub(crate) limits: Option<Quantities<'a>>,
    pub(crate) requests: Option<Quantities<'a>>,
}

/// Quantities by the name of their resource.
pub(crate) type Quantities<'a> = BTreeMap<Text<'a>, Written<'a>>;

/// One of the two maps of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Limits,
    Requests,
}

impl Side {
    /// In the order of the API's fields.
    pub(crate) const ALL: [Side; 2] = [Side::Limits, Side::Requests];

    /// The member of `resources`.
    pub(crate) fn member(self) -> &'static str {
        match self {
            Side::Limits => "limits",
            Side::Requests => "requests",
        }
    }

    /// What one of its quantities is called.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Side::Limits => "limit",
            Side::Requests => "request",
        }
    }
}

impl<'a> Resources<'a> {
    pub(crate) fn side(&self, side: Side) -> Option<&Quantities<'a>> {
        match side {
            Side::Limits => self.limits.as_ref(),
            Side::Requests => self.requests.as_ref(),
        }
    }

    pub(crate) fn get(&self, side: Side, resource: &str) -> Option<&Written<'a>> {
        self.side(side)?
            .iter()
            .find_map(|(name, written)| (**name == *resource).then_some(written))
    }

    /// Whether either map names the resource.
    pub(crate) fn names(&self, resource: &str) -> bool {
        Side::ALL
            .iter()
            .any(|side| self.get(*side, resource).is_some())
    }
}

impl Container<'_> {
    /// Whether an init container stays for as long as the pod.
    pub(crate) fn is_sidecar(&self) -> bool {
        &*self.restart_policy == "Always"
    }
}

impl Request<'_> {
    pub(crate) fn is(&self, operation: Operation) -> bool {
        &*self.operation == operation.as_str()
    }

    /// Whether a running pod is given other amounts.
    pub(crate) fn is_resize(&self) -> bool {
        self.sub_resource.as_deref() == Some("resize")
    }

    /// Whether a controller made the object, and compares it with its wish.
    pub(crate) fn is_controlled(&self) -> bool {
        let owners = self.object.iter();
        owners
            .flat_map(|object| object.metadata.owner_references.iter())
            .any(|owner| owner.controller == Some(true))
    }
}
