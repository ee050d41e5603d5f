//! When the next audit is due. Nothing here talks to anyone or looks at a clock.

use std::time::{Duration, Instant};

/// How long a replica that has just begun to lead waits for its registration
/// to be as it should be, and then audits all the same.
const PATIENCE: Duration = Duration::from_secs(60);

/// Until an audit is tried again that could not be made.
const AGAIN: Duration = Duration::from_secs(60);

/// Why an audit is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// This replica has begun to lead: the one before it has ended, and nobody
    /// knows what was answered meanwhile.
    Began,
    /// Requests were let through unjudged, and are judged again.
    Outage,
    /// The time has come.
    Time,
}

impl Why {
    /// For the log.
    pub fn word(self) -> &'static str {
        match self {
            Why::Began => "this replica has begun to lead",
            Why::Outage => "requests were let through unjudged, and are judged again",
            Why::Time => "the time has come",
        }
    }
}

/// Whether requests are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Nobody here knows, or will.
    Unknown,
    /// They are, as the policies say.
    Kept,
    /// They are let through, or would be while we do not answer.
    Open,
}

/// When audits are due on the replica that leads.
#[derive(Debug)]
pub struct Due {
    every: Duration,
    leads_since: Option<Instant>,
    /// None before the first.
    next: Option<Instant>,
    was_open: bool,
}

impl Due {
    /// One in each `every`, and one after each outage.
    pub fn new(every: Duration) -> Due {
        Due {
            every,
            leads_since: None,
            next: None,
            was_open: false,
        }
    }

    /// Why an audit is due now, if it is.
    pub fn now(&mut self, leads: bool, door: Door, now: Instant) -> Option<Why> {
        if !leads {
            *self = Due::new(self.every);
            return None;
        }
        let since = *self.leads_since.get_or_insert(now);
        let is_open = door == Door::Open;
        let ended = std::mem::replace(&mut self.was_open, is_open) && !is_open;
        match self.next {
            None if is_open && now < since + PATIENCE => None,
            None => Some(Why::Began),
            Some(_) if ended => Some(Why::Outage),
            Some(next) if now >= next => Some(Why::Time),
            Some(_) => None,
        }
    }

    /// An audit has begun.
    pub fn begun(&mut self, now: Instant) {
        self.next = Some(now + self.every);
    }

    /// It could not be made.
    pub fn failed(&mut self, now: Instant) {
        self.next = Some(now + self.every.min(AGAIN));
    }

    /// How long to wait, if nothing happens.
    pub fn wait(&self, now: Instant) -> Duration {
        match (self.leads_since, self.next) {
            (None, _) => self.every,
            (Some(since), None) => (since + PATIENCE).saturating_duration_since(now),
            (Some(_), Some(next)) => next.saturating_duration_since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn begun(now: Instant) -> Due {
        let mut due = Due::new(HOUR);
        assert_eq!(due.now(true, Door::Kept, now), Some(Why::Began));
        due.begun(now);
        due
    }

    #[test]
    fn who_begins_to_lead_audits_once_requests_are_judged() {
        let now = Instant::now();
        let mut due = Due::new(HOUR);
        assert_eq!(due.now(false, Door::Kept, now), None);
        assert_eq!(due.now(true, Door::Open, now), None);
        assert_eq!(due.wait(now), PATIENCE);
        assert_eq!(due.now(true, Door::Kept, now), Some(Why::Began));
        due.begun(now);
        assert_eq!(due.now(true, Door::Kept, now), None);
    }

    #[test]
    fn it_does_not_wait_for_ever_for_a_registration() {
        let now = Instant::now();
        let mut due = Due::new(HOUR);
        assert_eq!(due.now(true, Door::Open, now), None);
        let later = now + PATIENCE;
        assert_eq!(due.now(true, Door::Open, later), Some(Why::Began));
        let mut unknown = Due::new(HOUR);
        assert_eq!(unknown.now(true, Door::Unknown, now), Some(Why::Began));
    }

    #[test]
    fn an_audit_comes_every_hour() {
        let now = Instant::now();
        let mut due = begun(now);
        let almost = now + HOUR - Duration::from_secs(1);
        assert_eq!(due.now(true, Door::Kept, almost), None);
        assert_eq!(due.wait(almost), Duration::from_secs(1));
        assert_eq!(due.now(true, Door::Kept, now + HOUR), Some(Why::Time));
    }

    #[test]
    fn an_audit_follows_the_end_of_an_outage_and_not_its_beginning() {
        let now = Instant::now();
        let mut due = begun(now);
        assert_eq!(due.now(true, Door::Open, now), None);
        assert_eq!(due.now(true, Door::Open, now), None);
        assert_eq!(due.now(true, Door::Kept, now), Some(Why::Outage));
        due.begun(now);
        assert_eq!(due.now(true, Door::Kept, now), None);
    }

    #[test]
    fn what_could_not_be_audited_is_tried_again_soon() {
        let now = Instant::now();
        let mut due = begun(now);
        due.failed(now);
        assert_eq!(due.wait(now), AGAIN);
        assert_eq!(due.now(true, Door::Kept, now + AGAIN), Some(Why::Time));
    }

    #[test]
    fn who_loses_the_lease_begins_anew() {
        let now = Instant::now();
        let mut due = begun(now);
        assert_eq!(due.now(false, Door::Kept, now), None);
        assert_eq!(due.now(true, Door::Kept, now), Some(Why::Began));
    }
}
