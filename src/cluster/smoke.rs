//! `portcullis smoke`: objects that are known to be good and bad, created as
//! dry-runs; what should come back is what the policies in force say.
//!
//! Pure; `api` asks the API server.

pub mod api;
mod objects;

use std::fmt::Write;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use crate::admit::Known;
use crate::judge::Creation;
use crate::policy::decision::plain;
use crate::policy::{Action, Others, PolicySet};
use crate::review;

pub use objects::objects;

/// What our entries are named.
const OURS: &str = ".portcullis.dev\"";

/// What the policies in force make of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// It passes.
    Allowed,
    /// It is refused, with these `policy/code`.
    Denied(Vec<String>),
    /// A policy breaks on it, so that nobody can tell.
    Unknown(String),
}

/// What the API server made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It would have been stored.
    Allowed,
    /// One of our entries refused it.
    Denied(String),
    /// One of our entries could not be asked.
    Unanswered(String),
    /// Somebody else refused it.
    Refused(String),
}

/// How a try went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It came back as expected.
    AsExpected,
    /// It did not.
    Wrong,
    /// It could not be tried.
    NotTried,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// How it went.
    pub verdict: Verdict,
    /// What was tried: `Deployment default/portcullis-smoke-bad`.
    pub tried: String,
    /// What came back, and what should have.
    pub message: String,
}

/// What the policies say of an object; `namespace` is the Namespace that it
/// goes to, and `others` what they may look up.
pub fn expected(
    set: &PolicySet,
    object: &Value,
    namespace: &Value,
    others: &Arc<dyn Others>,
) -> Expected {
    let admission = review::create(object, |_, _| false);
    let creation = match Creation::new(admission) {
        Ok(creation) => creation,
        Err(error) => return Expected::Unknown(error.to_string()),
    };
    let outcome = creation.judge(set, namespace, Known::Whole, others);
    if let Some((policy, why)) = outcome.failures.first() {
        return Expected::Unknown(format!("policy {policy} breaks on it: {why}"));
    }
    let denied = outcome
        .findings
        .iter()
        .filter(|one| one.actions.action == Action::Deny);
    let codes: Vec<String> = denied
        .map(|one| format!("{}/{}", one.policy, one.finding.code))
        .collect();
    match codes.is_empty() {
        true => Expected::Allowed,
        false => Expected::Denied(codes),
    }
}

/// What an error of the API server means.
pub fn refusal(message: &str) -> Answer {
    let text = plain(message);
    let is_ours = text.contains(OURS);
    match (
        is_ours,
        text.contains("denied the request"),
        text.contains("failed calling webhook"),
    ) {
        (true, true, _) => Answer::Denied(text),
        (true, _, true) => Answer::Unanswered(text),
        _ => Answer::Refused(text),
    }
}

/// What is to be said of a try. `away` says why nothing of ours is registered,
/// if so.
pub fn judge(tried: String, expected: &Expected, answer: &Answer, away: Option<&str>) -> Line {
    let (verdict, message) = match (expected, answer) {
        (Expected::Unknown(why), _) => (Verdict::NotTried, why.clone()),
        (_, Answer::Refused(why)) => (
            Verdict::NotTried,
            format!("refused by somebody else: {why}"),
        ),
        (_, Answer::Unanswered(why)) => (
            Verdict::Wrong,
            format!("no replica answered: {why}: run `portcullis doctor`"),
        ),
        (Expected::Allowed, Answer::Allowed) => (Verdict::AsExpected, "allowed".to_owned()),
        (Expected::Allowed, Answer::Denied(why)) => (
            Verdict::Wrong,
            format!("denied, though no policy in force denies it: {why}: run `portcullis doctor`"),
        ),
        (Expected::Denied(codes), Answer::Denied(why)) => denied(codes, why),
        (Expected::Denied(codes), Answer::Allowed) => {
            let why = away.map_or_else(
                || "allowed".to_owned(),
                |away| format!("allowed, for nothing is registered ({away})"),
            );
            let codes = codes.join(", ");
            (
                Verdict::Wrong,
                format!("{why}; the policies in force deny it ({codes}): run `portcullis doctor`"),
            )
        }
    };
    Line {
        verdict,
        tried,
        message,
    }
}

fn denied(codes: &[String], why: &str) -> (Verdict, String) {
    let missing: Vec<&str> = codes
        .iter()
        .filter(|code| !why.contains(&format!("[{code}]")))
        .map(String::as_str)
        .collect();
    // The message may have been cut; one of the codes has to be in it.
    match missing.len() < codes.len() {
        true => (
            Verdict::AsExpected,
            format!("denied ({})", codes.join(", ")),
        ),
        false => (
            Verdict::Wrong,
            format!(
                "denied for another reason than {}: {why}: are all replicas of one version?",
                missing.join(", ")
            ),
        ),
    }
}

/// 2 if something could not be tried, else 1 if something was wrong, else 0.
pub fn exit_code(lines: &[Line]) -> u8 {
    let has = |verdict| lines.iter().any(|line| line.verdict == verdict);
    match (has(Verdict::NotTried), has(Verdict::Wrong)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

/// A line each.
pub fn human(lines: &[Line]) -> String {
    let mut out = String::new();
    for line in lines {
        let word = match line.verdict {
            Verdict::AsExpected => "ok",
            Verdict::Wrong => "WRONG",
            Verdict::NotTried => "not tried",
        };
        let _ = writeln!(out, "{word} {}: {}", line.tried, line.message);
    }
    out
}

/// One JSON document, schema 1.
pub fn json(lines: &[Line]) -> String {
    format!("{:#}\n", json!({"schema": 1, "lines": lines}))
}

#[cfg(test)]
mod tests;
