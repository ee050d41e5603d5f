//! SIGTERM and SIGINT.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for an end. From when it is made on, none is lost.
pub struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals from now on; until then they end the process.
    ///
    /// # Errors
    ///
    /// If the operating system does not let them be taken.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn install() -> std::io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The number of the next SIGTERM or SIGINT.
    pub async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.term.recv() => 15,
            _ = self.interrupt.recv() => 2,
        }
    }
}
