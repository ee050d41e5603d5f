//! What the host keeps beside an instance.

use super::limiter::Limiter;
use super::lookups::Looking;
use crate::policy::Failure;

/// The host's part of an instance's store.
pub(super) struct Held {
    /// What it may grow to.
    pub(super) limiter: Limiter,
    /// What it may look up; None for what imports nothing, and before it
    /// judges.
    pub(super) looking: Option<Looking>,
    /// Whether it asked for anything that it was granted.
    pub(super) looked: bool,
    /// Why a lookup was not answered, and the guest was stopped.
    pub(super) unanswered: Option<Failure>,
}

impl Held {
    pub(super) fn new(memory_bytes: usize) -> Held {
        Held {
            limiter: Limiter::new(memory_bytes),
            looking: None,
            looked: false,
            unanswered: None,
        }
    }
}
