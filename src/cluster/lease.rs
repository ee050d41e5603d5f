//! Which replica writes to the cluster: the one that holds the Lease.
//!
//! A pure state machine over what was seen and when: `api` reads and writes.
//! Clocks of replicas may differ by hours. A replica never compares a time in
//! the Lease with its own clock: it waits until a Lease has not changed for its
//! whole duration by its own watch (so does client-go's leader election).
//!
//! Invariant: who holds it gives up before anybody else may take it, since the
//! deadline to renew is shorter than the duration, and counts from the moment
//! before the last renewal was sent.

pub mod api;

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;

/// How long things take. The defaults are those of the controllers of
/// Kubernetes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a Lease that nobody renews stays with its holder.
    pub duration: Duration,
    /// How long the holder goes on without a renewal.
    pub deadline: Duration,
    /// Between two tries.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            duration: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make the Lease.
    Create(LeaseSpec),
    /// Write this over what was read, if it is still the same.
    Replace(LeaseSpec),
    /// Somebody else holds it.
    Wait,
}

/// One replica's view of the election.
#[derive(Debug)]
pub struct Election {
    identity: String,
    timing: Timing,
    /// The Lease as it was last seen, and since when it is so.
    seen: Option<(LeaseSpec, Instant)>,
    /// Since when it is certainly ours.
    renewed: Option<Instant>,
}

impl Election {
    /// A replica that has seen nothing yet. `identity` tells it from others.
    pub fn new(identity: &str, timing: Timing) -> Election {
        Election {
            identity: identity.to_owned(),
            timing,
            seen: None,
            renewed: None,
        }
    }

    /// Whether this replica may write.
    pub fn leads(&self, now: Instant) -> bool {
        self.renewed
            .is_some_and(|renewed| now < renewed + self.timing.deadline)
    }

    /// What to do about the Lease as it was found; None if there is none.
    /// `wall` only goes into the Lease, for people to read.
    pub fn step(&mut self, found: Option<&LeaseSpec>, now: Instant, wall: Timestamp) -> Step {
        let Some(found) = found else {
            return Step::Create(self.claim(None, wall));
        };
        if self.seen.as_ref().is_none_or(|(seen, _)| seen != found) {
            self.seen = Some((found.clone(), now));
        }
        if !self.holds(found) {
            self.renewed = None;
            let since = self.seen.as_ref().map_or(now, |(_, since)| *since);
            let is_held = found
                .holder_identity
                .as_ref()
                .is_some_and(|h| !h.is_empty());
            if is_held && now < since + self.duration_of(found) {
                return Step::Wait;
            }
        }
        Step::Replace(self.claim(Some(found), wall))
    }

    /// The step that was asked for at `started` has succeeded.
    pub fn written(&mut self, spec: LeaseSpec, started: Instant) {
        self.seen = Some((spec, started));
        self.renewed = Some(started);
    }

    /// The Lease without a holder, so that the next one need not wait; None if
    /// it is not ours to give.
    pub fn release(&mut self, now: Instant, wall: Timestamp) -> Option<LeaseSpec> {
        if !self.leads(now) {
            return None;
        }
        self.renewed = None;
        let (seen, _) = self.seen.as_ref()?;
        Some(LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(wall)),
            ..seen.clone()
        })
    }

    /// Whether it names this replica.
    pub fn holds(&self, found: &LeaseSpec) -> bool {
        found.holder_identity.as_ref() == Some(&self.identity)
    }

    /// A Lease without a duration, which only a person writes, is one of ours.
    fn duration_of(&self, found: &LeaseSpec) -> Duration {
        let seconds = found.lease_duration_seconds.unwrap_or_default();
        match u64::try_from(seconds) {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => self.timing.duration,
        }
    }

    fn claim(&self, found: Option<&LeaseSpec>, wall: Timestamp) -> LeaseSpec {
        let own = found.filter(|found| self.holds(found));
        let transitions = found.and_then(|found| found.lease_transitions).unwrap_or(0);
        let seconds = i32::try_from(self.timing.duration.as_secs()).unwrap_or(i32::MAX);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(seconds.max(1)),
            acquire_time: own
                .and_then(|own| own.acquire_time.clone())
                .or(Some(MicroTime(wall))),
            renew_time: Some(MicroTime(wall)),
            lease_transitions: Some(match (found, own) {
                (Some(_), None) => transitions.saturating_add(1),
                _ => transitions,
            }),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests;
