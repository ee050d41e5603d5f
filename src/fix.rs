//! What to write instead of a secret: a Secret, and the pod that reads it.
//!
//! Made of names alone, never of a value: where a value stands in a Secret,
//! there is a placeholder. Knows objects; must not know where they came from,
//! nor how a policy found what is in them.
#![deny(clippy::disallowed_types)]

mod consumers;
mod literal;

use std::collections::{BTreeMap, HashSet};

use portcullis_contract::{pod, pointer};
use portcullis_relocation::names;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::finding::Identity;
pub use consumers::{Use, uses};

/// What to write instead of the secrets of one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fix {
    /// A Secret, with a placeholder for each value.
    pub secret: Value,
    /// What changes where the values are used.
    pub changes: Vec<Change>,
    /// Parts of a pod that would use them, where none that is known uses the
    /// ConfigMap: one takes what fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Value>,
    /// What has to be done by hand besides, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The ConfigMap that the values are in, if they are in one.
    #[serde(skip)]
    config_map: Option<Moved>,
}

/// A part of an object as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The object.
    #[serde(flatten)]
    pub object: Identity,
    /// JSON Pointer to the part; one that ends with `-` is added to the list.
    pub path: String,
    /// What should stand there.
    pub value: Value,
}

/// Keys of a ConfigMap that should be in a Secret.
#[derive(Debug, Clone, PartialEq)]
struct Moved {
    object: Identity,
    keys: Vec<String>,
    /// Whether it has other keys.
    has_more: bool,
}

impl Fix {
    /// What to write instead of what stands at these JSON Pointers; None where
    /// no Secret could take its place.
    pub fn of(object: &Value, paths: &[&str]) -> Option<Fix> {
        let who = crate::judge::identity(object);
        // A file in a ConfigMap may hold many secrets.
        let mut seen = HashSet::new();
        let paths: Vec<&str> = paths
            .iter()
            .copied()
            .filter(|path| seen.insert(*path))
            .collect();
        let paths = &paths[..];
        match (who.api_version.as_str(), who.kind.as_str()) {
            ("v1", "ConfigMap") => Fix::of_config_map(object, who, paths),
            ("v1", "Secret") => Fix::of_secret(object, &who, paths),
            _ => literal::fix(&pod::view(object)?, &who, paths),
        }
    }

    fn of_config_map(object: &Value, who: Identity, paths: &[&str]) -> Option<Fix> {
        let entries = entries(paths);
        let count = |member: &str| object[member].as_object().map_or(0, Map::len);
        let has_more = count("data") + count("binaryData") > entries.len();
        let moved = Moved {
            keys: entries.keys().cloned().collect(),
            object: who,
            has_more,
        };
        let secret = secret(&moved.secret_name(), &moved.object, &entries)?;
        Some(Fix {
            secret,
            changes: vec![],
            example: None,
            notes: vec![],
            config_map: Some(moved),
        })
    }

    /// The same Secret: whatever fills it in is not in git.
    fn of_secret(object: &Value, who: &Identity, paths: &[&str]) -> Option<Fix> {
        let mut entries = entries(paths);
        // In clear, so that people can read what belongs there.
        entries
            .values_mut()
            .for_each(|member| *member = "stringData");
        let mut secret = secret(&who.name, who, &entries)?;
        if let Some(kind) = object.get("type").and_then(Value::as_str) {
            secret["type"] = kind.into();
        }
        let note = "keep it out of git, encrypt it (SOPS, SealedSecrets), or have it filled in \
                    (External Secrets)";
        Some(Fix {
            secret,
            changes: vec![],
            example: None,
            notes: vec![note.to_owned()],
            config_map: None,
        })
    }

    /// Adds what changes where a ConfigMap is used, of all that is known.
    pub fn complete(&mut self, uses: &[Use]) {
        let Some(moved) = &self.config_map else {
            return;
        };
        let changes = uses.iter().filter_map(|one| one.changed(moved));
        self.changes.extend(changes);
        let name = &moved.object.name;
        let keys = list(&moved.keys);
        self.notes
            .push(format!("remove {keys} from the ConfigMap `{name}`"));
        if self.changes.is_empty() {
            self.example = Some(consumers::example(moved, &self.secret));
            let note = format!("nothing here uses the ConfigMap `{name}`: change what does");
            self.notes.push(note);
        }
    }
}

impl Moved {
    /// The name of the Secret that goes beside it.
    fn secret_name(&self) -> String {
        names::advised(&self.object.name)
    }
}

/// The keys that pointers into `data` and its like name, each with the member
/// of a Secret for it.
fn entries(paths: &[&str]) -> BTreeMap<String, &'static str> {
    let entry = |path: &&str| {
        let mut tokens = pointer::tokens(path);
        let member = match tokens.next()?.as_str() {
            "data" | "stringData" => "stringData",
            "binaryData" => "data",
            _ => return None,
        };
        Some((tokens.next()?, member))
    };
    paths.iter().filter_map(entry).collect()
}

/// A Secret with a placeholder under each of these keys; None without any.
fn secret(name: &str, beside: &Identity, entries: &BTreeMap<String, &str>) -> Option<Value> {
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
        "type": "Opaque"});
    if let Some(namespace) = &beside.namespace {
        secret["metadata"]["namespace"] = namespace.as_str().into();
    }
    for (key, member) in entries {
        let encoding = if *member == "data" { ", in base64" } else { "" };
        secret[*member][key] = format!("<the value of {key}{encoding}>").into();
    }
    (!entries.is_empty()).then_some(secret)
}

/// `a`, `b`
fn list(names: &[String]) -> String {
    let names = names.iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
