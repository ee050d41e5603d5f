//! What etcd had at every revision, and what must hold there (design: reliability.md, section 8):
//!
//! - I1 no value of a key that is moved is in anything but a Secret of ours;
//! - I2 every stored placeholder stands for what the client had sent whose write was committed;
//! - I3 no Secret of others changes;
//! - I4 a dry run leaves nothing;
//! - I5 in the end no Secret is left that nobody names;
//! - I6 what pods read is what was committed, and never goes back.

mod forms;
mod map;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_cluster::etcd::{Event, Object};
use portcullis_relocation::names::{Half, is_reserved, is_staged, serving};
use portcullis_relocation::placeholder::{Told, read};

use self::forms::{contains, forms};
use self::map::{Map, ended, meant, of_half};
use super::journal::{BINARY, Change, Journal, Outcome, Values, WRITE};

/// Nobody else names a ConfigMap so.
pub(super) const MAPS: &str = "map-";

/// Everything at each of its revisions, in their order.
type Times<T> = Vec<(u64, Option<T>)>;

/// What was seen so far of one namespace.
pub(super) struct History {
    maps_at: String,
    secrets_at: String,
    /// What is in every value of a client, and in every one of a dry run.
    value: Vec<Vec<u8>>,
    dry: Vec<Vec<u8>>,
    maps: BTreeMap<String, Times<Map>>,
    secrets: BTreeMap<String, Times<Object>>,
    /// For each serving Secret, which state of its ConfigMap it was last made from.
    reached: BTreeMap<String, usize>,
    /// Whether Secrets of others have to stay as they are from now on.
    guarded: bool,
    /// Writes and pods that were held against it.
    judged: (usize, usize),
    /// ConfigMaps that nobody writes any more.
    retired: BTreeSet<String>,
    /// How many Secrets of ours came and went before that.
    forgotten: usize,
    wrong: Vec<String>,
}

impl History {
    pub(super) fn new(namespace: &str, value: &str, dry: &str) -> History {
        History {
            maps_at: format!("/registry/configmaps/{namespace}/"),
            secrets_at: format!("/registry/secrets/{namespace}/"),
            value: forms(value),
            dry: forms(dry),
            maps: BTreeMap::new(),
            secrets: BTreeMap::new(),
            reached: BTreeMap::new(),
            guarded: false,
            judged: (0, 0),
            retired: BTreeSet::new(),
            forgotten: 0,
            wrong: Vec::new(),
        }
    }

    /// From now on no Secret of others may change.
    pub(super) fn guard(&mut self) {
        self.guarded = true;
    }

    /// Goes on to these events, in the order of their revisions.
    pub(super) fn take(&mut self, events: &[Event], journal: &Journal) {
        for event in events {
            self.leaks(event);
            if let Some(name) = event.key.strip_prefix(&self.maps_at) {
                if name.starts_with(MAPS) {
                    self.map(name.to_owned(), event, journal);
                }
            } else if let Some(name) = event.key.strip_prefix(&self.secrets_at) {
                self.secret(name.to_owned(), event);
            }
        }
    }

    /// Holds what clients were told against what was stored; all their requests
    /// have ended.
    pub(super) fn judge(&mut self, journal: &Journal) {
        let (writes, pods) =
            std::mem::replace(&mut self.judged, (journal.len(), journal.pods.len()));
        let stored = self.stored();
        let mut wrong = Vec::new();
        for (number, write) in journal.from(writes) {
            let number = *number;
            let times = self.maps.get(&write.map).map_or(&[][..], Vec::as_slice);
            let is_there = match &write.change {
                Change::Deletion(uid) => ended(times, uid),
                _ => stored.contains_key(&number),
            };
            let fault = match &write.outcome {
                Outcome::Done(revision) if !is_there => {
                    Some(format!("was answered (at {revision}) and is lost"))
                }
                Outcome::Done(revision)
                    if *revision > 0 && stored.get(&number) != Some(revision) =>
                {
                    Some(format!(
                        "was answered at {revision} and stored at {stored:?}"
                    ))
                }
                Outcome::Refused(why)
                    if is_there && !matches!(write.change, Change::Deletion(_)) =>
                {
                    Some(format!("was refused and stored: {why}"))
                }
                _ => None,
            };
            wrong.extend(fault.map(|fault| format!("write {number} of {}: {fault}", write.map)));
        }
        for started in &journal.pods[pods..] {
            wrong.extend(self.reads_the_past(started));
        }
        self.wrong.extend(wrong);
    }

