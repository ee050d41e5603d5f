//! What is read of a request.

use std::collections::BTreeMap;

use portcullis_sdk::{Kind, Reads, Text};
use serde::Deserialize;

/// The label that enrols a namespace; its value is a profile.
pub const LABEL: &str = "portcullis.dev/network";
/// The annotation of a namespace that opens further flows.
pub const ALLOW: &str = "portcullis.dev/network-allow";
/// The annotation of a namespace that is enrolled although the API server is
/// kept from what it calls there: `"true"`.
pub const FORCE: &str = "portcullis.dev/network-force";

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow, default)]
    pub(crate) kind: Kind<'a>,
    #[serde(default)]
    operation: Text<'a>,
    #[serde(default)]
    object: Option<Object<'a>>,
    #[serde(default)]
    old_object: Option<OldObject>,
    #[serde(default)]
    namespace_object: Option<Around>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    spec: Spec,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
    resource_version: Option<Text<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    host_network: Option<bool>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct OldObject {
    metadata: OldMetadata,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct OldMetadata {
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Around {
    metadata: AroundMetadata,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct AroundMetadata {
    name: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<Annotations>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "portcullis.dev/network-allow")]
    allow: Option<String>,
    #[serde(rename = "portcullis.dev/network-force")]
    force: Option<String>,
}

/// A namespace, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub struct Namespace<'r> {
    /// Its name.
    pub name: &'r str,
    /// None where the object has no labels at all.
    pub labels: Option<&'r BTreeMap<String, String>>,
    /// The flows that it opens; empty if it opens none.
    pub allow: &'r str,
    /// Whether it is enrolled whatever the API server calls there.
    pub is_forced: bool,
}

impl<'r> Namespace<'r> {
    /// The profile that the label names, as it is written.
    pub fn profile(self) -> Option<&'r str> {
        self.labels?.get(LABEL).map(String::as_str)
    }
}

impl Request<'_> {
    /// Whether it is about a Namespace itself.
    pub fn is_of_namespace(&self) -> bool {
        &*self.kind.kind == "Namespace"
    }

    /// Whether the object is being created.
    pub fn is_create(&self) -> bool {
        &*self.operation == "CREATE"
    }

    /// Whether the object is there already: an audit asks of the CREATE that it
    /// would be. The API server creates nothing that has a `resourceVersion`.
    pub fn is_there(&self) -> bool {
        let object = self.object.as_ref();
        let version = object.and_then(|object| object.metadata.resource_version.as_ref());
        version.is_some_and(|version| !version.is_empty())
    }

    /// Whether the object is a Pod that lives in the network of its node.
    pub fn is_on_host_network(&self) -> bool {
        let object = self.object.as_ref();
        &*self.kind.kind == "Pod"
            && object.is_some_and(|object| object.spec.host_network == Some(true))
    }

    /// The Namespace that is written, or that the object goes to.
    pub fn namespace(&self) -> Option<Namespace<'_>> {
        let (name, labels, annotations) = if self.is_of_namespace() {
            let metadata = &self.object.as_ref()?.metadata;
            let Metadata {
                name, annotations, ..
            } = metadata;
            (&**name, metadata.labels.as_ref(), annotations.as_ref())
        } else {
            let metadata = &self.namespace_object.as_ref()?.metadata;
            let name = metadata.name.as_str();
            (
                name,
                metadata.labels.as_ref(),
                metadata.annotations.as_ref(),
            )
        };
        let force = annotations.and_then(|annotations| annotations.force.as_deref());
        Some(Namespace {
            name,
            labels,
            allow: allow(annotations),
            is_forced: force == Some("true"),
        })
    }

    /// The profile that the Namespace had before.
    pub fn profile_before(&self) -> Option<&str> {
        let labels = self.old_object.as_ref()?.metadata.labels.as_ref()?;
        labels.get(LABEL).map(String::as_str)
    }

    /// The flows that the Namespace opened before.
    pub fn allow_before(&self) -> &str {
        let before = self.old_object.as_ref();
        allow(before.and_then(|before| before.metadata.annotations.as_ref()))
    }
}

fn allow(annotations: Option<&Annotations>) -> &str {
    let allow = annotations.and_then(|annotations| annotations.allow.as_deref());
    allow.unwrap_or_default()
}
