//! Volumes rewritten.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::files::{ConfigMap, Content, Files, Source};
use super::form::{self, HALVES, has, object};
use super::{Context, Known, Refusal, items};
use crate::names::{self, Half};

/// Where a file awaits its key, which may come as text or as binary data:
/// nothing but files is ever made of this half, so that it can hold both.
const AWAITED: Half = Half::Binary;

impl Context<'_> {
    /// The volume at that index of the pod. `old` is the stored one of its name.
    pub(super) fn volume(
        &self,
        volume: &mut Value,
        old: Option<&Value>,
        index: usize,
    ) -> Result<(), Refusal> {
        let author = authored(volume, old);
        let Some(files) = Files::of(&author, &self.owners) else {
            return Ok(());
        };
        let stored = old.and_then(|old| Files::of(old, &self.owners));
        let is_same = stored.is_some_and(|stored| may_stem_from(&stored, &files));
        let rewritten = match old.filter(|_| is_same) {
            Some(old) => old.clone(),
            None => {
                let written = match self.written(&files, &format!("/spec/volumes/{index}")) {
                    // It waits for its keys where the author has them.
                    Err(Refusal::Ambiguous { .. }) if !self.has_moved(&files) => None,
                    written => written?,
                };
                written.map_or_else(
                    || author.clone(),
                    |projected| {
                        object([("name", author["name"].clone()), ("projected", projected)])
                    },
                )
            }
        };
        *volume = rewritten;
        Ok(())
    }

    /// Whether a key that the volume names has moved.
    fn has_moved(&self, files: &Files<'_>) -> bool {
        files.config_maps().any(|one| {
            let mut keys = one.items().map(|item| form::text(item.value, "key"));
            keys.any(|key| self.moved(&one.name, key).is_some())
        })
    }

    /// `projected`, or None if the volume stays as it is.
    fn written(&self, files: &Files<'_>, pointer: &str) -> Result<Option<Value>, Refusal> {
        let known = |one: &ConfigMap<'_>| self.maps.get(&one.name);
        if !files.config_maps().any(|one| known(one).is_some()) {
            return Ok(None);
        }
        let is_needed = |one: &ConfigMap<'_>| match &one.content {
            Content::Whole(_) => true,
            Content::Items(_) => known(one).is_some_and(|known| {
                let mut keys = one.items().map(|item| form::text(item.value, "key"));
                keys.any(|key| known.served_in(key, AWAITED).is_some())
            }),
        };
        if !files.is_projected && !files.config_maps().any(is_needed) {
            return Ok(None);
        }
        let mut sources = vec![];
        for source in &files.sources {
            match source {
                Source::Other(value) => sources.push((*value).clone()),
                Source::ConfigMap(one) => match known(one) {
                    None => sources.extend_from_slice(one.written),
                    Some(known) if files.is_projected => {
                        self.split(one, known, None, &mut sources)?
                    }
                    Some(known) => self.split(one, known, Some(pointer), &mut sources)?,
                },
            }
        }
        Ok(Some(object([
            ("defaultMode", files.default_mode.clone()),
            ("sources", json!(sources)),
        ])))
    }

    /// The ConfigMap and its serving Secrets. `pointer` is that of a ConfigMap
    /// volume, whose paths may be there twice.
    fn split(
        &self,
        one: &ConfigMap<'_>,
        known: &Known,
        pointer: Option<&str>,
        sources: &mut Vec<Value>,
    ) -> Result<(), Refusal> {
        let optional = || one.optional.clone();
        let items = match &one.content {
            Content::Whole(_) => {
                let config_map = object([("name", json!(one.name)), ("optional", optional())]);
                sources.push(object([("configMap", config_map)]));
                sources.extend(HALVES.into_iter().map(|half| {
                    let is_optional = self.is_optional(&one.name, half, one.optional == true);
                    object([("secret", form::serving(&one.name, half, is_optional))])
                }));
                return Ok(());
            }
            Content::Items(items) => items,
        };
        let mut items: Vec<&Value> = items.iter().map(|item| item.value).collect();
        if let Some(pointer) = pointer {
            items = items::effective(&items, one.optional == true, (&one.name, known), pointer)?;
        }
        for half in [None, Some(Half::Text), Some(Half::Binary)] {
            let of_half = |item: &&Value| {
                let key = form::text(item, "key");
                known.served_in(key, AWAITED) == half
            };
            let items: Vec<&Value> = items.iter().copied().filter(of_half).collect();
            if items.is_empty() {
                continue;
            }
            let (field, name) = match half {
                None => ("configMap", one.name.clone()),
                Some(half) => ("secret", names::serving(&one.name, half)),
            };
            let reference = object([
                ("name", json!(name)),
                ("items", json!(items)),
                ("optional", optional()),
            ]);
            sources.push(object([(field, reference)]));
        }
        Ok(())
    }
}

