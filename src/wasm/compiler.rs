//! Compiling a policy: `init`, the snapshot, machine code.
//!
//! What takes long here, and how much memory, is up to the guest. So the
//! executable does it in a child, another run of itself, that can be killed;
//! a library without that executable (tests, xtask) does it in its own
//! process. The child bounds time and memory. It is no second sandbox: its
//! compiler is ours and is believed as ours is.

mod child;
mod wire;

use wasmtime::Engine;

pub use child::answer_order;
pub(super) use child::{Child, FromChild};

use super::code::{Start, not_ours};
use super::machine::MachineCode;
use super::snapshot::{self, Snapshot};
use crate::policy::Failure;
use crate::policy::spec::Limits;

/// What is to be compiled.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) component: &'a [u8],
    pub(super) settings: &'a str,
    /// Those of the policy; `init` keeps to its memory.
    pub(super) limits: Limits,
}

/// Compiles in this process, with no limit on the compiler's own time.
///
/// # Errors
///
/// A component that is no policy, and whatever its `init` ends with.
pub(super) fn compile(target: &Engine, order: Order<'_>) -> Result<(MachineCode, Start), Failure> {
    let taken = snapshot::take(order.component, order.settings, order.limits)?;
    let (component, start) = match &taken {
        Snapshot::Taken(component) => (&component[..], Start::Snapshot),
        Snapshot::Impossible(_) => (order.component, Start::Init),
    };
    let machine = MachineCode::compile(target, component).map_err(not_ours)?;
    Ok((machine, start))
}
