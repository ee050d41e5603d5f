//! How long a guest may run.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use super::engine::TICK;

/// How many times its limit the compilation of a guest may take that a busy
/// machine kept from running.
pub(super) const STARVED: u32 = 4;

/// The same of a guest that nobody waits for. A guest cannot sleep, so that it
/// is only ever kept waiting by others: on two cores with a load of eight,
/// `check` saw 100 ms take more than four times as long.
const GUEST_STARVED: u32 = 20;

/// When a guest is stopped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    pub(super) deadline: Instant,
    /// Whether it gets on top what a busy machine took from it.
    pub(super) is_patient: bool,
}

impl Until {
    /// At that moment: somebody waits for an answer.
    pub(super) fn at(deadline: Instant) -> Until {
        Until {
            deadline,
            is_patient: false,
        }
    }

    /// After that much of the processor's time from now on, up to twenty times
    /// as much by the clock: nobody waits, and what is decided lasts.
    pub(super) fn after(given: Duration) -> Until {
        Until {
            deadline: Instant::now() + given,
            is_patient: true,
        }
    }
}

/// What a guest is owed that a busy machine kept from running. It is made on
/// the thread that runs the guest.
pub(super) struct Patience {
    given: Duration,
    used: Duration,
    last: Instant,
}

impl Patience {
    pub(super) fn until(deadline: Instant) -> Patience {
        let given = deadline.saturating_duration_since(Instant::now());
        Patience {
            given,
            used: ThreadTime::now().as_duration(),
            last: deadline + given * (GUEST_STARVED - 1),
        }
    }

    /// Until when it may go on.
    pub(super) fn more(&self, now: Instant) -> Instant {
        let used = ThreadTime::now().as_duration().saturating_sub(self.used);
        let owed = self.given.saturating_sub(used);
        if owed > TICK {
            (now + owed).min(self.last)
        } else {
            now
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_kept_waiting_is_owed_the_time_but_not_for_ever() {
        let given = Duration::from_secs(100);
        let deadline = Instant::now() + given;
        let patience = Patience::until(deadline);
        // Nothing of it was used.
        let more = patience.more(deadline);
        assert!(more > deadline + given * 9 / 10, "{:?}", more - deadline);
        let late = deadline + given * GUEST_STARVED;
        assert!(patience.more(late) <= late);
    }

    #[test]
    fn who_used_its_time_is_owed_nothing() {
        let given = Duration::from_millis(5);
        let started = Instant::now();
        let patience = Patience::until(started + given);
        let used = ThreadTime::now();
        while used.elapsed() < given {
            std::hint::spin_loop();
        }
        let now = Instant::now();
        assert_eq!(patience.more(now), now);
    }
}
