//! What one instance may grow to.

use wasmtime::ResourceLimiter;

/// Holds an instance to its limits and remembers that it hit one, so that a
/// guest which aborts for want of memory is told apart from one that panics.
pub(super) struct Limiter {
    memory_bytes: usize,
    /// The guest asked for more than its limit.
    pub(super) refused: bool,
}

impl Limiter {
    pub(super) fn new(memory_bytes: usize) -> Self {
        Limiter {
            memory_bytes,
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
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.allow(desired, self.memory_bytes)
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
