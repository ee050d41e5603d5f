//! One object after the other, as the CREATE that it would be.

use std::sync::Arc;

use portcullis_manifest::Object;
use serde_json::Value;

use super::world::World;
use crate::admit::Known;
use crate::finding::{self, Change, Excerpt, Failure, Finding, Place, Skipped};
use crate::judge::{self, Creation, Outcome, identity};
use crate::policy::PolicySet;
use crate::policy::decision::Judged;
use crate::review;

/// An object and where it is from.
pub(super) struct Given {
    pub(super) file: Arc<str>,
    pub(super) text: Arc<str>,
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
}

/// Judges a share of the objects.
pub(super) fn judge(set: &PolicySet, world: &World, given: &[Given], step: impl Fn()) -> Part {
    let mut part = Part::default();
    for given in given {
        part.one(set, world, given);
        step();
    }
    part
}

impl Part {
    fn one(&mut self, set: &PolicySet, world: &World, given: &Given) {
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
        self.take(given, outcome);
    }

    fn take(&mut self, given: &Given, outcome: Outcome) {
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
        let findings = outcome.findings.iter();
        self.findings
            .extend(findings.map(|judged| finding(given, judged)));
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

fn finding(given: &Given, judged: &Judged) -> Finding {
    let path = &judged.finding.path;
    let object = identity(&given.object.value);
    judge::finding(judged, &object, place(given, path), excerpt(given, path))
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

/// The line of the finding. Those of Secrets and ConfigMaps are never shown:
/// they hold the values.
fn excerpt(given: &Given, pointer: &str) -> Option<Excerpt> {
    if matches!(given.object.kind(), "Secret" | "ConfigMap") {
        return None;
    }
    let extent = given.object.extent(pointer);
    let index = usize::try_from(extent.start.line).ok()?.checked_sub(1)?;
    let line = given.text.lines().nth(index)?;
    Some(Excerpt {
        text: line.to_owned(),
        width: extent.width,
    })
}
