//! One object after the other, as the CREATE that it would be.

use std::sync::Arc;

use portcullis_manifest::{Object, Position};
use serde_json::Value;

use super::excerpt::{self, Secrets};
use super::world::World;
use crate::admit::Known;
use crate::finding::{self, Change, Failure, Finding, Place, Skipped};
use crate::judge::{self, Creation, Outcome, identity};
use crate::policy::PolicySet;
use crate::policy::decision::Judged;
use crate::policy::effect::hanging::Lacking;
use crate::review;

/// An object and where it is from.
pub(super) struct Given {
    pub(super) file: Arc<str>,
    pub(super) object: Object,
}

/// What a share of the objects gave.
#[derive(Default)]
pub(super) struct Part {
    pub(super) findings: Vec<Finding>,
    pub(super) changes: Vec<Change>,
    pub(super) failures: Vec<Failure>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) judged: Vec<finding::Subject>,
    /// What is found if none of all objects makes up for it.
    pub(super) lacking: Vec<(Finding, Lacking)>,
}

/// What a share of the objects is judged by.
#[derive(Clone, Copy)]
pub(super) struct Judging<'a> {
    pub(super) set: &'a PolicySet,
    pub(super) world: &'a World,
    /// Whether what to write instead of a secret is told.
    pub(super) fixes: bool,
}

impl Judging<'_> {
    /// Judges a share of the objects.
    pub(super) fn judge(self, given: &[Given], step: impl Fn()) -> Part {
        let mut part = Part::default();
        for given in given {
            part.one(self, given);
            step();
        }
        part
    }
}

impl Part {
    fn one(&mut self, judging: Judging<'_>, given: &Given) {
        let Judging { set, world, fixes } = judging;
        let value = &given.object.value;
        if world.holds_owner(value) {
            return self.skip(given, "owned");
        }
        let admission = review::create(value, |group, kind| world.is_cluster_scoped(group, kind));
        let creation = match Creation::new(admission) {
            Ok(creation) => creation,
            Err(error) => return self.fail(given, None, error.to_string()),
        };
        if creation.is_excluded(set) {
            return self.skip(given, "excluded-namespace");
        }
        let (namespace, is_known) = match &creation.attributes.namespace {
            Some(name) => world.namespace(name),
            None => (Value::Null, false),
        };
        let known = if is_known {
            Known::Whole
        } else {
            Known::InPart
        };
        self.judged.push(finding::Subject {
            place: place(given, ""),
            object: identity(value),
        });
        let outcome = creation.judge(set, &namespace, known, world.others());
        self.take(given, outcome, fixes);
    }

    fn take(&mut self, given: &Given, outcome: Outcome, fixes: bool) {
        if !outcome.patch.is_empty() {
            self.changes.push(Change {
                place: place(given, ""),
                object: identity(&given.object.value),
                policies: outcome.changed_by,
                patch: outcome.patch,
            });
        }
        for (policy, cause) in outcome.failures {
            self.fail(given, Some(policy), cause);
        }
        let secrets = Secrets::of(&given.object, &outcome.findings);
        let fix = judge::fix(&outcome.findings, &given.object.value);
        let lacking = outcome.lacking.into_iter();
        self.lacking.extend(lacking.map(|lacking| {
            let finding = finding(given, &lacking.judged, &secrets);
            (finding, lacking)
        }));
        self.findings
            .extend(outcome.findings.iter().map(|judged| Finding {
                has_fix: fix.is_some() && judged.secret,
                fix: fix.clone().filter(|_| fixes && judged.secret),
                ..finding(given, judged, &secrets)
            }));
    }

    fn skip(&mut self, given: &Given, code: &str) {
        self.skipped.push(Skipped {
            file: given.file.to_string(),
            document: given.object.document,
            line: given.object.position("").line,
            code: code.to_owned(),
        });
    }

    fn fail(&mut self, given: &Given, policy: Option<String>, cause: String) {
        let place = place(given, "");
        self.failures.push(Failure {
            file: place.file,
            document: Some(place.document),
            line: Some(place.line),
            column: Some(place.column),
            policy,
            cause,
        });
    }
}

fn finding(given: &Given, judged: &Judged, secrets: &Secrets) -> Finding {
    let found = &judged.finding;
    let object = identity(&given.object.value);
    let mut place = place(given, &found.path);
    let Some(within) = found.within else {
        let excerpt = excerpt::of(given, &found.path, secrets);
        return judge::finding(judged, &object, place, excerpt);
    };
    // The very line of a text; where that cannot be told, the text.
    let (line, column) = (within.line, within.column);
    if let Some(at) = given.object.inside(&found.path, Position { line, column }) {
        (place.line, place.column) = (at.line, at.column);
    }
    judge::finding(judged, &object, place, None)
}

pub(super) fn place(given: &Given, pointer: &str) -> Place {
    let position = given.object.position(pointer);
    Place {
        file: Some(given.file.to_string()),
        document: given.object.document,
        item: given.object.item,
        line: position.line,
        column: position.column,
    }
}
