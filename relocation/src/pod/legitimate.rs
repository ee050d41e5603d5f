//! Which references to Secrets of ours may stay.
//!
//! - What the rewriting writes for a ConfigMap that the pod may read: a
//!   variable or a path with a key, the serving Secret directly after its whole
//!   ConfigMap. Whoever writes that himself gets what a reference to the ConfigMap
//!   would have given him; so pods that were read from the API can be created
//!   again, and one that was rewritten a moment before its ConfigMap came is not
//!   refused for that.
//! - What the stored pod has in the same place.
//!
//! Nothing else: no staged Secret, no whole serving Secret by itself, no image
//! pull Secret, no other kind of volume.

use std::collections::BTreeSet;

use serde_json::Value;

use super::env::{KeyRef, follows_its_map};
use super::files::{ConfigMap, Files};
use super::sites::{Form, Site, sites};
use super::{Context, Refusal};
use crate::names;

impl Context<'_> {
    pub(super) fn check(&self, pod: &Value, old: Option<&Value>) -> Result<(), Refusal> {
        let mut named = vec![];
        reserved(&pod["spec"], "/spec", "", &mut named);
        if named.is_empty() {
            return Ok(());
        }
        let stored = old.map(|old| self.stored(old)).unwrap_or_default();
        let mut legitimate = BTreeSet::new();
        for site in sites(pod) {
            let was = stored.contains(&(site.place.clone(), site.value()));
            let all = named.iter().map(|(pointer, _)| pointer);
            match was {
                true => legitimate.extend(all.filter(|one| site.holds(one)).cloned()),
                false => legitimate.extend(self.follows(&site)),
            }
        }
        let mut before = vec![];
        if let Some(old) = old {
            reserved(&old["spec"], "/spec", "", &mut before);
        }
        let bad = named
            .into_iter()
            .find(|one| !legitimate.contains(&one.0) && !before.contains(one));
        match bad {
            Some((pointer, name)) => Err(Refusal::Reserved { pointer, name }),
            None => Ok(()),
        }
    }

    /// What the stored pod has, by the names of places.
    fn stored<'a>(&self, old: &'a Value) -> Vec<(String, &'a Value)> {
        let sites = sites(old).into_iter();
        sites
            .map(|site| {
                let value = site.value();
                (site.place, value)
            })
            .collect()
    }

    /// Where serving Secrets stand that follow from a reference to a ConfigMap.
    fn follows(&self, site: &Site<'_>) -> Vec<String> {
        let pointer = &site.pointer;
        match site.form {
            Form::Env(entry) => {
                let reference = KeyRef::of(entry, &self.owners);
                let known = reference.filter(|one| self.maps.contains_key(&one.config_map));
                let pointer = || format!("{pointer}/valueFrom/secretKeyRef/name");
                known.map(|_| pointer()).into_iter().collect()
            }
            Form::EnvFrom(entries, index) => {
                let pointer = || format!("{pointer}/secretRef/name");
                let follows = follows_its_map(entries, index);
                follows.then(pointer).into_iter().collect()
            }
            Form::Volume(volume) => {
                let files = Files::of(volume, &self.owners);
                let files = files.iter().flat_map(Files::config_maps);
                let ours = files.filter(|one| self.maps.contains_key(&one.name));
                let secrets = ours.flat_map(ConfigMap::secrets);
                let pointer =
                    |(index, _)| format!("{pointer}/projected/sources/{index}/secret/name");
                secrets.map(pointer).collect()
            }
        }
    }
}

/// All references to Secrets of reserved names, wherever the API has any: fields
/// `secretName`, and `name` below a field that is called for a Secret.
fn reserved(value: &Value, pointer: &str, field: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let key_part = key.replace('~', "~0").replace('/', "~1");
                let pointer = format!("{pointer}/{key_part}");
                let is_secret = key == "secretName" || (key == "name" && is_for_secrets(field));
                match value
                    .as_str()
                    .filter(|name| is_secret && names::is_reserved(name))
                {
                    Some(name) => found.push((pointer, name.to_owned())),
                    None => reserved(value, &pointer, key, found),
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                reserved(element, &format!("{pointer}/{index}"), field, found);
            }
        }
        _ => {}
    }
}

/// `secret`, `secretRef`, `secretKeyRef`, `nodePublishSecretRef`,
/// `imagePullSecrets`.
fn is_for_secrets(field: &str) -> bool {
    field.to_ascii_lowercase().contains("secret")
}
