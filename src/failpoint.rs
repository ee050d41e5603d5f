//! Where a process ends in the middle of a relocation, and how late it takes it to be: for
//! tests, and nothing at all in a release.
//!
//! `PORTCULLIS_STOP_FILE` names a file. Once it says `MOMENT N`, the process kills itself
//! (SIGKILL: nothing is said goodbye to) when it comes to that moment for the Nth time since.
//! The file is gone then, so that nobody takes another end for this one.

use portcullis_relocation::moments::Moment;

/// This moment is now.
pub(crate) fn reached(moment: Moment) {
    #[cfg(debug_assertions)]
    armed::reached(moment);
    #[cfg(not(debug_assertions))]
    let _ = moment;
}

/// This moment is when what is answered now has left the process.
pub(crate) fn leaving(moment: Moment) {
    #[cfg(debug_assertions)]
    armed::leaving(moment);
    #[cfg(not(debug_assertions))]
    let _ = moment;
}

/// By how many seconds the clock that collection goes by is put forward.
pub(crate) fn seconds_ahead() -> i64 {
    #[cfg(debug_assertions)]
    return armed::seconds_ahead();
    #[cfg(not(debug_assertions))]
    0
}

#[cfg(debug_assertions)]
mod armed {
    use std::path::PathBuf;
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::Duration;

    use portcullis_relocation::moments::Moment;
    use rustix::process::{Signal, getpid, kill_process};

    /// The variable that names the file.
    const STOP_FILE: &str = "PORTCULLIS_STOP_FILE";
    /// The variable that says how many seconds.
    const SECONDS_AHEAD: &str = "PORTCULLIS_SECONDS_AHEAD";
    /// An answer has left the process after that, and the API server has not always committed.
    const WAY: Duration = Duration::from_millis(3);

    static FILE: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os(STOP_FILE).map(PathBuf::from));

    /// What the file said last, and how often its moment came since.
    static SEEN: Mutex<(String, u32)> = Mutex::new((String::new(), 0));

    pub(super) fn reached(moment: Moment) {
        let Some(file) = FILE.as_ref() else { return };
        let said = std::fs::read_to_string(file).unwrap_or_default();
        let Some((name, number)) = said.trim().split_once(' ') else {
            return;
        };
        if name != moment.name() {
            return;
        }
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != said {
            *seen = (said.clone(), 0);
        }
        seen.1 += 1;
        // Whoever removes the file is the one that ends.
        if seen.1.to_string() == number && std::fs::remove_file(file).is_ok() {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }

    pub(super) fn leaving(moment: Moment) {
        if FILE.is_some() {
            tokio::spawn(async move {
                tokio::time::sleep(WAY).await;
                reached(moment);
            });
        }
    }

    pub(super) fn seconds_ahead() -> i64 {
        let said = std::env::var(SECONDS_AHEAD);
        said.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}
