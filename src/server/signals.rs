//! SIGTERM and SIGINT.

use tokio::signal::unix::{SignalKind, signal};

/// Returns at the next SIGTERM or SIGINT.
async fn next_signal() -> i32 {
    let (Ok(mut term), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        // Without handlers the signals end the process by themselves.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => 15,
        _ = interrupt.recv() => 2,
    }
}

/// Returns at the first signal: drain.
pub async fn first_signal() {
    let number = next_signal().await;
    tracing::info!(signal = number, "draining");
}

/// Returns at the second signal, with the exit code of a process that it
/// ends: do not wait any longer. Call it after [`first_signal`].
pub async fn second_signal() -> i32 {
    128 + next_signal().await
}
