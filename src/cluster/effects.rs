//! Objects that policies want to exist, in a cluster: `ensure` has one exist
//! before a request is answered, `reconciler` keeps those of namespaces, and
//! `access` asks what users may do. What is to be done about an object is
//! decided by `policy::effect`, and for all of the cluster by `plan`.
//!
//! Invariant: only what carries our marks is changed, and only what nobody
//! else changed is removed.

pub mod access;
pub mod covered;
pub mod ensure;
pub mod plan;
pub mod reconciler;
pub mod repairs;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use portcullis_contract::Effect;
use serde_json::Value;

use crate::policy::effect::Wanted;
use crate::policy::kinds::group_version;

/// A resource, as requests name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// Group and version.
    pub api_version: String,
    /// The plural.
    pub plural: String,
}

impl Resource {
    /// What an effect makes.
    pub fn of(effect: &Effect) -> Resource {
        let version = effect.object["apiVersion"].as_str();
        Resource {
            api_version: version.unwrap_or_default().to_owned(),
            plural: Effect::group_resource(&effect.kind).1.to_owned(),
        }
    }

    /// How kube names it. It never looks at the kind.
    pub fn api_resource(&self) -> ApiResource {
        let (group, version) = group_version(&self.api_version);
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version.clone(),
            kind: String::new(),
            plural: self.plural.clone(),
        }
    }

    /// The objects of one namespace.
    pub fn within(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), namespace, &self.api_resource())
    }

    /// All objects.
    pub fn all(&self, client: &Client) -> Api<DynamicObject> {
        Api::all_with(client.clone(), &self.api_resource())
    }
}

/// The objects among which a wanted one is.
fn api(client: &Client, wanted: &Wanted) -> Api<DynamicObject> {
    Resource::of(&wanted.effect).within(client, &wanted.namespace)
}

/// An object as JSON, the way policies see it.
fn json(object: &DynamicObject) -> Value {
    // What was read as JSON can be written as such.
    serde_json::to_value(object).unwrap_or_default()
}
