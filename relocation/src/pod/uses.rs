//! Which ConfigMaps a pod uses, and which uses would show a placeholder.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::env::{KeyRef, follows_its_map};
use super::files::{Content, Files};
use super::form;
use super::owners::Owners;
use super::sites::{Form, Site, sites};
use super::{Context, Known, Maps};
use crate::names::Half;

/// How a pod uses a ConfigMap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// All its keys, by `envFrom` or a volume without `items`.
    pub is_whole: bool,
    /// The keys that it names.
    pub keys: BTreeSet<String>,
}

/// A use of moved keys that is not rewritten: the pod would get placeholders.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// Where in the pod.
    pub pointer: String,
    /// The same in words.
    pub place: String,
    /// Of which ConfigMap.
    pub config_map: String,
    /// Which keys.
    pub keys: BTreeSet<String>,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let (place, map) = (&self.place, &self.config_map);
        write!(f, "{place} reads {} of ConfigMap {map:?}", keys.join(", "))
    }
}

/// All ConfigMaps that a pod uses, in the author's form or in ours. A pod that
/// names the serving Secret of a ConfigMap with a very long name, and the
/// ConfigMap itself nowhere, does not tell which one.
pub fn config_maps(pod: &Value) -> BTreeMap<String, Used> {
    let owners = Owners::of([Some(pod), None], &Maps::new());
    let mut used = BTreeMap::<String, Used>::new();
    for site in sites(pod) {
        for name in site.config_maps() {
            used.entry(name.to_owned()).or_default();
        }
        for (name, key) in site.reads(&owners) {
            let used = used.entry(name).or_default();
            match key {
                Some(key) => drop(used.keys.insert(key)),
                None => used.is_whole = true,
            }
        }
    }
    used
}

/// Uses of moved keys that are not rewritten, apart from those that `old`, the
/// stored pod, has as well: of a pod nearly nothing can be changed, and an old
/// one must still be labelled, finished, given another image.
pub fn unrewritten(pod: &Value, old: Option<&Value>, maps: &Maps) -> Vec<Use> {
    let context = Context {
        maps,
        owners: Owners::of([Some(pod), old], maps),
    };
    let plain = |pod| {
        let sites = sites(pod).into_iter();
        sites
            .flat_map(|site| context.plain(&site))
            .collect::<Vec<Use>>()
    };
    let mut uses = plain(pod);
    if let Some(old) = old.map(plain) {
        let what = |one: &Use| (one.place.clone(), one.config_map.clone(), one.keys.clone());
        let old: BTreeSet<_> = old.iter().map(what).collect();
        uses.retain(|one| !old.contains(&what(one)));
    }
    uses
}

impl Site<'_> {
    /// ConfigMaps and keys, None for all, in either form.
    pub(super) fn reads(&self, owners: &Owners) -> Vec<(String, Option<String>)> {
        match self.form {
            Form::Env(entry) => {
                let reference = KeyRef::of(entry, owners);
                let read = reference.map(|one| (one.config_map, Some(one.key.to_owned())));
                read.into_iter().collect()
            }
            Form::EnvFrom(..) => self
                .config_maps()
                .map(|name| (name.to_owned(), None))
                .collect(),
            Form::Volume(volume) => {
                let files = Files::of(volume, owners);
                let config_maps = files.iter().flat_map(Files::config_maps);
                let reads = config_maps.flat_map(|one| match &one.content {
                    Content::Whole(_) => vec![(one.name.clone(), None)],
                    Content::Items(items) => {
                        let key = |value| Some(form::text(value, "key").to_owned());
                        let keys = items.iter().map(|item| key(item.value));
                        keys.map(|key| (one.name.clone(), key)).collect()
                    }
                });
                reads.collect()
            }
        }
    }
}

impl Context<'_> {
    /// What one place reads of moved keys from the ConfigMap itself.
    fn plain(&self, site: &Site<'_>) -> Vec<Use> {
        let found = match site.form {
            Form::Env(entry) => self.plain_variable(entry),
            Form::EnvFrom(entries, index) => self.plain_environment(entries, index),
            Form::Volume(volume) => self.plain_files(volume),
        };
        let found = found.into_iter().filter(|(_, keys)| !keys.is_empty());
        let uses = found.map(|(config_map, keys)| Use {
            pointer: site.pointer.clone(),
            place: site.place.clone(),
            config_map,
            keys,
        });
        uses.collect()
    }

    fn plain_variable(&self, entry: &Value) -> Vec<(String, BTreeSet<String>)> {
        let reference = &entry["valueFrom"]["configMapKeyRef"];
        let (config_map, key) = (form::name(reference), form::text(reference, "key"));
        match self.moved(config_map, key) {
            Some(Half::Text) => vec![(config_map.to_owned(), [key.to_owned()].into())],
            // Natively no variable ever gets binary data.
            Some(Half::Binary) | None => vec![],
        }
    }

    fn plain_environment(
        &self,
        entries: &[Value],
        index: usize,
    ) -> Vec<(String, BTreeSet<String>)> {
        let config_map = form::name(&entries[index]["configMapRef"]);
        let known = self.maps.get(config_map);
        let is_served = index + 1 < entries.len() && follows_its_map(entries, index + 1);
        let known = known.filter(|_| !is_served);
        let keys = |known: &Known| known.half(Half::Text).clone();
        let found = known.map(|known| (config_map.to_owned(), keys(known)));
        found.into_iter().collect()
    }

    fn plain_files(&self, volume: &Value) -> Vec<(String, BTreeSet<String>)> {
        // With several kinds at once the API server refuses it.
        let files = Files::of(volume, &self.owners);
        let config_maps = files.iter().flat_map(Files::config_maps);
        let found = config_maps.filter_map(|one| {
            let known = self.maps.get(&one.name)?;
            let keys: BTreeSet<String> = match &one.content {
                Content::Whole(served) => {
                    let halves = form::HALVES.into_iter();
                    let plain = halves.filter(|half| !served.contains(half));
                    plain
                        .flat_map(|half| known.half(half).iter().cloned())
                        .collect()
                }
                Content::Items(items) => {
                    let plain = items.iter().filter(|item| item.half.is_none());
                    let keys = plain.map(|item| form::text(item.value, "key"));
                    let moved = keys.filter(|key| known.moved(key).is_some());
                    moved.map(str::to_owned).collect()
                }
            };
            Some((one.name.clone(), keys))
        });
        found.collect()
    }
}
