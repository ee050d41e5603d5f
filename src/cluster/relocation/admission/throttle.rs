//! Whoever sends many other values for a key that was moved may be guessing:
//! the answer tells whether a value is the one that is kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many writes with another value in this time are a rotation or a mistake (design:
/// reliability.md, section 7). A write tries one value for a key, however many keys
/// it has. Each replica counts for itself.
const MOST: usize = 20;
const WITHIN: Duration = Duration::from_secs(60 * 60);
/// Users and ConfigMaps that are remembered; more, and the oldest are not.
const REMEMBERED: usize = 10_000;

/// Writes with values that were tried, by user and ConfigMap.
#[derive(Default)]
pub(super) struct Throttle {
    tried: Mutex<HashMap<Key, VecDeque<Instant>>>,
}

/// User, namespace, ConfigMap.
pub(super) type Key = [String; 3];

impl Throttle {
    /// Whether this is one too many.
    pub(super) fn is_over(&self, key: &Key, now: Instant) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(times) = tried.get_mut(key) else {
            return false;
        };
        forget(times, now);
        times.len() >= MOST
    }

    /// A write had values that did not match.
    pub(super) fn note(&self, key: Key, now: Instant) {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.len() >= REMEMBERED {
            tried.retain(|_, times| {
                forget(times, now);
                !times.is_empty()
            });
        }
        let times = tried.entry(key).or_default();
        times.push_back(now);
        let over = times.len().saturating_sub(MOST);
        times.drain(..over);
    }
}

fn forget(times: &mut VecDeque<Instant>, now: Instant) {
    times.retain(|time| now.saturating_duration_since(*time) < WITHIN);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_an_hour_are_let_through_to_each() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let key = |user: &str| [user, "shop", "app"].map(str::to_owned);
        for _ in 0..MOST {
            assert!(!throttle.is_over(&key("eve"), now));
            throttle.note(key("eve"), now);
        }
        assert!(throttle.is_over(&key("eve"), now));
        assert!(!throttle.is_over(&key("bob"), now));
        assert!(!throttle.is_over(&key("eve"), now + WITHIN));
    }
}
