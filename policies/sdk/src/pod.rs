//! Containers of any workload, with the place of each.
//!
//! The host offers every kind with a pod template as `pod`: `path` (where the
//! template is in the object), `metadata` and `spec`. Take it as
//! `pod: Option<Pod<'a, MySpec<'a>>>`, with [`Containers`] flattened into
//! nothing: a spec that names the container lists it wants.

use serde::Deserialize;

use crate::{Reads, Text};

/// A pod template: `S` is the author's own view of its spec.
#[derive(Debug, Clone, Reads, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de> + Default"))]
pub struct Pod<'a, S> {
    /// JSON Pointer from the object to the template.
    #[serde(borrow)]
    pub path: Text<'a>,
    /// What is read of the pod's spec.
    #[serde(default)]
    pub spec: S,
}

/// The three lists of containers: `C` is the author's own view of one.
#[derive(Debug, Clone, Reads, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "C: Deserialize<'de>"))]
pub struct Containers<C> {
    /// Those that run to completion first, and sidecars.
    #[serde(default)]
    pub init_containers: List<C>,
    /// The pod's own.
    #[serde(default)]
    pub containers: List<C>,
    /// Those that somebody attached to debug.
    #[serde(default)]
    pub ephemeral_containers: List<C>,
}

/// A list in which null is the same as empty, as it is to the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(Vec<T>);

/// Which list a container is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerList {
    /// `initContainers`.
    Init,
    /// `containers`.
    Main,
    /// `ephemeralContainers`.
    Ephemeral,
}

impl<T> std::ops::Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

impl<T: Reads> Reads for List<T> {
    fn reads(prefix: &str, out: &mut std::collections::BTreeSet<String>) {
        Vec::<T>::reads(prefix, out);
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(List(
            Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default(),
        ))
    }
}

impl<C> Default for Containers<C> {
    fn default() -> Self {
        Containers {
            init_containers: List::default(),
            containers: List::default(),
            ephemeral_containers: List::default(),
        }
    }
}

impl ContainerList {
    /// The member of the pod's spec.
    pub fn member(self) -> &'static str {
        match self {
            ContainerList::Init => "initContainers",
            ContainerList::Main => "containers",
            ContainerList::Ephemeral => "ephemeralContainers",
        }
    }
}

impl<C> Containers<C> {
    /// Every container, with its list and its JSON Pointer in the object,
    /// where `pod` is the path of the template.
    pub fn iter(&self, pod: &str) -> impl Iterator<Item = (ContainerList, String, &C)> {
        let lists = [
            (ContainerList::Init, &self.init_containers),
            (ContainerList::Main, &self.containers),
            (ContainerList::Ephemeral, &self.ephemeral_containers),
        ];
        lists.into_iter().flat_map(move |(list, containers)| {
            let at = move |(index, container)| {
                (
                    list,
                    format!("{pod}/spec/{}/{index}", list.member()),
                    container,
                )
            };
            containers.iter().enumerate().map(at)
        })
    }
}
