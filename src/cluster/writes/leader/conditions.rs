//! What the leader says of itself, in the state, in the log and in metrics.

use std::collections::BTreeSet;

use k8s_openapi::jiff::Timestamp;

use super::{Leader, Registered};
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

    /// Says it in the state, and to whoever writes the statuses of policies.
    pub(super) fn say_registered(&self, state: &mut State, problem: Option<&str>, now: Timestamp) {
        let (status, reason, message) = match problem {
            Some(problem) => (false, "Problem", problem.to_owned()),
            None if state.is_paused() => (false, "Away", away_line(state)),
            None if self.open_since.is_empty() => (true, "AsAsked", String::new()),
            None => match &self.open_because {
                Some(because) => (true, "SelfCallFailed", because.clone()),
                None => {
                    let line = "failurePolicy is Ignore at first";
                    (true, "FailsOpen", line.to_owned())
                }
            },
        };
        state.say("Registered", status, reason, &message, &now.to_string());
        let registered = Registered {
            status,
            reason,
            message,
        };
        self.told.send_if_modified(|told| {
            let is_news = told.as_ref() != Some(&registered);
            *told = Some(registered);
            is_news
        });
    }
}
