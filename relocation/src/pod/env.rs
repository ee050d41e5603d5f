//! Environments: `env` and `envFrom`.

use std::collections::{HashMap, VecDeque};

use serde_json::{Value, json};

use super::Context;
use super::form::{self, has, object, serves};
use super::owners::Owners;
use crate::names::{self, Half};

/// Where a variable awaits its key: natively binary data is never one.
const AWAITED: Half = Half::Text;

/// A key of a ConfigMap that a variable is taken from, in either form.
pub(super) struct KeyRef<'a> {
    pub(super) config_map: String,
    pub(super) key: &'a str,
    /// As it is written, null if it is not.
    optional: &'a Value,
}

impl<'a> KeyRef<'a> {
    /// None for a variable that is taken from elsewhere. With both forms, the
    /// author's counts.
    pub(super) fn of(entry: &'a Value, owners: &Owners) -> Option<KeyRef<'a>> {
        let from = entry["valueFrom"].as_object()?;
        if from
            .keys()
            .any(|key| key != "configMapKeyRef" && key != "secretKeyRef")
        {
            return None;
        }
        let (author, secret) = (&entry["valueFrom"]["configMapKeyRef"], secret_of(entry));
        let serving = match owners.owner(form::name(secret)) {
            Some((config_map, Half::Text)) => Some(config_map),
            _ if secret.is_null() => None,
            // Of somebody else, or none that a variable is ever taken from.
            _ => return None,
        };
        let (config_map, reference) = match serving {
            _ if !author.is_null() => (form::name(author).to_owned(), author),
            Some(config_map) => (config_map, secret),
            None => return None,
        };
        Some(KeyRef {
            config_map,
            key: form::text(reference, "key"),
            optional: &reference["optional"],
        })
    }

    fn means(&self, other: &KeyRef<'_>) -> bool {
        (&self.config_map, self.key, self.optional == true)
            == (&other.config_map, other.key, other.optional == true)
    }

    /// `valueFrom` with this reference, to the Secret if the key is served there.
    fn written(&self, is_served: bool) -> Value {
        let (field, name) = if is_served {
            ("secretKeyRef", names::serving(&self.config_map, Half::Text))
        } else {
            ("configMapKeyRef", self.config_map.clone())
        };
        let reference = object([
            ("name", json!(name)),
            ("key", json!(self.key)),
            ("optional", self.optional.clone()),
        ]);
        object([(field, reference)])
    }
}

/// The Secret that a variable is taken from, null for none.
fn secret_of(entry: &Value) -> &Value {
    &entry["valueFrom"]["secretKeyRef"]
}

impl Context<'_> {
    /// `env`, each variable in its place. `old` is the stored list: a list may have
    /// several variables of a name, which stay in order.
    pub(super) fn env(&self, entries: &[Value], old: &[Value]) -> Vec<Value> {
        let mut stored = HashMap::<&str, VecDeque<&Value>>::new();
        for entry in old {
            stored
                .entry(form::name(entry))
                .or_default()
                .push_back(entry);
        }
        let rewritten = entries.iter().map(|entry| {
            let same = stored.get_mut(form::name(entry));
            self.variable(entry, same.and_then(VecDeque::pop_front))
                .unwrap_or_else(|| entry.clone())
        });
        rewritten.collect()
    }

    /// None where nothing is to be changed.
    fn variable(&self, entry: &Value, stored: Option<&Value>) -> Option<Value> {
        let reference = KeyRef::of(entry, &self.owners)?;
        let stored = stored.filter(|stored| {
            let stored = KeyRef::of(stored, &self.owners);
            stored.is_some_and(|stored| reference.means(&stored))
        });
        if stored.is_some() {
            return stored.cloned();
        }
        if !self.maps.contains_key(&reference.config_map)
            && has(&entry["valueFrom"], "secretKeyRef")
        {
            return None;
        }
        let known = self.maps.get(&reference.config_map);
        let half = known.and_then(|known| known.served_in(reference.key, AWAITED));
        let mut entry = entry.clone();
        entry["valueFrom"] = reference.written(half == Some(Half::Text));
        Some(entry)
    }

    /// `envFrom`, each ConfigMap followed by its serving Secret. `old` is the
    /// stored list.
    pub(super) fn env_from(&self, entries: &[Value], old: &[Value]) -> Vec<Value> {
        let author = self.without_ours(entries);
        if !old.is_empty() && author == self.without_ours(old) {
            return old.to_vec();
        }
        let mut rewritten = vec![];
        for (index, entry) in entries.iter().enumerate() {
            if self.is_ours_to_write(entries, index) {
                continue;
            }
            rewritten.push(entry.clone());
            let config_map = &entry["configMapRef"];
            if !self.maps.contains_key(form::name(config_map)) {
                continue;
            }
            let author = form::is_optional(config_map);
            let is_optional = self.is_optional(form::name(config_map), Half::Text, author);
            rewritten.push(object([
                ("prefix", entry["prefix"].clone()),
                (
                    "secretRef",
                    form::serving(form::name(config_map), Half::Text, is_optional),
                ),
            ]));
        }
        rewritten
    }

    /// What the author wrote.
    fn without_ours<'a>(&self, entries: &'a [Value]) -> Vec<&'a Value> {
        let author = (0..entries.len()).filter(|index| !follows_its_map(entries, *index));
        author.map(|index| &entries[index]).collect()
    }

    /// Whether the rewriting would put it there anyway.
    fn is_ours_to_write(&self, entries: &[Value], index: usize) -> bool {
        follows_its_map(entries, index)
            && self
                .maps
                .contains_key(form::name(&entries[index - 1]["configMapRef"]))
    }
}

/// Whether an element of `envFrom` is the serving Secret of the ConfigMap
/// directly before it, under the same prefix.
pub(super) fn follows_its_map(entries: &[Value], index: usize) -> bool {
    let Some(before) = index.checked_sub(1).map(|before| &entries[before]) else {
        return false;
    };
    let config_map = form::name(&before["configMapRef"]);
    let secret = form::name(&entries[index]["secretRef"]);
    !config_map.is_empty()
        && serves(secret, config_map, Half::Text)
        && form::text(before, "prefix") == form::text(&entries[index], "prefix")
}
