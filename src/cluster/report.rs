//! What a policy's status says. Nothing here talks to anyone.

use kube::core::DynamicObject;

use super::notices::Notice;
use super::object;
use super::others::Answered;
use super::status::{Condition, InForce, Status};
use super::writes::Registered;
use crate::policy::lookup::Unseen;
use crate::policy::{Cause, Failure, FailurePolicy};

/// The condition that speaks of loading.
pub const LOADED: &str = "Loaded";
/// The condition that speaks of the webhook configurations.
const REGISTERED: &str = "Registered";
/// The condition that speaks of what the policy looks up; absent where that is
/// nothing.
pub const ANSWERED: &str = "LookupsAnswered";
/// All that are told here.
const OURS: [&str; 3] = [LOADED, REGISTERED, ANSWERED];

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

/// What is told of a policy.
#[derive(Debug, Clone, Copy)]
pub struct Told<'t> {
    /// Whether it is in force.
    pub outcome: &'t Outcome,
    /// Whether the API server asks; None where nobody knows.
    pub registered: Option<&'t Registered>,
    /// Whether what it looks up is known to this replica.
    pub answered: &'t Answered,
}

/// The status of a policy; None if it says so already. `now` is the time in
/// RFC 3339. Where nobody knows what is registered, what was said of it stays.
pub fn status(object: &DynamicObject, told: Told<'_>, now: &str) -> Option<Status> {
    let Told {
        outcome,
        registered,
        answered,
    } = told;
    let before = object::status(object);
    let generation = object::generation(object);
    let program = object::read(object).map(|(found, _)| found.resource.spec.program.to_string());
    let said = |kind| before.condition(kind).cloned();
    let registered = registered.map(|registered| of_registration(registered, generation, now));
    let answered = match answered {
        Answered::NotYet => said(ANSWERED),
        answered => of_lookups(answered, generation, now),
    };
    let conditions = [
        Some(of_loading(outcome, generation, now)),
        registered.or_else(|| said(REGISTERED)),
        answered,
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
    // Others are others'.
    let is_ours = |one: &&Condition| OURS.contains(&one.r#type.as_str());
    let ours = before.conditions.iter().filter(is_ours).count();
    let is_known = after.conditions.iter().all(says)
        && ours == after.conditions.len()
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

/// The bad news in a status that takes the place of `before`.
pub fn news(before: &Status, after: &Status, told: Told<'_>) -> Vec<Notice> {
    let failure = told.outcome.failure();
    let reasons = [
        (LOADED, failure.map(|failure| reason(failure.cause))),
        (ANSWERED, unanswered(told.answered)),
    ];
    let notice = |(kind, reason): (&str, Option<&'static str>)| {
        let says = &after.condition(kind)?.message;
        let said = before.condition(kind).map(|one| &one.message);
        (said != Some(says)).then_some(Notice {
            reason: reason?,
            note: says.clone(),
        })
    };
    reasons.into_iter().filter_map(notice).collect()
}

/// Why lookups are not answered, in one word.
fn unanswered(answered: &Answered) -> Option<&'static str> {
    let Answered::No(unseen) = answered else {
        return None;
    };
    let is_right = |one: &Unseen| matches!(one, Unseen::Forbidden(_));
    Some(match unseen.values().any(is_right) {
        true => "RightMissing",
        false => "NotWatched",
    })
}

fn of_lookups(answered: &Answered, generation: i64, now: &str) -> Option<Condition> {
    let (status, reason, message) = match answered {
        Answered::Nothing | Answered::NotYet => return None,
        Answered::All => ("True", "Watched", "what it looks up is known".to_owned()),
        Answered::No(unseen) => {
            let why = unseen.iter().map(|(resource, why)| why.of(resource));
            let why: Vec<String> = why.collect();
            let message = format!(
                "{}; requests that need it are answered by failurePolicy",
                why.join("; ")
            );
            ("False", unanswered(answered)?, message)
        }
    };
    Some(Condition {
        r#type: ANSWERED.to_owned(),
        status: status.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: now.to_owned(),
        reason: reason.to_owned(),
        message,
    })
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
mod tests;
