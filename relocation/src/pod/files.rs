//! Volumes: `configMap` and `projected`, read in either form.

use serde_json::Value;

use super::form::{self, HALVES, has, list, serves};
use super::owners::Owners;
use crate::names::Half;

/// A volume of ConfigMaps and whatever else is projected with them.
pub(super) struct Files<'a> {
    pub(super) default_mode: &'a Value,
    pub(super) is_projected: bool,
    pub(super) sources: Vec<Source<'a>>,
}

/// A source of a volume.
pub(super) enum Source<'a> {
    ConfigMap(ConfigMap<'a>),
    /// Anything that is nothing of ours.
    Other(&'a Value),
}

/// A ConfigMap as a source, together with the serving Secrets that follow it.
pub(super) struct ConfigMap<'a> {
    pub(super) name: String,
    /// As it is written, null if it is not.
    pub(super) optional: &'a Value,
    pub(super) content: Content<'a>,
    /// Where its sources begin, and what they are: nothing for a ConfigMap
    /// volume.
    pub(super) start: usize,
    pub(super) written: &'a [Value],
}

/// How much of it is in the volume.
pub(super) enum Content<'a> {
    /// Everything, out of the ConfigMap and these serving Secrets.
    Whole(Vec<Half>),
    /// These.
    Items(Vec<Item<'a>>),
}

/// A key and its path.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) value: &'a Value,
    /// Which serving Secret it is read from; none for the ConfigMap.
    pub(super) half: Option<Half>,
}

impl<'a> Files<'a> {
    /// None for a volume of another kind, or of several.
    pub(super) fn of(volume: &'a Value, owners: &Owners) -> Option<Files<'a>> {
        let mut kinds = volume.as_object()?.iter();
        let (kind, source) = kinds.find(|(field, value)| *field != "name" && !value.is_null())?;
        if kinds.any(|(field, value)| field != "name" && !value.is_null()) {
            return None;
        }
        let sources = match kind.as_str() {
            "configMap" => vec![Source::ConfigMap(ConfigMap::native(source, 0, &[]))],
            "projected" => grouped(list(&source["sources"]), owners),
            _ => return None,
        };
        Some(Files {
            default_mode: &source["defaultMode"],
            is_projected: kind == "projected",
            sources,
        })
    }

    pub(super) fn config_maps(&self) -> impl Iterator<Item = &ConfigMap<'a>> {
        self.sources.iter().filter_map(|source| match source {
            Source::ConfigMap(config_map) => Some(config_map),
            Source::Other(_) => None,
        })
    }
}

/// Sources, those of one ConfigMap together.
fn grouped<'a>(sources: &'a [Value], owners: &Owners) -> Vec<Source<'a>> {
    let mut groups = vec![];
    let mut start = 0;
    while let Some(source) = sources.get(start) {
        let rest = &sources[start..];
        match ConfigMap::opened(source, start, rest, owners) {
            Some(mut config_map) => {
                config_map.take_in(rest);
                start += config_map.written.len();
                groups.push(Source::ConfigMap(config_map));
            }
            None => {
                start += 1;
                groups.push(Source::Other(source));
            }
        }
    }
    groups
}

impl<'a> ConfigMap<'a> {
    fn native(reference: &'a Value, start: usize, written: &'a [Value]) -> ConfigMap<'a> {
        ConfigMap {
            name: form::name(reference).to_owned(),
            optional: &reference["optional"],
            content: match list(&reference["items"]) {
                [] => Content::Whole(vec![]),
                items => Content::Items(from(items, None).collect()),
            },
            start,
            written,
        }
    }

    /// A group begins with the ConfigMap itself, or with a serving Secret if
    /// all its items have moved.
    fn opened(
        source: &'a Value,
        start: usize,
        rest: &'a [Value],
        owners: &Owners,
    ) -> Option<ConfigMap<'a>> {
        let (config_map, secret) = (&source["configMap"], &source["secret"]);
        if source.as_object()?.len() != 1 {
            return None;
        }
        if !config_map.is_null() {
            return Some(ConfigMap::native(config_map, start, &rest[..1]));
        }
        let (name, half) = owners.owner(form::name(secret))?;
        let items = list(&secret["items"]);
        (!items.is_empty()).then(|| ConfigMap {
            name,
            optional: &secret["optional"],
            content: Content::Items(from(items, Some(half)).collect()),
            start,
            written: &rest[..1],
        })
    }

    /// Takes in the serving Secrets that follow, each half once and in order.
    fn take_in(&mut self, rest: &'a [Value]) {
        for half in HALVES {
            let Some(next) = rest.get(self.written.len()) else {
                return;
            };
            let secret = &next["secret"];
            let items = list(&secret["items"]);
            if !serves(form::name(secret), &self.name, half) || self.is_past(half) {
                continue;
            }
            match &mut self.content {
                Content::Whole(halves) if items.is_empty() => halves.push(half),
                Content::Items(mine)
                    if !items.is_empty() && *self.optional == secret["optional"] =>
                {
                    mine.extend(from(items, Some(half)));
                }
                _ => return,
            }
            self.written = &rest[..self.written.len() + 1];
        }
    }

    /// The keys that it names.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item<'a>> {
        let items: &[Item<'a>] = match &self.content {
            Content::Whole(_) => &[],
            Content::Items(items) => items,
        };
        items.iter()
    }

    /// Whether this half, or the one after it, is there already.
    fn is_past(&self, half: Half) -> bool {
        match &self.content {
            Content::Whole(halves) => halves.iter().any(|there| *there >= half),
            Content::Items(items) => items.iter().any(|item| item.half >= Some(half)),
        }
    }

    /// The Secrets among its sources, by the index of the source.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (usize, &'a Value)> {
        let sources = self.written.iter().enumerate();
        let secrets = sources.filter(|(_, source)| has(source, "secret"));
        let start = self.start;
        secrets.map(move |(index, source)| (start + index, &source["secret"]))
    }
}

fn from(items: &[Value], half: Option<Half>) -> impl Iterator<Item = Item<'_>> {
    items.iter().map(move |value| Item { value, half })
}
