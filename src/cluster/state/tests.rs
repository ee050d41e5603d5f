use super::*;

fn stored(state: &State) -> ConfigMap {
    ConfigMap {
        data: Some(state.data()),
        ..ConfigMap::default()
    }
}

#[test]
fn what_is_written_is_read_back_and_nothing_is_a_first_start() {
    let mut state = State::default();
    assert_eq!(State::parse(None), Ok(State::default()));
    assert_eq!(
        State::parse(Some(&ConfigMap::default())),
        Ok(State::default())
    );
    state.registered.insert(Kind::Validating);
    state.say("Registered", true, "AsAsked", "all", "t0");
    assert_eq!(State::parse(Some(&stored(&state))), Ok(state.clone()));
    state.take_away(How::Paused, "jane", "t1");
    assert!(state.is_paused() && state.registered.is_empty());
    assert_eq!(State::parse(Some(&stored(&state))), Ok(state));
}

#[test]
fn a_state_that_nobody_can_read_is_not_taken_for_a_first_start() {
    for text in ["", "{", "[]", r#"{"paused": true}"#] {
        let map = ConfigMap {
            data: Some([(KEY.to_owned(), text.to_owned())].into()),
            ..ConfigMap::default()
        };
        let error = State::parse(Some(&map)).expect_err(text).to_string();
        assert!(
            error.starts_with("ConfigMap portcullis-state, `state.json`: "),
            "{error}"
        );
        assert!(!error.contains('\n'), "{error}");
    }
}

/// As a later version may write it: members that are new, at the top and
/// in what there is.
const LATER: &str = r#"{
    "registered": ["validating"],
    "away": {"mutating": {"how": "paused", "by": "jane", "at": "t0", "until": "t9"}},
    "conditions": [{"type": "Quieted", "status": true, "reason": "AsAsked",
        "message": "", "since": "t0", "severity": 1}],
    "shards": {"a": [1, 2]}
}"#;

#[test]
fn what_a_later_version_wrote_is_understood_and_kept_after_a_downgrade() {
    let map = ConfigMap {
        data: Some([(KEY.to_owned(), LATER.to_owned())].into()),
        ..ConfigMap::default()
    };
    let mut state = State::parse(Some(&map)).expect("only members are new");
    assert!(state.away.contains_key(&Kind::Mutating) && state.is_paused());
    assert!(state.registered.contains(&Kind::Validating));
    // An older leader writes what it knows.
    state.say("Registered", true, "AsAsked", "", "t1");
    state.say_base(Some("starter"), "t1");
    let written: Value = serde_json::from_str(&state.data()[KEY]).expect("JSON");
    assert_eq!(written["shards"], serde_json::json!({"a": [1, 2]}));
    assert_eq!(written["away"]["mutating"]["until"], "t9");
    assert_eq!(written["conditions"][0]["type"], "Quieted");
    assert_eq!(State::parse(Some(&stored(&state))), Ok(state));
}

#[test]
fn a_condition_keeps_its_time_until_it_changes() {
    let mut state = State::default();
    state.say("Registered", false, "SelfCall", "a", "t0");
    state.say("FailWithheld", false, "None", "", "t0");
    state.say("Registered", false, "SelfCall", "b", "t1");
    let registered = |state: &State| {
        let condition = state
            .conditions
            .iter()
            .find(|one| one.r#type == "Registered");
        condition.expect("a condition").clone()
    };
    assert_eq!(
        (
            registered(&state).since.as_str(),
            registered(&state).message.as_str()
        ),
        ("t0", "b")
    );
    state.say("Registered", true, "AsAsked", "", "t2");
    assert_eq!(registered(&state).since, "t2");
    assert_eq!(state.conditions.len(), 2);
}

#[test]
fn a_profile_is_in_force_since_it_was_first_said_so() {
    let mut state = State::default();
    state.say_base(Some("starter"), "2026-01-01T00:00:00Z");
    state.say_base(Some("starter"), "2026-01-02T00:00:00Z");
    let since = |state: &State| state.base.as_ref().map(|base| base.since.clone());
    assert_eq!(since(&state).as_deref(), Some("2026-01-01T00:00:00Z"));
    state.say_base(Some("strict"), "2026-01-03T00:00:00Z");
    assert_eq!(since(&state).as_deref(), Some("2026-01-03T00:00:00Z"));
    state.say_base(None, "2026-01-04T00:00:00Z");
    assert_eq!(state.base, None);
}
