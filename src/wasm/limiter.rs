//! What one instance may grow to.

use wasmtime::ResourceLimiter;

/// Holds an instance to its limits and remembers that it hit one, so that a
/// guest which aborts for want of memory is told apart from one that panics.
pub(super) struct Limiter {
    memory_bytes: usize,
    /// What all memories of the instance have together.
    memory_in_use: usize,
    /// The guest asked for more than its limit.
    pub(super) refused: bool,
}

impl Limiter {
    pub(super) fn new(memory_bytes: usize) -> Self {
        Limiter {
            memory_bytes,
            memory_in_use: 0,
            refused: false,
        }
    }

    pub(super) fn memory_mebibytes(&self) -> usize {
        self.memory_bytes / 1024 / 1024
    }

    fn allow(&mut self, desired: usize, most: usize) -> wasmtime::Result<bool> {
        let allowed = desired <= most;
        self.refused |= !allowed;
        Ok(allowed)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let together = self
            .memory_in_use
            .saturating_add(desired.saturating_sub(current));
        let allowed = self.allow(together, self.memory_bytes)?;
        if allowed {
            self.memory_in_use = together;
        }
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.allow(desired, 10_000)
    }
}