/// The volume as its author has it: an apply brings his form beside ours, which
/// then is the stored one's.
fn authored(volume: &Value, old: Option<&Value>) -> Value {
    let mut author = volume.clone();
    let is_stored = old.is_some_and(|old| has(old, "projected"));
    if has(volume, "configMap")
        && is_stored
        && let Some(fields) = author.as_object_mut()
    {
        fields.remove("projected");
    }
    author
}

/// What a volume means, with our form read as the author's.
struct Meaning<'a> {
    default_mode: &'a Value,
    parts: Vec<Part<'a>>,
}

#[derive(PartialEq)]
enum Part<'a> {
    Other(&'a Value),
    Whole(String, bool),
    /// What each path may be. Order says nothing: a path is there once, but in
    /// ConfigMap volumes.
    Items(BTreeMap<&'a str, BTreeSet<Candidate<'a>>>),
}

/// ConfigMap, key, mode, and whether it is optional.
type Candidate<'a> = (String, &'a str, Option<i64>, bool);

fn meaning<'a>(files: &Files<'a>) -> Meaning<'a> {
    let mut parts: Vec<Part<'a>> = vec![];
    for source in &files.sources {
        match source {
            Source::Other(value) => parts.push(Part::Other(value)),
            Source::ConfigMap(one) => match &one.content {
                Content::Whole(_) => {
                    parts.push(Part::Whole(one.name.clone(), one.optional == true));
                }
                Content::Items(items) => {
                    if !matches!(parts.last(), Some(Part::Items(_))) {
                        parts.push(Part::Items(BTreeMap::new()));
                    }
                    let Some(Part::Items(paths)) = parts.last_mut() else {
                        continue;
                    };
                    for item in items {
                        let candidate = (
                            one.name.clone(),
                            form::text(item.value, "key"),
                            item.value["mode"].as_i64(),
                            one.optional == true,
                        );
                        let path = form::text(item.value, "path");
                        paths.entry(path).or_default().insert(candidate);
                    }
                }
            },
        }
    }
    Meaning {
        default_mode: files.default_mode,
        parts,
    }
}

/// Whether the stored volume is a rewriting of the new one, whatever had moved
/// at that time.
fn may_stem_from(stored: &Files<'_>, new: &Files<'_>) -> bool {
    if new.is_projected && !stored.is_projected {
        return false;
    }
    let (stored, new) = (meaning(stored), meaning(new));
    let pairs = stored.parts.iter().zip(&new.parts);
    stored.default_mode == new.default_mode
        && stored.parts.len() == new.parts.len()
        && pairs.into_iter().all(|(stored, new)| match (stored, new) {
            (Part::Items(stored), Part::Items(new)) => {
                stored.len() == new.len()
                    && stored.iter().all(|(path, candidates)| {
                        new.get(path).is_some_and(|all| candidates.is_subset(all))
                    })
            }
            (stored, new) => stored == new,
        })
}
