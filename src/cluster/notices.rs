//! What people are told of as events: conditions of the state that have become
//! bad, or are bad for another reason. Pure; `api` writes them.
//!
//! What was told last is what the stored state says, so that neither a pass
//! nor another leader tells it again.

pub mod api;

use super::state::Condition;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One word, as events have it.
    pub reason: &'static str,
    /// Why, and what to do, in one line.
    pub note: String,
}

/// What is to be told of conditions that were `before` and are `now`.
pub fn news(before: &[Condition], now: &[Condition]) -> Vec<Notice> {
    let is_news = |condition: &&Condition| {
        let known = before.iter().find(|known| known.r#type == condition.r#type);
        known.is_none_or(|known| known.message != condition.message)
    };
    let notice = |condition: &Condition| {
        Some(Notice {
            reason: reason(condition)?,
            note: condition.message.clone(),
        })
    };
    now.iter().filter(is_news).filter_map(notice).collect()
}

/// None where all is well.
fn reason(condition: &Condition) -> Option<&'static str> {
    let kind = condition.r#type.as_str();
    match (kind, condition.status, condition.reason.as_str()) {
        ("Anchored", false, _) => Some("NotAnchored"),
        ("CertificatesKept", false, _) => Some("CertificatesNotKept"),
        ("FailWithheld", true, _) => Some("FailWithheld"),
        ("Registered", false, "Away") => Some("RegistrationAway"),
        ("Registered", false, _) => Some("NotRegistered"),
        ("Registered", true, "SelfCallFailed") => Some("SelfCallFailed"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::State;
    use super::*;

    /// What is told when this is said after that.
    fn told(said: &[(&str, bool, &str, &str)]) -> Vec<Vec<(&'static str, String)>> {
        let mut state = State::default();
        let told = said.iter().map(|(kind, status, reason, message)| {
            let before = state.conditions.clone();
            state.say(kind, *status, reason, message, "t");
            let news = news(&before, &state.conditions).into_iter();
            news.map(|notice| (notice.reason, notice.note)).collect()
        });
        told.collect()
    }

    #[test]
    fn bad_news_is_told_once_and_another_cause_again() {
        let told = told(&[
            ("CertificatesKept", true, "AsAsked", ""),
            ("CertificatesKept", false, "Problem", "a"),
            ("CertificatesKept", false, "Problem", "a"),
            ("CertificatesKept", false, "Problem", "b"),
            ("CertificatesKept", true, "AsAsked", ""),
            ("CertificatesKept", false, "Problem", "a"),
        ]);
        let of = |note: &str| vec![("CertificatesNotKept", note.to_owned())];
        let expected = [vec![], of("a"), vec![], of("b"), vec![], of("a")];
        assert_eq!(told, expected);
    }

    #[test]
    fn each_condition_is_bad_in_its_own_way() {
        for (kind, status, reason, expected) in [
            ("Anchored", false, "NoAnchor", Some("NotAnchored")),
            ("Anchored", true, "AsAsked", None),
            ("FailWithheld", true, "NeededToStart", Some("FailWithheld")),
            ("FailWithheld", false, "AsAsked", None),
            ("Registered", false, "Away", Some("RegistrationAway")),
            ("Registered", false, "Problem", Some("NotRegistered")),
            ("Registered", true, "SelfCallFailed", Some("SelfCallFailed")),
            // As it should be at first.
            ("Registered", true, "FailsOpen", None),
            ("Registered", true, "AsAsked", None),
        ] {
            let told = told(&[(kind, status, reason, "m")]);
            let expected: Vec<_> = expected.map(|one| (one, "m".into())).into_iter().collect();
            assert_eq!(told, [expected], "{kind} {status} {reason}");
        }
    }
}