    /// Nobody writes these any more, which are deleted.
    pub(super) fn retire(&mut self, maps: &[String]) {
        self.retired.extend(maps.iter().cloned());
    }

    /// Forgets what is gone for good; gives the ConfigMaps.
    pub(super) fn forget(&mut self) -> Vec<String> {
        let is_gone = |name: &&String| {
            let times = self.maps.get(*name).and_then(|times| times.last());
            let is_served = |half| self.serves(name, half, u64::MAX).is_some();
            times.is_none_or(|(_, map)| map.is_none()) && !Half::ALL.into_iter().any(is_served)
        };
        let gone: Vec<String> = self.retired.iter().filter(is_gone).cloned().collect();
        for name in &gone {
            self.retired.remove(name);
            self.maps.remove(name);
            for half in Half::ALL {
                self.reached.remove(&serving(name, half));
            }
        }
        let is_there = |times: &Times<Object>| times.last().is_some_and(|(_, one)| one.is_some());
        let before = self.secrets.len();
        if !gone.is_empty() {
            self.secrets.retain(|_, times| is_there(times));
        }
        self.forgotten += before - self.secrets.len();
        gone
    }

    /// At which revision each write was stored first.
    fn stored(&self) -> BTreeMap<usize, u64> {
        let mut stored = BTreeMap::new();
        for (revision, map) in self.maps.values().flatten() {
            if let Some(map) = map {
                stored.entry(map.write).or_insert(*revision);
            }
        }
        stored
    }

    /// What is not yet as it has to be once all is quiet: ConfigMaps that are
    /// not served.
    pub(super) fn unsettled(&self) -> Vec<String> {
        let mut late = Vec::new();
        for (name, times) in &self.maps {
            let now = times.last().and_then(|(_, map)| map.as_ref());
            for half in Half::ALL {
                let serves = self.serves(name, half, u64::MAX);
                match now {
                    Some(map)
                        if serves.clone().unwrap_or_default() != of_half(&map.moved, half) =>
                    {
                        late.push(format!(
                            "{name} is not served as it is: write {}",
                            map.write
                        ));
                    }
                    None if serves.is_some() => late.push(format!("{name} is gone, and served")),
                    _ => {}
                }
            }
        }
        late
    }

    /// Staged Secrets that no ConfigMap names (I5).
    pub(super) fn orphans(&self) -> BTreeSet<String> {
        let named = self.named();
        let is_orphan = |name: &&String| is_staged(name) && !named.contains(*name);
        self.secrets
            .iter()
            .filter(|(_, times)| times.last().is_some_and(|(_, secret)| secret.is_some()))
            .map(|(name, _)| name)
            .filter(is_orphan)
            .cloned()
            .collect()
    }

    /// How many Secrets of ours there are, and were.
    pub(super) fn secrets(&self) -> (usize, usize) {
        let all = self.secrets.values();
        let is_there = |times: &&Times<Object>| times.last().is_some_and(|(_, one)| one.is_some());
        let now = all.filter(is_there).count();
        (now, self.forgotten + self.secrets.len())
    }

    /// The revision of a ConfigMap, 0 where it never was there.
    pub(super) fn revision(&self, map: &str) -> u64 {
        let last = self.maps.get(map).and_then(|times| times.last());
        last.map_or(0, |(revision, _)| *revision)
    }

    /// What was found wrong so far.
    pub(super) fn wrong(&self) -> &[String] {
        &self.wrong
    }

