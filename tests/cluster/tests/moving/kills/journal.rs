//! What clients asked for, and what they were told.

use std::collections::BTreeMap;

/// What keys of `binaryData` begin with here.
pub(super) const BINARY: &str = "binary/";

/// Keys and values, as whoever wrote them means them.
pub(super) type Values = BTreeMap<String, String>;

/// Characters of a refusal that are told.
const SHOWN: usize = 200;

/// The key that says which write a stored ConfigMap comes from.
pub(super) const WRITE: &str = "WRITE";

/// What a write makes of the values.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// These, and no others.
    Whole(Values),
    /// These instead, or none.
    Part(BTreeMap<String, Option<String>>),
    /// The ConfigMap of this uid goes.
    Deletion(String),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nobody said.
    Unknown(String),
    /// It was stored, at this revision (none for a deletion).
    Done(u64),
    /// It was refused.
    Refused(String),
}

/// A write of a ConfigMap.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) map: String,
    pub(super) change: Change,
    pub(super) outcome: Outcome,
}

/// A pod that was created, after its ConfigMap was seen at a revision.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) map: String,
    pub(super) seen: u64,
    pub(super) at: u64,
    /// Whether it names the Secret that the ConfigMap is served by.
    pub(super) is_rewritten: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Journal {
    writes: BTreeMap<usize, Write>,
    asked: usize,
    done: usize,
    /// How often what was said.
    refused: BTreeMap<String, usize>,
    pub(super) pods: Vec<Started>,
    pub(super) dry_runs: usize,
}

impl Journal {
    /// Notes what is about to be asked for; gives its number.
    pub(super) fn asked(&mut self, map: &str, change: Change) -> usize {
        let write = Write {
            map: map.to_owned(),
            change,
            outcome: Outcome::Unknown("not answered".to_owned()),
        };
        self.writes.insert(self.asked, write);
        self.asked += 1;
        self.asked - 1
    }

    /// Notes what was answered.
    pub(super) fn told(&mut self, number: usize, outcome: Outcome) {
        match &outcome {
            Outcome::Unknown(_) => {}
            Outcome::Done(_) => self.done += 1,
            Outcome::Refused(why) => {
                let map = self.writes.get(&number).map(|write| write.map.as_str());
                let why = why.replace(map.unwrap_or_default(), "..");
                let why = why.chars().take(SHOWN).collect();
                *self.refused.entry(why).or_default() += 1;
            }
        }
        if let Some(write) = self.writes.get_mut(&number) {
            write.outcome = outcome;
        }
    }

    pub(super) fn get(&self, number: usize) -> Option<&Write> {
        self.writes.get(&number)
    }

    /// Leaves out what was written of ConfigMaps that are gone for good.
    pub(super) fn forget(&mut self, map: &str) {
        self.writes.retain(|_, write| write.map != map);
    }

    /// Those from this number on, with their numbers.
    pub(super) fn from(&self, number: usize) -> impl DoubleEndedIterator<Item = (&usize, &Write)> {
        self.writes.range(number..)
    }

    pub(super) fn len(&self) -> usize {
        self.asked
    }
}

impl std::fmt::Display for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (done, all) = (self.done, self.asked);
        let refused: usize = self.refused.values().sum();
        let (pods, dry) = (self.pods.len(), self.dry_runs);
        write!(
            f,
            "{all} writes ({done} done, {refused} refused), {pods} pods, {dry} dry runs"
        )?;
        for (why, times) in &self.refused {
            write!(f, "\n  {times:5} {why}")?;
        }
        Ok(())
    }
}

impl Change {
    /// What it makes of these values.
    pub(super) fn of(&self, before: &Values) -> Values {
        match self {
            Change::Whole(values) => values.clone(),
            Change::Part(parts) => {
                let mut values = before.clone();
                for (key, value) in parts {
                    match value {
                        Some(value) => drop(values.insert(key.clone(), value.clone())),
                        None => drop(values.remove(key)),
                    }
                }
                values
            }
            Change::Deletion(_) => Values::new(),
        }
    }
}
