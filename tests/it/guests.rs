//! Guests that misbehave, and what the host makes of them.

mod answers;
mod asking;
mod bounds;
mod caches;
pub(crate) mod children;
mod judging;
mod loading;
mod lookups;
mod marks;
mod named;
mod patches;
mod shapes;
pub(crate) mod text;

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use portcullis::policy::spec::Limits;
use portcullis::policy::{Evaluate, Failure};
use portcullis::wasm::{Engine, Loaded, Program};
use portcullis_contract::Verdict;
use serde_json::Map;
use text::Guest;

static ENGINE: LazyLock<Arc<Engine>> =
    LazyLock::new(|| Arc::new(Engine::new().expect("an engine")));

/// How long an evaluation may take.
const DEADLINE: Duration = Duration::from_millis(100);

/// How late it may be stopped: the figures, for a busy machine, and
/// with `PORTCULLIS_FULL=1` for one that does nothing else.
fn late() -> Duration {
    Duration::from_millis(if is_full() { 10 } else { 50 })
}

/// Whether the slow tests run.
pub(crate) fn is_full() -> bool {
    std::env::var_os("PORTCULLIS_FULL").is_some_and(|value| value == "1")
}

fn load(guest: &Guest) -> Result<Loaded, Failure> {
    Loaded::new(&ENGINE, &guest.component())
}

fn program(guest: &Guest) -> Result<Program, Failure> {
    program_of(&guest.component())
}

fn program_of(component: &[u8]) -> Result<Program, Failure> {
    Loaded::new(&ENGINE, component)?.program(
        &Map::new(),
        Limits {
            memory_mebibytes: 16,
            ..Limits::default()
        },
    )
}

fn evaluate(guest: &Guest) -> Result<Verdict, Failure> {
    let program = program(guest).expect("it loads");
    // A busy machine may keep any thread waiting for longer than that: there,
    // the quickest of a few counts.
    let attempts = if is_full() { 1 } else { 4 };
    let mut quickest = Duration::MAX;
    for _ in 0..attempts {
        let started = Instant::now();
        let result = program.evaluate("{}", started + DEADLINE);
        let took = started.elapsed();
        if took < DEADLINE + late() {
            return result;
        }
        quickest = quickest.min(took);
    }
    panic!("stopped after {quickest:?} at the soonest");
}

/// The engine still serves a guest that behaves.
fn assert_unharmed() {
    assert_eq!(evaluate(&Guest::default()), Ok(Verdict::default()));
}
