//! One engine a process: wasmtime's settings, and the clock that stops guests.

use std::fmt;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store, Trap,
    UpdateDeadline,
};

use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::compiler::Child;
use super::until::{Patience, Until};
use crate::policy::spec::Limits;

/// The epoch's tick. A deadline is met to about one of them.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// Instances that can be alive at once. Evaluations run on a few threads,
/// one instance each; the rest keeps slots warm for every policy (wasm.md:
/// slots >= policies x concurrent evaluations).
const SLOTS: u32 = 256;
/// Memory of a slot that stays mapped between two evaluations (wasm.md, A).
const KEEP_RESIDENT: usize = 1024 * 1024;
/// Elements of one table.
const TABLE_ELEMENTS: usize = 10_000;
/// Core instances in one component: those of JavaScript and Python have
/// several.
const CORE_INSTANCES: u32 = 8;
/// A guest's stack.
const STACK: usize = 512 * 1024;

const GIB: u64 = 1024 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// How guests' memories are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AddressSpace {
    /// Pooled, 4 GiB reserved for each: no bounds checks, the quickest.
    Reserved,
    /// Pooled, 64 MiB reserved for each: every access is checked.
    Checked,
    /// Allocated for each evaluation: where address space is scarce.
    OnDemand,
}

/// Runs guests. One a process.
pub struct Engine {
    engine: wasmtime::Engine,
    space: AddressSpace,
    ticker: Option<JoinHandle<()>>,
    stop: crossbeam_channel::Sender<()>,
    embedded: &'static [&'static [u8]],
    cache: Option<Cache>,
    child: Option<Child>,
    is_patient: bool,
}

/// No engine could be made, in any layout.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine does not start on this machine")]
pub struct Error(#[source] wasmtime::Error);

impl Engine {
    /// An engine in the quickest layout that this machine has room for.
    ///
    /// # Errors
    ///
    /// If it has room for none, or gives no thread for the clock.
    pub fn new() -> Result<Engine, Error> {
        Engine::with_slots(SLOTS)
    }

    /// The same with room for that many instances at once, where it is pooled;
    /// [`Engine::new`] has 256.
    ///
    /// # Errors
    ///
    /// As [`Engine::new`].
    pub fn with_slots(slots: u32) -> Result<Engine, Error> {
        let layouts = [AddressSpace::Reserved, AddressSpace::Checked];
        for space in layouts {
            let mut config = config(space);
            config.allocation_strategy(pooled(slots));
            if let Ok(engine) = wasmtime::Engine::new(&config) {
                return Engine::start(engine, space);
            }
        }
        let space = AddressSpace::OnDemand;
        Engine::start(wasmtime::Engine::new(&config(space)).map_err(Error)?, space)
    }

    fn start(engine: wasmtime::Engine, space: AddressSpace) -> Result<Engine, Error> {
        let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
        let weak = engine.weak();
        let (started, mut ticks) = (Instant::now(), 0);
        let tick = move || {
            // A closed channel ends the wait; a timeout is the next tick.
            while stopped.recv_timeout(TICK) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
                let Some(engine) = weak.upgrade() else { break };
                // Where others keep this thread waiting, ticks are made up for:
                // deadlines are times, not a number of its turns.
                let due = started.elapsed().as_millis();
                while ticks < due {
                    engine.increment_epoch();
                    ticks += 1;
                }
            }
        };
        let ticker = std::thread::Builder::new()
            .name("epoch".into())
            .spawn(tick)
            .map_err(|error| Error(error.into()))?;
        Ok(Engine {
            engine,
            space,
            ticker: Some(ticker),
            stop,
            embedded: &[],
            cache: None,
            child: None,
            is_patient: false,
        })
    }

    /// An engine for what runs once: it compiles quickly and reserves
    /// nothing.
    pub(super) fn scratch() -> Result<Engine, Error> {
        let space = AddressSpace::OnDemand;
        let mut config = config(space);
        config.cranelift_opt_level(OptLevel::None);
        Engine::start(wasmtime::Engine::new(&config).map_err(Error)?, space)
    }

    /// The same, which takes code from where it is compiled already: what
    /// `build.rs` embedded (see [`super::Loaded::precompile`]), then the cache, which
    /// also keeps what is compiled from now on.
    #[must_use]
    pub fn with_code(mut self, embedded: &'static [&'static [u8]], cache: Option<Cache>) -> Engine {
        self.embedded = embedded;
        self.cache = cache;
        self
    }

    /// The same, which compiles in children that are limited in time and
    /// memory. Only for the executable that answers `compile-policy` with
    /// [`super::answer_order`]: the children run it.
    #[must_use]
    pub fn with_children(mut self) -> Engine {
        self.child = Some(Child::of_this_executable());
        self
    }

    /// The same, which counts the processor's time against a deadline where a
    /// busy machine keeps guests waiting (up to twenty times the deadline). For
    /// audits, whose verdicts must not hang on what else runs; callers of a
    /// server have no time for it.
    #[must_use]
    pub fn with_patience(mut self) -> Engine {
        self.is_patient = true;
        self
    }

    pub(super) fn child(&self) -> Option<&Child> {
        self.child.as_ref()
    }

    pub(super) fn embedded(&self) -> &'static [&'static [u8]] {
        self.embedded
    }

    /// What was wrong first with the cache, see [`Cache::problem`].
    pub fn cache_problem(&self) -> Option<&str> {
        self.cache.as_ref()?.problem()
    }

    pub(super) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// How guests' memories are laid out here.
    pub fn address_space(&self) -> AddressSpace {
        self.space
    }

    /// Whether dirty pages are found by `PAGEMAP_SCAN` (Linux 6.7 and later)
    /// when an instance is reset, and not by writing all of them.
    pub fn scans_pagemap(&self) -> bool {
        self.space != AddressSpace::OnDemand && PoolingAllocationConfig::is_pagemap_scan_available()
    }

    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.engine
    }

    /// Has what runs in a store stopped then: never before the deadline, even if
    /// the clock makes up for ticks, and hardly later, unless somebody is
    /// patient.
    pub(super) fn stop_at<T: 'static>(&self, store: &mut Store<T>, until: Until) {
        let deadline = until.deadline;
        store.set_epoch_deadline(Engine::ticks_until(deadline));
        let is_patient = self.is_patient || until.is_patient;
        let patience = is_patient.then(|| Patience::until(deadline));
        store.epoch_deadline_callback(move |_| {
            let now = Instant::now();
            let more = patience.as_ref().map(|patience| patience.more(now));
            let until = more.unwrap_or(now).max(deadline);
            if now < until {
                return Ok(UpdateDeadline::Continue(Engine::ticks_until(until)));
            }
            Err(Trap::Interrupt.into())
        });
    }

    /// `deadline` in ticks from now.
    fn ticks_until(deadline: Instant) -> u64 {
        let left = deadline.saturating_duration_since(Instant::now());
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX / 2) + 1
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let (closed, _) = crossbeam_channel::bounded(0);
        self.stop = closed;
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
        }
    }
}

