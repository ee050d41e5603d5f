//! What the leader says of itself, in the state, in the log and in metrics.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;

use super::Leader;
use crate::cluster::registrations::away_line;
use crate::cluster::safety::{self, Need};
use crate::cluster::state::State;

impl Leader {
    pub(super) fn say_withheld(
        &self,
        state: &mut State,
        judged: Option<&BTreeSet<Need>>,
        now: Timestamp,
    ) {
        let Some(judged) = judged else {
            return;
        };
        let names = judged.iter().map(|need| need.namespace.clone()).collect();
        let at = now.to_string();
        if judged.is_empty() {
            state.say("FailWithheld", false, "AsAsked", "", &at);
        } else {
            let line = safety::line(judged);
            if state.withheld_by != names {
                tracing::warn!("{line}");
            }
            state.say("FailWithheld", true, "NeededToStart", &line, &at);
        }
        state.withheld_by = names;
    }

    pub(super) fn say_registered(&self, state: &mut State, problem: Option<&str>, now: Timestamp) {
        let at = now.to_string();
        match problem {
            Some(problem) => state.say("Registered", false, "Problem", problem, &at),
            None if state.is_paused() => {
                let line = away_line(state);
                state.say("Registered", false, "Away", &line, &at);
            }
            None if self.open_since.is_empty() => state.say("Registered", true, "AsAsked", "", &at),
            None => {
                let because = self.open_because.as_deref();
                let line = because.unwrap_or("failurePolicy is Ignore at first");
                state.say("Registered", true, "FailsOpen", line, &at);
            }
        }
    }
}
