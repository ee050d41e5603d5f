//! What something takes of late.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A moving average, in nanoseconds: an eighth of it is what came last.
pub(super) struct Usual(AtomicU64);

impl Usual {
    /// Before anything was learnt.
    pub(super) fn starting_at(first: Duration) -> Usual {
        Usual(AtomicU64::new(nanos(first)))
    }

    /// Threads may overtake each other here: it is an estimate.
    pub(super) fn learn(&self, took: Duration) {
        let before = self.0.load(Ordering::Relaxed);
        let sum = (7 * before).saturating_add(nanos(took));
        self.0.store(sum / 8, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Small enough to be multiplied.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).map_or(u64::MAX / 8, |nanos| nanos.min(u64::MAX / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_comes_and_is_not_moved_far_by_one() {
        let usual = Usual::starting_at(Duration::ZERO);
        usual.learn(Duration::from_micros(800));
        assert_eq!(usual.get(), Duration::from_micros(100));
        (0..100).for_each(|_| usual.learn(Duration::from_micros(8)));
        assert!(usual.get() < Duration::from_micros(9), "{:?}", usual.get());
        (0..100).for_each(|_| usual.learn(Duration::MAX));
        assert!(usual.get() > Duration::from_secs(3600));
    }
}
