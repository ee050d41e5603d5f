//! The namespaces of a cluster, as far as they are known.

use std::collections::HashMap;

use serde_json::Value;

use crate::admit::Known;
use crate::cluster::namespaces::{self, Metadata};
use crate::review;

/// Namespaces by name.
#[derive(Debug, Default)]
pub struct World(HashMap<String, Value>);

impl World {
    /// Takes a Namespace of the API server.
    pub fn learn(&mut self, namespace: &Metadata) {
        let name = namespace.metadata.name.clone().unwrap_or_default();
        self.0.insert(name, namespaces::value(namespace));
    }

    /// What policies see of a namespace, null for none, and how much of it
    /// that is.
    pub fn namespace(&self, name: Option<&str>) -> (Value, Known) {
        match name {
            None => (Value::Null, Known::InPart),
            Some(name) => match self.0.get(name) {
                Some(known) => (known.clone(), Known::Whole),
                None => (review::namespace(name), Known::InPart),
            },
        }
    }
}