    fn named(&self) -> BTreeSet<String> {
        let now = self.maps.values().filter_map(|times| times.last());
        let maps = now.filter_map(|(_, map)| map.as_ref());
        maps.flat_map(|map| map.names.iter().cloned()).collect()
    }

    fn fault(&mut self, event: &Event, what: &str) {
        let text = format!("{} at {}: {what}", event.key, event.revision);
        self.wrong.push(text);
    }

    /// I1, I4.
    fn leaks(&mut self, event: &Event) {
        let Some(value) = &event.value else { return };
        let name = event.key.strip_prefix(&self.secrets_at);
        let is_ours = name.is_some_and(is_reserved);
        let holds = |forms: &[Vec<u8>]| forms.iter().any(|form| contains(value, form));
        if !is_ours && holds(&self.value) {
            let places = places(value, &self.value);
            self.fault(event, &format!("I1: it holds a value in the open{places}"));
        }
        if holds(&self.dry) {
            self.fault(event, "I4: it holds a value of a dry run");
        }
    }

    fn map(&mut self, name: String, event: &Event, journal: &Journal) {
        let Some(value) = &event.value else {
            let times = self.maps.entry(name).or_default();
            times.push((event.revision, None));
            return;
        };
        let Some(object) = Object::read(value) else {
            return self.fault(event, "it cannot be read");
        };
        let before = self.maps.get(&name).and_then(|times| times.last());
        let before = before.and_then(|(_, map)| map.clone());
        let before = before.filter(|map| map.uid == object.uid);
        let mut map = Map {
            uid: object.uid.clone(),
            write: usize::MAX,
            values: Values::new(),
            moved: Values::new(),
            names: BTreeSet::new(),
        };
        let binary = object.binary.iter();
        let binary = binary.map(|(key, value)| (format!("{BINARY}{key}"), value));
        let text = object.data.iter().map(|(key, value)| (key.clone(), value));
        for (key, value) in text.chain(binary) {
            if let Err(fault) = self.resolve(&mut map, &key, value) {
                self.fault(event, &fault);
            }
        }
        if let Some(fault) = meant(&map, before.as_ref(), journal) {
            self.fault(event, &fault);
        }
        let times = self.maps.entry(name).or_default();
        times.push((event.revision, Some(map)));
    }

