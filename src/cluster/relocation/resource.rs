//! The resource `Relocation`: where a ConfigMap of the same name is on its way,
//! and what became of it. Readable without any right on Secrets.

use std::collections::BTreeSet;

use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use portcullis_relocation::Field;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cluster::crd;

/// The kind.
pub const KIND: &str = "Relocation";
/// The resource, in its plural form.
pub const PLURAL: &str = "relocations";

/// [`Status::state`] where a value is not served, or a Secret is in the way.
pub const DANGLING: &str = "Dangling";

/// How far the ConfigMap is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Stage {
    /// Nothing is moved: who writes it is warned.
    Audit,
    /// Secret values are served from a Secret, too, and new pods read them
    /// there; the ConfigMap still holds them.
    Prepare,
    /// Secret values are moved when the ConfigMap is written.
    #[default]
    Redact,
}

/// What an operator wants of one ConfigMap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Spec {
    /// How far it is.
    pub stage: Stage,
    /// The keys of `data` and `binaryData` whose present values are served
    /// while the ConfigMap holds them, at `Prepare`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<String>,
}

/// What became of it, written by `portcullis relocate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// In one word: `Served`, `Pending`, `Dangling` or `Nothing`.
    pub state: String,
    /// Why, and what to do, in one line; empty where all is as it should be.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The keys that pods read in a Secret: `data.KEY`, `binaryData.KEY`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The Secrets that they read them in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The pods that use the ConfigMap, the first ten.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
    /// A digest of the state of the ConfigMap that is served.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub served: String,
}

impl Status {
    /// Whether something is wrong that a person must see to.
    pub fn is_dangling(&self) -> bool {
        self.state == DANGLING
    }

    /// [`Status::keys`], as far as they can be read.
    pub fn fields(&self) -> BTreeSet<Field> {
        let field = |text: &String| match text.split_once('.') {
            Some(("data", key)) => Some(Field::text(key)),
            Some(("binaryData", key)) => Some(Field::binary(key)),
            _ => None,
        };
        self.keys.iter().filter_map(field).collect()
    }
}

/// A new one, of a ConfigMap of this name.
pub fn new(name: &str, spec: &Spec) -> DynamicObject {
    DynamicObject::new(name, &resource()).data(json!({"spec": spec}))
}

/// Those of a namespace.
pub fn within(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource())
}

/// How the API server calls them.
pub fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk(crd::GROUP, crd::VERSION, KIND);
    ApiResource::from_gvk_with_plural(&kind, PLURAL)
}

/// `spec` of one; what the definition lets through and this does not know
/// counts as what does nothing.
pub fn spec(object: &DynamicObject) -> Spec {
    part(&object.data["spec"]).unwrap_or(Spec {
        stage: Stage::Audit,
        ..Spec::default()
    })
}

/// `status` of one, empty if it has none.
pub fn status(object: &DynamicObject) -> Status {
    part(&object.data["status"]).unwrap_or_default()
}

fn part<T: for<'de> Deserialize<'de>>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}
