//! How a watch is doing, for health, metrics and those who need fresh data.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::telemetry::Metrics;

/// The state of one watch.
pub struct Link {
    name: &'static str,
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Clone, Default)]
struct State {
    /// Whether a list was ever complete.
    was_up: bool,
    is_up: bool,
    /// The last error since it was up.
    problem: Option<String>,
}

impl Link {
    /// Of a watch of `name`, which is not up yet.
    pub fn new(name: &'static str, metrics: Arc<Metrics>) -> Link {
        metrics.watch(name, false);
        Link {
            name,
            state: Mutex::default(),
            metrics,
        }
    }

    /// The API server sent a complete list, or a change.
    pub fn up(&self) {
        let before = std::mem::replace(
            &mut *self.state(),
            State {
                was_up: true,
                is_up: true,
                problem: None,
            },
        );
        if !before.is_up {
            self.metrics.watch(self.name, true);
            tracing::info!(watch = self.name, "the API server is watched");
        }
    }

    /// It failed; what is known stays.
    pub fn down(&self, problem: String) {
        let mut state = self.state();
        if state.problem.is_none() {
            tracing::warn!(
                watch = self.name,
                problem,
                "the API server is not watched; what is known stays, and it is tried again"
            );
        }
        state.is_up = false;
        state.problem = Some(problem);
        self.metrics.watch(self.name, false);
    }

    /// Whether what is known is what the API server has.
    pub fn is_up(&self) -> bool {
        self.state().is_up
    }

    /// Whether anything is known at all.
    pub fn was_up(&self) -> bool {
        self.state().was_up
    }

    /// One line for `/readyz?verbose`.
    pub fn describe(&self) -> String {
        let State {
            was_up,
            is_up,
            problem,
        } = self.state().clone();
        let problem = problem.map_or(String::new(), |problem| format!(": {problem}"));
        match (is_up, was_up) {
            (true, _) => "watched".to_owned(),
            (false, true) => format!("not watched, what is known stays{problem}"),
            (false, false) => format!("waiting for the first list{problem}"),
        }
    }

    /// `watch/NAME`.
    pub fn name(&self) -> String {
        format!("watch/{}", self.name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_apart_from_a_start() {
        let link = Link::new("namespaces", Arc::new(Metrics::default()));
        link.down("refused".into());
        assert_eq!(link.describe(), "waiting for the first list: refused");
        link.up();
        assert!(link.is_up() && link.was_up());
        link.down("reset".into());
        assert!(!link.is_up() && link.was_up());
        assert_eq!(link.describe(), "not watched, what is known stays: reset");
    }
}