    /// I2: what stands under a key, or what it stands for at this moment.
    fn resolve(&self, map: &mut Map, key: &str, value: &[u8]) -> Result<(), String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if key == WRITE {
            map.write = text(value).parse().unwrap_or(usize::MAX);
            return Ok(());
        }
        let value = match read(value) {
            Told::Plain => text(value),
            Told::Malformed => return Err(format!("I2: {key} is no placeholder")),
            Told::Placeholder(placeholder) => {
                let times = self.secrets.get(&placeholder.secret);
                let held = times.and_then(|times| times.last());
                let own = key.strip_prefix(BINARY).unwrap_or(key);
                let held = held.and_then(|(_, secret)| secret.as_ref()?.data.get(own));
                let held = held.ok_or_else(|| format!("I2: {key} stands for nothing"))?;
                map.names.insert(placeholder.secret);
                map.moved.insert(key.to_owned(), text(held));
                text(held)
            }
        };
        map.values.insert(key.to_owned(), value);
        Ok(())
    }

    fn secret(&mut self, name: String, event: &Event) {
        if !is_reserved(&name) {
            if self.guarded {
                self.fault(event, "I3: a Secret of others");
            }
            return;
        }
        let object = event.value.as_deref().map(Object::read);
        if matches!(object, Some(None)) {
            return self.fault(event, "it cannot be read");
        }
        let object = object.flatten();
        if is_staged(&name) {
            self.staged_event(&name, object.as_ref(), event);
        } else if let Some(held) = &object {
            self.served_event(&name, held, event);
        }
        let times = self.secrets.entry(name).or_default();
        times.push((event.revision, object));
    }

    /// A staged Secret is made once, and goes when nothing names it (I2).
    fn staged_event(&mut self, name: &str, object: Option<&Object>, event: &Event) {
        let before = self.secrets.get(name).and_then(|times| times.last());
        let before = before.and_then(|(_, secret)| secret.as_ref());
        let has_changed = match (before, object) {
            (Some(before), Some(object)) => before.data != object.data,
            _ => false,
        };
        if has_changed {
            self.fault(event, "I2: what was staged was changed");
        }
        if object.is_none() && self.named().contains(name) {
            self.fault(event, "I2: it was deleted, and a ConfigMap names it");
        }
    }

    /// What is served was committed, and not before what was served (I6).
    fn served_event(&mut self, name: &str, held: &Object, event: &Event) {
        let data = texts(held);
        let of = |half: Half| {
            let mut maps = self.maps.keys();
            let map = maps.find(|map| serving(map, half) == name)?;
            Some((map.clone(), half))
        };
        let Some((map, half)) = Half::ALL.into_iter().find_map(of) else {
            return self.fault(event, "I6: it serves no ConfigMap");
        };
        let times = self.maps.get(&map).map_or(&[][..], Vec::as_slice);
        let from = self.reached.get(name).copied().unwrap_or_default();
        let is_it = |(_, state): &(u64, Option<Map>)| {
            let state = state.as_ref();
            state.is_some_and(|state| state.is_served_by(half, &data))
        };
        match times[from..].iter().position(is_it) {
            Some(more) => drop(self.reached.insert(name.to_owned(), from + more)),
            None => self.fault(event, "I6: it holds what was not committed, or went back"),
        }
    }

    /// What is served of a ConfigMap at a revision.
    fn serves(&self, map: &str, half: Half, at: u64) -> Option<Values> {
        let times = self.secrets.get(&serving(map, half))?;
        let mut then = times.iter().rev();
        let (_, held) = then.find(|(revision, _)| *revision <= at)?;
        held.as_ref().map(texts)
    }

    /// I6: at the moment when a pod came, what it reads was committed after
    /// what its owner had seen.
    fn reads_the_past(&self, started: &super::journal::Started) -> Option<String> {
        let name = serving(&started.map, Half::Text);
        if !started.is_rewritten {
            return Some(format!("I6: a pod of {} does not read {name}", started.map));
        }
        let times = self.maps.get(&started.map)?;
        let first = times.iter().rposition(|(at, _)| *at <= started.seen)?;
        let window = times[first..]
            .iter()
            .take_while(|(at, _)| *at <= started.at);
        let states: Vec<Option<&Map>> = window.map(|(_, map)| map.as_ref()).collect();
        let is_past = |half: &Half| {
            let serves = self.serves(&started.map, *half, started.at);
            let serves = serves.unwrap_or_default();
            // While its ConfigMap is away a pod does not start.
            let is_it = |map: &Option<&Map>| map.is_none_or(|map| map.is_served_by(*half, &serves));
            !states.iter().any(is_it)
        };
        Half::ALL.iter().any(is_past).then(|| {
            format!(
                "I6: at {} a pod reads of {} what was before {}",
                started.at, started.map, started.seen
            )
        })
    }
}

/// Where in an object one of these stands, as far as it can be read.
fn places(stored: &[u8], forms: &[Vec<u8>]) -> String {
    let Some(object) = Object::read(stored) else {
        return String::new();
    };
    let holds = |bytes: &[u8]| forms.iter().any(|form| contains(bytes, form));
    let mut places = String::new();
    for (kind, entries) in [("data", &object.data), ("binaryData", &object.binary)] {
        let found = entries.iter().filter(|(_, value)| holds(value));
        places.extend(found.map(|(key, _)| format!(", {kind}.{key}")));
    }
    let notes = object.annotations.iter();
    let found = notes.filter(|(_, text)| holds(text.as_bytes()));
    // Values of tests alone.
    places.extend(found.map(|(name, text)| format!(", {name}: {text}")));
    places
}

fn texts(object: &Object) -> Values {
    let text = |(key, value): (&String, &Vec<u8>)| {
        (key.clone(), String::from_utf8_lossy(value).into_owned())
    };
    object.data.iter().map(text).collect()
}
