//! One object after the other, as the CREATE that it would be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_manifest::Object;
use serde_json::{Map, Value};

use super::world::{World, text};
use crate::admit::{Known, Phase, Scope, Subject, admit};
use crate::finding::{
    self, Change, Excerpt, Failure, Finding, Identity, Place, Skipped, fingerprint,
};
use crate::policy::decision::{Decision, Judged};
use crate::policy::{Attributes, PolicySet, patch};
use crate::review;

/// What the webhook would have at most.
const DEADLINE: Duration = Duration::from_secs(10);

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
        let attributes = match Attributes::parse(&admission) {
            Ok(attributes) => attributes,
            Err(error) => return self.fail(given, None, error.to_string()),
        };
        let excluded = |name: &String| set.excluded_namespaces.contains(name);
        if attributes.namespace.as_ref().is_some_and(excluded) {
            return self.skip(given, "excluded-namespace");
        }
        let (namespace, namespace_is_known) = match &attributes.namespace {
            Some(name) => world.namespace(name),
            None => (Value::Null, false),
        };
        let mut subject = Subject {
            admission: &admission,
            attributes: &attributes,
            namespace: &namespace,
            known: if namespace_is_known {
                Known::Whole
            } else {
                Known::InPart
            },
        };
        self.judged.push(finding::Subject {
            place: place(given, ""),
            object: identity(value),
        });
        let deadline = Instant::now() + DEADLINE;
        let changed = admit(set, &subject, scope(Phase::Mutate), deadline);
        let patched = self.change(given, &admission, &changed);
        if let Some(patched) = &patched {
            subject.admission = patched;
        }
        let decision = admit(set, &subject, scope(Phase::Validate), deadline);
        for broken in changed.failures.iter().chain(&decision.failures) {
            // A policy without a program was reported once, for all objects.
            let has_program = set
                .get(broken.policy.as_str())
                .is_some_and(|p| p.program.is_ok());
            if has_program {
                let cause = broken.failure.message.clone();
                self.fail(given, Some(broken.policy.to_string()), cause);
            }
        }
        self.findings.extend(
            decision
                .findings
                .iter()
                .map(|judged| finding(given, judged)),
        );
    }

    fn change(
        &mut self,
        given: &Given,
        admission: &Map<String, Value>,
        decision: &Decision,
    ) -> Option<Map<String, Value>> {
        if decision.patch.is_empty() {
            return None;
        }
        let object = patch::apply(&given.object.value, &decision.patch).ok()?;
        self.changes.push(Change {
            place: place(given, ""),
            object: identity(&given.object.value),
            policies: decision
                .changed_by
                .iter()
                .map(ToString::to_string)
                .collect(),
            patch: decision.patch.clone(),
        });
        let mut admission = admission.clone();
        admission.insert("object".into(), object);
        Some(admission)
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

fn scope(phase: Phase) -> Scope {
    Scope {
        phase,
        failure_policy: None,
    }
}

fn finding(given: &Given, judged: &Judged) -> Finding {
    let object = identity(&given.object.value);
    let finding = &judged.finding;
    let (policy, container) = (judged.policy.to_string(), finding.container.clone());
    let guess = if judged.guessed {
        "; the namespace's labels are not known here"
    } else {
        ""
    };
    Finding {
        fingerprint: fingerprint(&policy, &finding.code, &object, container.as_deref()),
        policy,
        code: finding.code.clone(),
        level: judged.level,
        action: judged.actions.action,
        message: format!("{}{guess}", finding.message),
        remedy: finding.remedy.clone(),
        place: place(given, &finding.path),
        object,
        path: finding.path.clone(),
        container,
        excerpt: excerpt(given, &finding.path),
    }
}

fn identity(object: &Value) -> Identity {
    let optional = |pointer: &str| Some(text(object, pointer).to_owned()).filter(|t| !t.is_empty());
    Identity {
        api_version: text(object, "/apiVersion").to_owned(),
        kind: text(object, "/kind").to_owned(),
        namespace: optional("/metadata/namespace"),
        name: optional("/metadata/name")
            .or_else(|| optional("/metadata/generateName"))
            .unwrap_or_default(),
    }
}

fn place(given: &Given, pointer: &str) -> Place {
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
