//! Which namespaces are to be looked at: each once, however often it changed,
//! and never twice at a time. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// After a failure it is tried again: twice as late each time, from this ...
const SHORTEST: Duration = Duration::from_secs(1);
/// ... to this.
const LONGEST: Duration = Duration::from_secs(30);

/// Namespaces by name.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// In the order in which they came.
    waiting: VecDeque<String>,
    /// The same.
    named: BTreeSet<String>,
    /// Those that are looked at, and whether they changed meanwhile.
    busy: BTreeMap<String, bool>,
    /// Those where something failed.
    later: BTreeMap<String, Retry>,
}

#[derive(Debug)]
struct Retry {
    at: Instant,
    pause: Duration,
    /// Whether it is about to be looked at again.
    is_due: bool,
}

impl Queue {
    /// Something changed there.
    pub(super) fn add(&mut self, namespace: &str) {
        if let Some(changed) = self.busy.get_mut(namespace) {
            *changed = true;
        } else if self.named.insert(namespace.to_owned()) {
            self.waiting.push_back(namespace.to_owned());
        }
    }

    /// The next one, which is busy from now on.
    pub(super) fn take(&mut self) -> Option<String> {
        let namespace = self.waiting.pop_front()?;
        self.named.remove(&namespace);
        self.busy.insert(namespace.clone(), false);
        Some(namespace)
    }

    /// It was looked at; where that failed, it is looked at again after a
    /// while.
    pub(super) fn done(&mut self, namespace: &str, is_well: bool, now: Instant) {
        let changed = self.busy.remove(namespace) == Some(true);
        if is_well {
            self.later.remove(namespace);
        } else {
            let before = self.later.get(namespace).map(|retry| retry.pause * 2);
            let pause = before.map_or(SHORTEST, |pause| pause.min(LONGEST));
            let retry = Retry {
                at: now + pause,
                pause,
                is_due: false,
            };
            self.later.insert(namespace.to_owned(), retry);
        }
        if changed {
            self.add(namespace);
        }
    }

    /// Adds those whose time to be tried again has come.
    pub(super) fn tick(&mut self, now: Instant) {
        let mut due = Vec::new();
        for (namespace, retry) in &mut self.later {
            if !retry.is_due && retry.at <= now {
                retry.is_due = true;
                due.push(namespace.clone());
            }
        }
        due.iter().for_each(|namespace| self.add(namespace));
    }

    /// Nobody is to look at any.
    pub(super) fn clear(&mut self) {
        *self = Queue::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_waits_once_however_often_it_changed() {
        let mut queue = Queue::default();
        for namespace in ["a", "b", "a", "a"] {
            queue.add(namespace);
        }
        assert_eq!(queue.take().as_deref(), Some("a"));
        assert_eq!(queue.take().as_deref(), Some("b"));
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_changes_while_it_is_looked_at_is_looked_at_again_and_not_at_once() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add("a");
        assert_eq!(queue.take().as_deref(), Some("a"));
        queue.add("a");
        queue.add("a");
        assert_eq!(queue.take(), None, "it is busy");
        queue.done("a", true, now);
        assert_eq!(queue.take().as_deref(), Some("a"));
        queue.done("a", true, now);
        assert_eq!(queue.take(), None);
    }

    #[test]
    fn what_failed_is_tried_again_later_each_time() {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        queue.add("a");
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(queue.take().as_deref(), Some("a"));
            queue.done("a", false, now);
            let pause = Duration::from_secs(seconds);
            queue.tick(now + pause - Duration::from_millis(1));
            assert_eq!(queue.take(), None, "{seconds}");
            now += pause;
            queue.tick(now);
        }
        assert_eq!(queue.take().as_deref(), Some("a"));
        queue.done("a", true, now);
        queue.add("a");
        assert_eq!(queue.take().as_deref(), Some("a"));
        queue.done("a", false, now);
        queue.tick(now + SHORTEST);
        assert_eq!(queue.take().as_deref(), Some("a"), "what went well counts");
    }

    #[test]
    fn a_change_is_not_held_up_by_a_failure() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add("a");
        queue.take();
        queue.done("a", false, now);
        queue.add("a");
        assert_eq!(queue.take().as_deref(), Some("a"));
    }
}
