//! How far a long command is: a bar on standard error, past a second, where
//! that is a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// When progress starts to be shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar, gone when it is dropped.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// Of so many objects.
    pub fn of(objects: usize) -> Self {
        Progress::new(Some(objects as u64), "{bar:30} {pos}/{len} objects")
    }

    /// Of nobody knows how many; [`Progress::say`] tells where it is.
    pub fn counting() -> Self {
        Progress::new(None, "{spinner} {pos} objects, {wide_msg}")
    }

    fn new(length: Option<u64>, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress {
            bar,
            started: Instant::now(),
        }
    }

    /// One object more.
    pub fn step(&self) {
        self.bar.inc(1);
        if self.bar.is_hidden() && self.started.elapsed() > PATIENCE {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        }
    }

    /// What is looked at now.
    pub fn say(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
