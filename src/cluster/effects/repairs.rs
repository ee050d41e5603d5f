//! When to stop repairing: two writers that undo each other's work would go on
//! for ever (design: reliability.md, section 9). Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Repairs of one object ...
pub const MOST: usize = 5;
/// ... in this time.
pub const WINDOW: Duration = Duration::from_secs(600);

/// Changes of what a policy wants, in the same time: nobody asks for so many, and two
/// effects of one name would take turns for ever.
const MOST_CHANGES: usize = 60;

/// Why an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is not there. Where it was before, somebody took it away.
    Absent,
    /// Somebody changed it.
    Repair,
    /// The policy wants another.
    Change,
}

/// Namespace, kind and name.
pub type Key = (String, String, String);

/// What was repaired, and when.
#[derive(Debug, Default)]
pub struct Repairs {
    /// What was there once: to create it again is a repair, too.
    seen: BTreeSet<Key>,
    times: BTreeMap<Key, VecDeque<Instant>>,
    changes: BTreeMap<Key, VecDeque<Instant>>,
    told: BTreeSet<Key>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Go {
    /// Yes.
    On,
    /// No, and somebody should be told.
    StopAndTell,
    /// No, as was told.
    Stop,
}

impl Repairs {
    /// Takes in that an object is there.
    pub fn saw(&mut self, key: Key) {
        self.seen.insert(key);
    }

    /// Forgets what nobody looks after any more.
    pub fn forget_namespace(&mut self, gone: &str) {
        self.seen.retain(|(namespace, ..)| namespace != gone);
        self.times.retain(|(namespace, ..), _| namespace != gone);
        self.changes.retain(|(namespace, ..), _| namespace != gone);
        self.told.retain(|(namespace, ..)| namespace != gone);
    }

    /// Forgets an object that was taken away on purpose.
    pub fn forget(&mut self, key: &Key) {
        self.seen.remove(key);
        self.times.remove(key);
        self.changes.remove(key);
        self.told.remove(key);
    }

    /// Whether to write an object; to create one that was there before is a repair,
    /// too.
    pub fn may(&mut self, key: &Key, why: Why, now: Instant) -> Go {
        let (times, most) = match why {
            Why::Absent if !self.seen.contains(key) => return Go::On,
            Why::Absent | Why::Repair => (&mut self.times, MOST),
            Why::Change => (&mut self.changes, MOST_CHANGES),
        };
        let times = times.entry(key.clone()).or_default();
        while times
            .front()
            .is_some_and(|at| now.saturating_duration_since(*at) > WINDOW)
        {
            times.pop_front();
        }
        if times.len() < most {
            times.push_back(now);
            self.told.remove(key);
            return Go::On;
        }
        match self.told.insert(key.clone()) {
            true => Go::StopAndTell,
            false => Go::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        ("shop".into(), "things".into(), "a".into())
    }

    #[test]
    fn after_five_repairs_it_stops_tells_once_and_goes_on_later() {
        let (mut repairs, start) = (Repairs::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(
            repairs.may(&key(), Why::Absent, at(0)),
            Go::On,
            "the first is no repair"
        );
        repairs.saw(key());
        for second in 1..=5 {
            assert_eq!(
                repairs.may(&key(), Why::Absent, at(second)),
                Go::On,
                "{second}"
            );
        }
        assert_eq!(repairs.may(&key(), Why::Repair, at(6)), Go::StopAndTell);
        assert_eq!(repairs.may(&key(), Why::Repair, at(7)), Go::Stop);
        let another = ("shop".into(), "things".into(), "b".into());
        assert_eq!(repairs.may(&another, Why::Repair, at(7)), Go::On);
        assert_eq!(
            repairs.may(&key(), Why::Repair, at(602)),
            Go::On,
            "the first is long ago"
        );
        assert_eq!(
            repairs.may(&key(), Why::Repair, at(602)),
            Go::StopAndTell,
            "the second is not"
        );
        assert_eq!(repairs.may(&key(), Why::Repair, at(603)), Go::On);
    }

    #[test]
    fn what_a_policy_wants_otherwise_is_no_repair() {
        let (mut repairs, now) = (Repairs::default(), Instant::now());
        repairs.saw(key());
        for change in 0..MOST_CHANGES {
            assert_eq!(repairs.may(&key(), Why::Change, now), Go::On, "{change}");
        }
        assert_eq!(repairs.may(&key(), Why::Change, now), Go::StopAndTell);
        assert_eq!(repairs.may(&key(), Why::Repair, now), Go::On);
    }

    #[test]
    fn what_was_taken_away_may_come_again() {
        let (mut repairs, now) = (Repairs::default(), Instant::now());
        repairs.saw(key());
        for _ in 0..MOST {
            repairs.may(&key(), Why::Repair, now);
        }
        repairs.forget(&key());
        assert_eq!(repairs.may(&key(), Why::Absent, now), Go::On);
        repairs.saw(key());
        repairs.forget_namespace("shop");
        assert_eq!(repairs.may(&key(), Why::Absent, now), Go::On);
    }
}
