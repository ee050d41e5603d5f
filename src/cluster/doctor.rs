//! `portcullis doctor`: what is wrong with a live installation, and how to
//! mend it.
//!
//! Pure but for `look`, which reads: a check is given what was seen and says
//! what is wrong with it. What could not be looked at is told, and not judged.

mod closed;
pub mod look;
mod manifests;
mod networks;
mod policies;
mod registered;
pub mod relocation;
pub mod render;
pub mod seen;
pub mod served;
mod serving;

use serde::Serialize;

pub use seen::{Place, Seen};

/// How bad a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// It could not be looked at.
    Unknown,
    /// Something does not work, or will not for long.
    Problem,
    /// Worth knowing.
    Note,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The check that says it (docs/doctor.md).
    pub check: &'static str,
    /// How bad it is.
    pub grade: Grade,
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What a check has to say, before it is known which one says it.
struct Said(Grade, String, String);

fn problem(message: impl Into<String>, remedy: impl Into<String>) -> Said {
    Said(Grade::Problem, message.into(), remedy.into())
}

fn note(message: impl Into<String>, remedy: impl Into<String>) -> Said {
    Said(Grade::Note, message.into(), remedy.into())
}

type Check = fn(&Seen) -> Vec<Said>;

/// All checks, in the order in which they are told.
const CHECKS: [(&str, Check); 20] = [
    ("manifests", manifests::definitions),
    ("rights", manifests::rights),
    ("anchor", manifests::anchor),
    ("replicas", serving::replicas),
    ("versions", serving::versions),
    ("leader", serving::leader),
    ("endpoints", serving::endpoints),
    ("certificate", serving::certificate),
    ("served", served::served),
    ("policies", policies::loaded),
    ("networks", networks::enforced),
    ("relocation", relocation::relocation),
    ("registration", registered::registration),
    ("conditions", registered::conditions),
    ("ca-bundle", registered::ca_bundle),
    ("fail-closed", registered::fail_closed),
    ("own-namespace", closed::own_namespace),
    ("all-replicas-gone", closed::all_gone),
    ("other-writers", registered::other_writers),
    ("other-webhooks", closed::other_webhooks),
];

/// The names of all checks.
pub fn checks() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(name, _)| *name)
}

/// What is wrong, the gravest first.
pub fn diagnose(seen: &Seen) -> Vec<Line> {
    let unknown = seen.unseen.iter().map(|(what, why)| Line {
        check: "access",
        grade: Grade::Unknown,
        message: format!("{what} could not be looked at: {why}"),
        remedy: format!("ask somebody who may, or have `get` and `list` on {what}"),
    });
    let found = CHECKS.iter().flat_map(|(check, run)| {
        run(seen)
            .into_iter()
            .map(|Said(grade, message, remedy)| Line {
                check,
                grade,
                message: one_line(&message),
                remedy: one_line(&remedy),
            })
    });
    let mut lines: Vec<Line> = unknown.chain(found).collect();
    lines.sort_by_key(|line| line.grade);
    lines
}

/// Messages of others may have several.
fn one_line(text: &str) -> String {
    crate::policy::decision::plain(text)
}

/// 2 if something may not be looked at, else 1 if something is wrong, else 0.
/// Replicas that cannot be reached from here are as good as any: most who ask
/// are not in their network.
pub fn exit_code(lines: &[Line]) -> u8 {
    let has = |grade| lines.iter().any(|line| line.grade == grade);
    let is_unseen = |line: &Line| line.grade == Grade::Unknown && line.check != "served";
    match (lines.iter().any(is_unseen), has(Grade::Problem)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    }
}

#[cfg(test)]
mod tests;
