//! What a policy's status says. Nothing here talks to anyone.

use kube::core::DynamicObject;

use super::object;
use super::status::{Condition, InForce, Status};
use crate::policy::{Cause, Failure, FailurePolicy};

/// The condition that speaks of loading.
pub const LOADED: &str = "Loaded";

/// What came of a policy.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is in force as it is written.
    Loaded(InForce),
    /// It does not load, and goes on in this earlier form.
    Stale(Failure, InForce),
    /// It does not load; this answers.
    Failing(Failure, FailurePolicy),
}

impl Outcome {
    /// Why it does not load, if it does not.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Loaded(_) => None,
            Outcome::Stale(failure, _) | Outcome::Failing(failure, _) => Some(failure),
        }
    }
}

/// The status of a policy, as far as loading goes; None if it says so already.
/// `now` is the time in RFC 3339.
pub fn status(object: &DynamicObject, outcome: &Outcome, now: &str) -> Option<Status> {
    let before = object::status(object);
    let generation = object::generation(object);
    let mut condition = condition(outcome, generation, now);
    let known = before.condition(LOADED);
    if let Some(known) = known.filter(|known| known.status == condition.status) {
        condition
            .last_transition_time
            .clone_from(&known.last_transition_time);
    }
    let program = object::read(object).map(|(found, _)| found.resource.spec.program.to_string());
    let after = Status {
        observed_generation: Some(generation),
        program,
        in_force: record(&before, outcome),
        conditions: vec![condition],
    };
    let is_known = known == after.conditions.first()
        && before.observed_generation == after.observed_generation
        && before.program == after.program
        && before.in_force == after.in_force;
    (!is_known).then_some(after)
}

/// One that fails keeps its record: others may still decide by it, and what
/// kept it from loading here may pass. A grant that was withdrawn is checked
/// where the record is used.
fn record(before: &Status, outcome: &Outcome) -> Option<InForce> {
    let known = before.in_force.as_ref();
    match outcome {
        Outcome::Loaded(record) | Outcome::Stale(_, record) => {
            // The API server may write a number otherwise than we do.
            let same = known.filter(|known| {
                (known.generation, &known.digest) == (record.generation, &record.digest)
            });
            Some(same.unwrap_or(record).clone())
        }
        Outcome::Failing(..) => known.cloned(),
    }
}

fn condition(outcome: &Outcome, generation: i64, now: &str) -> Condition {
    let (status, reason, message) = match outcome {
        Outcome::Loaded(_) => (
            "True",
            "Loaded",
            "it is in force as it is written".to_owned(),
        ),
        Outcome::Stale(failure, record) => (
            "False",
            reason(failure.cause),
            format!(
                "{}; generation {} stays in force",
                end(&failure.message),
                record.generation
            ),
        ),
        Outcome::Failing(failure, failure_policy) => (
            "False",
            reason(failure.cause),
            format!(
                "{}; requests that it matches are answered by failurePolicy {failure_policy}",
                end(&failure.message)
            ),
        ),
    };
    Condition {
        r#type: LOADED.to_owned(),
        status: status.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: now.to_owned(),
        reason: reason.to_owned(),
        message,
    }
}

fn end(message: &str) -> &str {
    message.trim_end_matches(['.', ';', ' '])
}

/// One word, as conditions and events want it.
pub fn reason(cause: Cause) -> &'static str {
    match cause {
        Cause::Source => "ProgramMissing",
        Cause::Program | Cause::Import | Cause::Description => "ProgramRefused",
        Cause::Grant => "GrantMissing",
        Cause::Settings => "SettingsRefused",
        Cause::Deadline | Cause::Memory | Cause::Trap => "InitFailed",
        _ => "LoadFailed",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Digest;

    const EARLIER: &str = "2026-01-01T00:00:00Z";
    const NOW: &str = "2026-01-02T00:00:00Z";

    fn policy(generation: i64, status: &Status) -> DynamicObject {
        let spec = json!({"program": {"builtin": "image-tags"}});
        let mut object = DynamicObject::new("tags", &object::resource())
            .data(json!({"spec": spec, "status": status}));
        object.metadata.generation = Some(generation);
        object
    }

    fn record(generation: i64) -> InForce {
        let digest = Digest::of(b"code");
        InForce {
            generation,
            digest,
            spec: serde_json::Map::new(),
        }
    }

    fn broken() -> Failure {
        Failure::guest(Cause::Settings, "`allow`: write a list.")
    }

    #[test]
    fn a_policy_that_loads_is_recorded_once() {
        let outcome = Outcome::Loaded(record(1));
        let first = status(&policy(1, &Status::default()), &outcome, EARLIER).expect("news");
        assert_eq!(first.observed_generation, Some(1));
        assert_eq!(first.program.as_deref(), Some("image-tags"));
        assert_eq!(first.in_force, Some(record(1)));
        assert_eq!(status(&policy(1, &first), &outcome, NOW), None);
    }

    #[test]
    fn a_bad_change_keeps_the_record_of_what_is_in_force() {
        let loaded = Outcome::Loaded(record(1));
        let good = status(&policy(1, &Status::default()), &loaded, EARLIER).expect("news");
        let stale = Outcome::Stale(broken(), record(1));
        let bad = status(&policy(2, &good), &stale, NOW).expect("news");
        assert_eq!(bad.in_force, Some(record(1)));
        let condition = bad.condition(LOADED).expect("a condition");
        assert_eq!(
            (&*condition.status, &*condition.reason),
            ("False", "SettingsRefused")
        );
        assert_eq!(
            condition.message,
            "`allow`: write a list; generation 1 stays in force"
        );
        assert_eq!(condition.last_transition_time, NOW);
        // A further bad change is no transition.
        let later = status(&policy(3, &bad), &stale, "2026-01-03T00:00:00Z").expect("news");
        let condition = later.condition(LOADED).expect("a condition");
        assert_eq!(condition.last_transition_time, NOW);
        assert_eq!(condition.observed_generation, Some(3));
    }

    #[test]
    fn a_policy_that_never_loaded_says_who_answers() {
        let failing = Outcome::Failing(broken(), FailurePolicy::Ignore);
        let status = status(&policy(1, &Status::default()), &failing, NOW).expect("news");
        assert_eq!(status.in_force, None);
        let condition = status.condition(LOADED).expect("a condition");
        assert!(
            condition.message.ends_with("failurePolicy Ignore"),
            "{}",
            condition.message
        );
    }
}
