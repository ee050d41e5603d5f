//! What the child may cost, set by itself before it reads a byte.

use std::io;

use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, nice, set_parent_process_death_signal, setrlimit,
};

/// Address space, in bytes.
pub(super) const MEMORY: u64 = 2 * 1024 * 1024 * 1024;
/// Compiling gives way to answering.
const NICENESS: i32 = 10;

/// Takes from this process what a compiler has no use for: memory beyond
/// [`MEMORY`], and a life beyond its parent's.
pub(super) fn confine() -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    lower(Resource::As, MEMORY)?;
    lower(Resource::Core, 0)?;
    // Where memory runs out, it is not the server that is killed. Neither this
    // nor niceness is something that safety hangs on.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let _ = nice(NICENESS);
    Ok(())
}

/// Never above what this process was given.
fn lower(resource: Resource, most: u64) -> io::Result<()> {
    let given = getrlimit(resource).maximum;
    let most = Some(given.map_or(most, |given| given.min(most)));
    let limit = Rlimit {
        current: most,
        maximum: most,
    };
    Ok(setrlimit(resource, limit)?)
}
