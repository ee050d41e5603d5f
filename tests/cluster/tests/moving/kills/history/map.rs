//! A ConfigMap as it was stored, and what it means.

use std::collections::BTreeSet;

use portcullis_relocation::names::Half;

use crate::moving::kills::journal::{BINARY, Journal, Values};

/// A ConfigMap at a revision.
#[derive(Debug, Clone)]
pub(super) struct Map {
    pub(super) uid: String,
    pub(super) write: usize,
    /// What it means, moved values included.
    pub(super) values: Values,
    /// Those of them that were moved.
    pub(super) moved: Values,
    /// The staged Secrets that it names.
    pub(super) names: BTreeSet<String>,
}

impl Map {
    /// Whether this half of it is served by this: all that was moved, and
    /// nothing that is not there. What is being prepared is served though it was
    /// not moved.
    pub(super) fn is_served_by(&self, half: Half, data: &Values) -> bool {
        let holds = |all: &Values, part: &Values| {
            let mut part = part.iter();
            part.all(|(key, value)| all.get(key) == Some(value))
        };
        holds(data, &of_half(&self.moved, half)) && holds(&of_half(&self.values, half), data)
    }
}

/// Those of a half, by their own keys.
pub(super) fn of_half(values: &Values, half: Half) -> Values {
    let own = |(key, value): (&String, &String)| {
        let binary = key.strip_prefix(BINARY);
        let key = match half {
            Half::Binary => binary?.to_owned(),
            Half::Text if binary.is_none() => key.clone(),
            Half::Text => return None,
        };
        Some((key, value.clone()))
    };
    values.iter().filter_map(own).collect()
}

/// Whether the ConfigMap of this uid went.
pub(super) fn ended(times: &[(u64, Option<Map>)], uid: &str) -> bool {
    let is_it = |(_, map): &(u64, Option<Map>)| map.as_ref().is_some_and(|map| map.uid == uid);
    match times.iter().rposition(is_it) {
        Some(last) => times.len() > last + 1,
        None => true,
    }
}

/// I2: what is wrong with the meaning of a ConfigMap after what it was before.
pub(super) fn meant(map: &Map, before: Option<&Map>, journal: &Journal) -> Option<String> {
    let none = Values::new();
    let values = before.map_or(&none, |before| &before.values);
    let expected = match before {
        Some(before) if before.write == map.write => values.clone(),
        _ => match journal.get(map.write) {
            Some(write) => write.change.of(values),
            None => return Some(format!("nobody wrote {}", map.write)),
        },
    };
    let differing: Vec<&String> = expected
        .keys()
        .chain(map.values.keys())
        .filter(|key| expected.get(*key) != map.values.get(*key))
        .collect();
    let all_are_there = differing.is_empty();
    (!all_are_there).then(|| format!("I2: after write {} it differs in {differing:?}", map.write))
}