impl fmt::Display for Engine {
    /// The start-up line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reset = if self.scans_pagemap() {
            "by PAGEMAP_SCAN"
        } else {
            "without PAGEMAP_SCAN"
        };
        match self.space {
            AddressSpace::Reserved => write!(f, "pooled, 4 GiB reserved each, reset {reset}"),
            AddressSpace::Checked => {
                write!(
                    f,
                    "pooled, 64 MiB reserved each with bounds checks, reset {reset}"
                )
            }
            AddressSpace::OnDemand => f.write_str("allocated on demand"),
        }
    }
}

/// Compiles for the quickest layout and any CPU of the architecture that this
/// program was built for; runs nothing.
///
/// # Errors
///
/// If wasmtime has no compiler for the architecture.
pub(super) fn baseline() -> wasmtime::Result<wasmtime::Engine> {
    let mut config = config(AddressSpace::Reserved);
    config.target(env!("PORTCULLIS_TARGET"))?;
    wasmtime::Engine::new(&config)
}

/// Compiles for this machine and a layout, of which it reserves nothing; runs
/// nothing.
pub(super) fn compiler(space: AddressSpace) -> wasmtime::Result<wasmtime::Engine> {
    wasmtime::Engine::new(&config(space))
}

/// The settings that wasm.md measured, and the features that a policy has no
/// use for switched off: each is surface (reliability.md, section 5). Memory is
/// allocated on demand until [`pooled`] is asked for.
fn config(space: AddressSpace) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_tail_call(false)
        .wasm_relaxed_simd(false)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        .concurrency_support(false)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .max_wasm_stack(STACK)
        .wasm_backtrace_max_frames(None)
        // Nobody reads backtraces of guests: a tenth of their code less.
        .generate_address_map(false)
        .native_unwind_info(false)
        .memory_guard_size(32 * MIB);
    match space {
        AddressSpace::Reserved => {
            config.memory_reservation(4 * GIB);
        }
        AddressSpace::Checked => {
            config.memory_reservation(64 * MIB).memory_guard_size(0);
        }
        AddressSpace::OnDemand => {
            config
                .memory_reservation(0)
                .memory_guard_size(0)
                .memory_reservation_for_growth(MIB);
        }
    }
    config
}

fn pooled(slots: u32) -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots)
        .total_memories(slots)
        .total_tables(slots)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(CORE_INSTANCES)
        .max_tables_per_component(CORE_INSTANCES)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(Limits::MEMORY_MEBIBYTES as usize * MIB as usize)
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(64 * 1024)
        .pagemap_scan(Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}
