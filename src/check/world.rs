//! What the given files know of a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::policy::lookup::{Inventory, Others};
use crate::review;

/// Namespaces and owners among the given objects.
pub(super) struct World {
    namespaces: BTreeMap<String, Value>,
    objects: BTreeSet<[String; 3]>,
    cluster_scoped: BTreeSet<[String; 2]>,
    others: Arc<dyn Others>,
}

impl World {
    /// Of these objects, with what policies look up among them in `inventory`.
    pub(super) fn new<'v>(
        objects: impl Iterator<Item = &'v Value> + Clone,
        mut inventory: Inventory,
    ) -> Self {
        let mut world = World {
            namespaces: BTreeMap::new(),
            objects: BTreeSet::new(),
            cluster_scoped: BTreeSet::new(),
            others: Arc::new(Inventory::default()),
        };
        for object in objects.clone() {
            let kind = text(object, "/kind").to_owned();
            let name = text(object, "/metadata/name").to_owned();
            if kind == "Namespace" {
                world.namespaces.insert(name.clone(), object.clone());
            }
            if kind == "CustomResourceDefinition" && text(object, "/spec/scope") == "Cluster" {
                let [group, defined] =
                    ["/spec/group", "/spec/names/kind"].map(|at| text(object, at));
                world
                    .cluster_scoped
                    .insert([group.to_owned(), defined.to_owned()]);
            }
            world
                .objects
                .insert([kind, namespace(object).to_owned(), name]);
        }
        if !inventory.is_empty() {
            for object in objects {
                inventory.add(object, |group, kind| world.is_cluster_scoped(group, kind));
            }
        }
        world.others = Arc::new(inventory);
        world
    }

    /// What is there beside an object.
    pub(super) fn others(&self) -> &Arc<dyn Others> {
        &self.others
    }

    /// The namespace as given, or with its name alone; and whether all of its
    /// labels are known.
    pub(super) fn namespace(&self, name: &str) -> (Value, bool) {
        match self.namespaces.get(name) {
            Some(namespace) => (namespace.clone(), true),
            None => (review::namespace(name), false),
        }
    }

    /// Whether a definition among the files makes this kind cluster-scoped.
    pub(super) fn is_cluster_scoped(&self, group: &str, kind: &str) -> bool {
        self.cluster_scoped
            .contains(&[group.to_owned(), kind.to_owned()])
    }

    /// Whether the object that controls this one is among the given: it is
    /// reported there, once.
    pub(super) fn holds_owner(&self, object: &Value) -> bool {
        let owners = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| {
            let [kind, name] = ["/kind", "/name"].map(|at| text(owner, at).to_owned());
            owner.get("controller").and_then(Value::as_bool) == Some(true)
                && self
                    .objects
                    .contains(&[kind, namespace(object).to_owned(), name])
        })
    }
}

/// The namespace of an object; `default` where none is written.
fn namespace(object: &Value) -> &str {
    match text(object, "/metadata/namespace") {
        "" => "default",
        namespace => namespace,
    }
}

pub(super) fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
