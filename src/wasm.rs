//! Guests: from the bytes of a component to verdicts.
//!
//! The only room that knows wasmtime. It does not know where bytes come from,
//! nor what a verdict leads to. Three lifetimes: one [`Engine`] a process,
//! one [`Loaded`] a component, one [`Program`] a policy (component and
//! settings); every evaluation gets a fresh instance, and nothing of it
//! survives.
//!
//! Invariant: whatever a guest does, it costs at most its deadline and its
//! memory, and ends as a verdict or as a `Failure` that names the blame.

mod assemble;
pub mod cache;
mod code;
mod compiler;
mod engine;
mod held;
mod inspect;
mod instances;
mod limiter;
mod lookups;
mod machine;
mod output;
mod program;
mod snapshot;
mod trial;
mod until;

pub use assemble::assemble;
pub use code::Start;
pub use compiler::answer_order;
pub use engine::{AddressSpace, Engine};
pub use inspect::{Inspected, inspect};
pub use program::{Loaded, Program};
pub use trial::Trial;

/// The largest component that is loaded, in bytes (reliability.md, section 5).
pub const MAX_COMPONENT_BYTES: usize = 8 * 1024 * 1024;
/// The largest answer that is read, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
