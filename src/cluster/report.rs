//! What a policy's status says. Nothing here talks to anyone.

use kube::core::DynamicObject;

use super::object;
use super::status::{Condition, InForce, Status};
use super::writes::Registered;
use crate::policy::{Cause, Failure, FailurePolicy};

/// The condition that speaks of loading.
pub const LOADED: &str = "Loaded";
/// The condition that speaks of the webhook configurations.
const REGISTERED: &str = "Registered";

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

/// The status of a policy; None if it says so already. `now` is the time in
/// RFC 3339. Where nobody knows what is registered, what was said of it stays.
pub fn status(
    object: &DynamicObject,
    outcome: &Outcome,
    registered: Option<&Registered>,
    now: &str,
) -> Option<Status> {
    let before = object::status(object);
    let generation = object::generation(object);
    let program = object::read(object).map(|(found, _)| found.resource.spec.program.to_string());
    let said = before.condition(REGISTERED).cloned();
    let registered = registered.map(|registered| of_registration(registered, generation, now));
    let conditions = [
        Some(of_loading(outcome, generation, now)),
        registered.or(said),
    ];
    let since = |condition: Condition| Condition {
        last_transition_time: since(&before, &condition),
        ..condition
    };
    let after = Status {
        observed_generation: Some(generation),
        program,
        in_force: record(&before, outcome),
        conditions: conditions.into_iter().flatten().map(since).collect(),
    };
    let says = |one: &Condition| before.condition(&one.r#type) == Some(one);
    let is_known = after.conditions.iter().all(says)
        && before.observed_generation == after.observed_generation
        && before.program == after.program
        && before.in_force == after.in_force;
    (!is_known).then_some(after)
}

/// When a condition came to have its status.
fn since(before: &Status, condition: &Condition) -> String {
    let known = before.condition(&condition.r#type);
    let known = known.filter(|known| known.status == condition.status);
    known.unwrap_or(condition).last_transition_time.clone()
}

fn of_registration(registered: &Registered, generation: i64, now: &str) -> Condition {
    let message = match registered.message.as_str() {
        "" => "the API server asks Portcullis, and fails as it is written",
        message => message,
    };
    Condition {
        r#type: REGISTERED.to_owned(),
        status: if registered.status { "True" } else { "False" }.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: now.to_owned(),
        reason: registered.reason.to_owned(),
        message: message.to_owned(),
    }
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

fn of_loading(outcome: &Outcome, generation: i64, now: &str) -> Condition {
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
        let first = status(&policy(1, &Status::default()), &outcome, None, EARLIER).expect("news");
        assert_eq!(first.observed_generation, Some(1));
        assert_eq!(first.program.as_deref(), Some("image-tags"));
        assert_eq!(first.in_force, Some(record(1)));
        assert_eq!(status(&policy(1, &first), &outcome, None, NOW), None);
    }

    #[test]
    fn a_bad_change_keeps_the_record_of_what_is_in_force() {
        let loaded = Outcome::Loaded(record(1));
        let good = status(&policy(1, &Status::default()), &loaded, None, EARLIER).expect("news");
        let stale = Outcome::Stale(broken(), record(1));
        let bad = status(&policy(2, &good), &stale, None, NOW).expect("news");
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
        let later = status(&policy(3, &bad), &stale, None, "2026-01-03T00:00:00Z").expect("news");
        let condition = later.condition(LOADED).expect("a condition");
        assert_eq!(condition.last_transition_time, NOW);
        assert_eq!(condition.observed_generation, Some(3));
    }

    #[test]
    fn a_policy_that_never_loaded_says_who_answers() {
        let failing = Outcome::Failing(broken(), FailurePolicy::Ignore);
        let status = status(&policy(1, &Status::default()), &failing, None, NOW).expect("news");
        assert_eq!(status.in_force, None);
        let condition = status.condition(LOADED).expect("a condition");
        assert!(
            condition.message.ends_with("failurePolicy Ignore"),
            "{}",
            condition.message
        );
    }

    #[test]
    fn what_is_registered_is_said_until_something_else_is() {
        let loaded = Outcome::Loaded(record(1));
        let registered = |status, message: &str| Registered {
            status,
            reason: "Reason",
            message: message.to_owned(),
        };
        let good = registered(true, "");
        let first = status(
            &policy(1, &Status::default()),
            &loaded,
            Some(&good),
            EARLIER,
        );
        let first = first.expect("news");
        let condition = first.condition(REGISTERED).expect("a condition");
        assert_eq!(condition.status, "True");
        assert!(!condition.message.is_empty());
        for known in [Some(&good), None] {
            assert_eq!(status(&policy(1, &first), &loaded, known, NOW), None);
        }
        let away = registered(false, "it is paused");
        let later = status(&policy(1, &first), &loaded, Some(&away), NOW).expect("news");
        let condition = later.condition(REGISTERED).expect("a condition");
        assert_eq!(
            (&*condition.status, &*condition.message),
            ("False", "it is paused")
        );
        assert_eq!(condition.last_transition_time, NOW);
        let loading = later.condition(LOADED).expect("a condition");
        assert_eq!(loading.last_transition_time, EARLIER);
    }
}
