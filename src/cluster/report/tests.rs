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

/// A policy that looks nothing up.
fn told<'t>(outcome: &'t Outcome, registered: Option<&'t Registered>) -> Told<'t> {
    Told {
        outcome,
        registered,
        answered: &Answered::Nothing,
    }
}

fn broken() -> Failure {
    Failure::guest(Cause::Settings, "`allow`: write a list.")
}

#[test]
fn a_policy_that_loads_is_recorded_once() {
    let outcome = Outcome::Loaded(record(1));
    let first = status(
        &policy(1, &Status::default()),
        told(&outcome, None),
        EARLIER,
    )
    .expect("news");
    assert_eq!(first.observed_generation, Some(1));
    assert_eq!(first.program.as_deref(), Some("image-tags"));
    assert_eq!(first.in_force, Some(record(1)));
    assert_eq!(status(&policy(1, &first), told(&outcome, None), NOW), None);
}

#[test]
fn a_bad_change_keeps_the_record_of_what_is_in_force() {
    let loaded = Outcome::Loaded(record(1));
    let good = status(&policy(1, &Status::default()), told(&loaded, None), EARLIER).expect("news");
    let stale = Outcome::Stale(broken(), record(1));
    let bad = status(&policy(2, &good), told(&stale, None), NOW).expect("news");
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
    let later = status(&policy(3, &bad), told(&stale, None), "2026-01-03T00:00:00Z").expect("news");
    let condition = later.condition(LOADED).expect("a condition");
    assert_eq!(condition.last_transition_time, NOW);
    assert_eq!(condition.observed_generation, Some(3));
}

#[test]
fn a_policy_that_never_loaded_says_who_answers() {
    let failing = Outcome::Failing(broken(), FailurePolicy::Ignore);
    let status = status(&policy(1, &Status::default()), told(&failing, None), NOW).expect("news");
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
        told(&loaded, Some(&good)),
        EARLIER,
    );
    let first = first.expect("news");
    let condition = first.condition(REGISTERED).expect("a condition");
    assert_eq!(condition.status, "True");
    assert!(!condition.message.is_empty());
    for known in [Some(&good), None] {
        assert_eq!(status(&policy(1, &first), told(&loaded, known), NOW), None);
    }
    let away = registered(false, "it is paused");
    let later = status(&policy(1, &first), told(&loaded, Some(&away)), NOW).expect("news");
    let condition = later.condition(REGISTERED).expect("a condition");
    assert_eq!(
        (&*condition.status, &*condition.message),
        ("False", "it is paused")
    );
    assert_eq!(condition.last_transition_time, NOW);
    let loading = later.condition(LOADED).expect("a condition");
    assert_eq!(loading.last_transition_time, EARLIER);
}

fn looking(answered: &Answered) -> Told<'_> {
    static LOADED: std::sync::LazyLock<Outcome> =
        std::sync::LazyLock::new(|| Outcome::Loaded(record(1)));
    Told {
        answered,
        ..told(&LOADED, None)
    }
}

#[test]
fn a_right_that_is_missing_is_told_once_with_the_rule_and_gone_when_it_is_there() {
    let why = "add {apiGroups: [\"\"], resources: [secrets], verbs: [list, watch]}";
    let no = Answered::No([("secrets".to_owned(), Unseen::Forbidden(why.into()))].into());
    let good = status(
        &policy(1, &Status::default()),
        looking(&Answered::All),
        EARLIER,
    );
    let good = good.expect("news");
    let bad = status(&policy(1, &good), looking(&no), NOW).expect("news");
    let condition = bad.condition(ANSWERED).expect("a condition");
    assert_eq!(
        (&*condition.status, &*condition.reason),
        ("False", "RightMissing")
    );
    assert!(condition.message.contains(why), "{}", condition.message);
    assert_eq!(condition.last_transition_time, NOW);
    let told = news(&good, &bad, looking(&no));
    assert_eq!(
        told.iter().map(|one| one.reason).collect::<Vec<_>>(),
        ["RightMissing"]
    );
    assert_eq!(news(&bad, &bad, looking(&no)), []);
    // While nobody knows, as after a start, what was said stays.
    for known in [&no, &Answered::NotYet] {
        assert_eq!(status(&policy(1, &bad), looking(known), NOW), None);
    }
    let mended = status(&policy(1, &bad), looking(&Answered::All), NOW).expect("news");
    assert_eq!(
        mended.condition(ANSWERED).expect("a condition").status,
        "True"
    );
    assert_eq!(news(&bad, &mended, looking(&Answered::All)), []);
    let nothing = status(&policy(1, &mended), looking(&Answered::Nothing), NOW).expect("news");
    assert_eq!(
        nothing.condition(ANSWERED),
        None,
        "it looks nothing up any more"
    );
}
