//! What promotion has to know of a pod.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::form::{self, list};
use super::sites::{Form, sites};
use super::uses::config_maps;
use crate::field::Field;
use crate::names::{self, Half};

/// Which ConfigMaps a pod uses, and what it reads of them in serving Secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reader {
    config_maps: BTreeSet<String>,
    /// Keys by Secret, none for a whole one.
    secrets: BTreeMap<String, BTreeSet<String>>,
}

impl Reader {
    /// Of a pod as it is stored.
    pub fn of(pod: &Value) -> Reader {
        let mut reader = Reader {
            config_maps: config_maps(pod).into_keys().collect(),
            secrets: BTreeMap::new(),
        };
        for site in sites(pod) {
            match site.form {
                Form::Env(entry) => {
                    let secret = &entry["valueFrom"]["secretKeyRef"];
                    reader.read(form::name(secret), [form::text(secret, "key")]);
                }
                Form::EnvFrom(entries, index) => {
                    reader.read(form::name(&entries[index]["secretRef"]), []);
                }
                Form::Volume(volume) => {
                    for source in list(&volume["projected"]["sources"]) {
                        let secret = &source["secret"];
                        let items = list(&secret["items"]).iter();
                        let keys = items.map(|item| form::text(item, "key"));
                        reader.read(form::name(secret), keys);
                    }
                }
            }
        }
        reader
    }

    fn read<'k>(&mut self, secret: &str, keys: impl IntoIterator<Item = &'k str>) {
        if names::is_reserved(secret) {
            let read = self.secrets.entry(secret.to_owned()).or_default();
            read.extend(keys.into_iter().map(str::to_owned));
        }
    }

    /// The ConfigMaps that it uses. One of a very long name is not among them
    /// where the pod names its serving Secret alone.
    pub fn config_maps(&self) -> &BTreeSet<String> {
        &self.config_maps
    }

    /// Whether it uses this one.
    pub fn uses(&self, config_map: &str) -> bool {
        self.config_maps.contains(config_map) || self.named(config_map).next().is_some()
    }

    /// Halves of this ConfigMap whose serving Secret it names.
    pub fn named<'a>(&'a self, config_map: &'a str) -> impl Iterator<Item = Half> + 'a {
        let is_named = |half: &Half| {
            self.secrets
                .contains_key(&names::serving(config_map, *half))
        };
        Half::ALL.into_iter().filter(is_named)
    }

    /// Keys of this ConfigMap that it reads in a serving Secret by name, each in
    /// the half where it looks for it: whatever becomes of them, it waits for them
    /// there.
    pub fn awaited<'a>(&'a self, config_map: &'a str) -> impl Iterator<Item = Field> + 'a {
        Half::ALL.into_iter().flat_map(move |half| {
            let keys = self.secrets.get(&names::serving(config_map, half));
            let keys = keys.into_iter().flatten().cloned();
            keys.map(move |key| Field { half, key })
        })
    }

    /// Whether it reads any key so, of any ConfigMap.
    pub fn awaits(&self) -> bool {
        self.secrets.values().any(|keys| !keys.is_empty())
    }
}
