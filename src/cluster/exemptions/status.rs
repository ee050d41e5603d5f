//! `status` of a PolicyExemption: what the last audit saw of it. Nothing here
//! talks to anyone.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::status::Condition;
use crate::finding::exempting::Exempting;

/// The condition that says whether anything is forgiven.
const IN_FORCE: &str = "InForce";

/// A use is told anew after so long: status is written for people, and once an
/// hour for each exemption would be written for nobody.
const STALE: SignedDuration = SignedDuration::from_hours(24);

/// `status`, written by the audit of the replica that leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many objects the last audit found that would be denied or warned of
    /// without this exemption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objects: Option<i64>,
    /// When an audit last found such objects, to a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub last_used: Option<String>,
    /// `InForce`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// The status after an audit; None if it says so already.
pub fn status(
    before: &Status,
    generation: i64,
    audited: &Exempting,
    now: Timestamp,
) -> Option<Status> {
    let now_text = whole_seconds(now);
    let told = before.last_used.as_ref();
    let is_stale = told
        .and_then(|told| told.parse::<Timestamp>().ok())
        .is_none_or(|told| now.duration_since(told) > STALE);
    let last_used = match audited.objects > 0 && is_stale {
        true => Some(now_text.clone()),
        false => told.cloned(),
    };
    let after = Status {
        observed_generation: Some(generation),
        objects: Some(i64::try_from(audited.objects).unwrap_or(i64::MAX)),
        last_used,
        conditions: vec![condition(before, generation, audited, now_text)],
    };
    (after != *before).then_some(after)
}

fn condition(before: &Status, generation: i64, audited: &Exempting, now: String) -> Condition {
    let status = if audited.in_force { "True" } else { "False" };
    let known = before.conditions.iter().find(|one| one.r#type == IN_FORCE);
    let since = known
        .filter(|known| known.status == status)
        .map(|known| known.last_transition_time.clone());
    let reason = match audited.problems.first() {
        None => "AsWritten".to_owned(),
        Some(code) => reason(code),
    };
    let message = audited.problem.clone().unwrap_or_else(|| {
        let objects = audited.objects;
        format!("{objects} objects would be denied or warned of without it")
    });
    Condition {
        r#type: IN_FORCE.to_owned(),
        status: status.to_owned(),
        observed_generation: Some(generation),
        last_transition_time: since.unwrap_or(now),
        reason,
        message,
    }
}

/// `exemption-not-exemptible` as a reason: `NotExemptible`.
fn reason(code: &str) -> String {
    let words = code.split('-').skip(1).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

fn whole_seconds(at: Timestamp) -> String {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    whole.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::exemption::standing;

    fn audited(objects: usize, problem: Option<&'static str>) -> Exempting {
        Exempting {
            namespace: "shop".into(),
            name: "legacy".into(),
            policy: "p".into(),
            codes: vec!["c".into()],
            expires: String::new(),
            reason: String::new(),
            in_force: problem.is_none() || problem == Some(standing::UNUSED),
            findings: objects,
            objects,
            problems: problem.into_iter().collect(),
            problem: problem.map(|_| "it is over".into()),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn the_same_use_is_written_once_a_day() {
        let first = status(
            &Status::default(),
            1,
            &audited(2, None),
            at("2026-01-01T00:00:00.5Z"),
        )
        .expect("news");
        assert_eq!(
            (first.objects, first.observed_generation),
            (Some(2), Some(1))
        );
        assert_eq!(first.last_used.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(first.conditions[0].reason, "AsWritten");
        let same = |now| status(&first, 1, &audited(2, None), at(now));
        assert_eq!(same("2026-01-01T23:00:00Z"), None);
        let later = same("2026-01-02T00:00:01Z").expect("news");
        assert_eq!(later.last_used.as_deref(), Some("2026-01-02T00:00:01Z"));
        assert_eq!(later.conditions, first.conditions);
    }

    #[test]
    fn what_is_over_keeps_when_it_was_last_used() {
        let used = status(
            &Status::default(),
            1,
            &audited(2, None),
            at("2026-01-01T00:00:00Z"),
        )
        .expect("news");
        let over = audited(0, Some(standing::EXPIRED));
        let now = at("2026-02-01T00:00:00Z");
        let after = status(&used, 1, &over, now).expect("news");
        assert_eq!(
            (after.objects, &after.last_used),
            (Some(0), &used.last_used)
        );
        let condition = &after.conditions[0];
        assert_eq!(
            (&*condition.status, &*condition.reason, &*condition.message),
            ("False", "Expired", "it is over")
        );
        assert_eq!(condition.last_transition_time, "2026-02-01T00:00:00Z");
        let unused = audited(0, Some(standing::UNUSED));
        let unused = status(&used, 1, &unused, now).expect("news");
        assert_eq!(
            (&*unused.conditions[0].status, &*unused.conditions[0].reason),
            ("True", "Unused")
        );
    }
}
