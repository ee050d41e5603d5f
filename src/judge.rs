//! One object, as the CREATE that it would be: what `check` and the audit of a
//! cluster share, so that their verdicts cannot differ.
//!
//! Must not know where an object came from, nor where its findings go.
#![deny(clippy::disallowed_types)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_contract::{MatchConstraints, PatchOperation};
use serde_json::{Map, Value};

use crate::admit::{self, Known, Phase, Scope, Subject, admit};
use crate::finding::{Excerpt, Finding, Identity, Place, fingerprint};
use crate::fix::Fix;
use crate::policy::decision::{Decision, Judged};
use crate::policy::effect::hanging::Lacking;
use crate::policy::{Attributes, Others, PolicySet, attributes, patch};

/// What the webhook would have at most.
const DEADLINE: Duration = Duration::from_secs(10);

/// A request to create an object.
pub struct Creation {
    admission: Map<String, Value>,
    /// The request as match constraints see it.
    pub attributes: Attributes,
}

/// What all policies make of a creation.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What they found, by policy.
    pub findings: Vec<Judged>,
    /// What the mutating ones would change; empty where nothing.
    pub patch: Vec<PatchOperation>,
    /// Which ones those are.
    pub changed_by: Vec<String>,
    /// What they found besides, if nothing else that is there makes up for it.
    pub lacking: Vec<Lacking>,
    /// Which policies broke on it, and why. One that has no program at all is
    /// not among them: it is reported once, not by object.
    pub failures: Vec<(String, String)>,
}

impl Creation {
    /// Of an AdmissionRequest, as `review::create` makes it.
    ///
    /// # Errors
    ///
    /// The first member that is missing or of another type.
    pub fn new(admission: Map<String, Value>) -> Result<Creation, attributes::Error> {
        let attributes = Attributes::parse(&admission)?;
        Ok(Creation {
            admission,
            attributes,
        })
    }

    /// Whether nothing in its namespace is judged.
    pub fn is_excluded(&self, set: &PolicySet) -> bool {
        let namespace = self.attributes.namespace.as_ref();
        namespace.is_some_and(|name| set.excluded_namespaces.contains(name))
    }

    /// Whether it reaches a policy with these constraints, or may.
    pub fn reaches(&self, constraints: &MatchConstraints, namespace: &Value, known: Known) -> bool {
        admit::reaches(constraints, &self.subject(namespace, known))
    }

    /// As policies see it that are asked nothing about other objects.
    fn subject<'a>(&'a self, namespace: &'a Value, known: Known) -> Subject<'a> {
        Subject {
            admission: &self.admission,
            attributes: &self.attributes,
            namespace,
            known,
            others: None,
        }
    }

    /// What the policies say of it, as it is, that may have its entries moved.
    pub fn moving(&self, set: &PolicySet, namespace: &Value, known: Known) -> Decision {
        let subject = self.subject(namespace, known);
        let scope = Scope {
            phase: Phase::Validate,
            failure_policy: None,
            moving: true,
        };
        admit(set, &subject, scope, Instant::now() + DEADLINE)
    }

    /// Has it judged: first those change it that may, then all see what came
    /// of it. `namespace` is its Namespace, null without one, `known` how
    /// much of that is known, and `others` what is there besides.
    pub fn judge(
        mut self,
        set: &PolicySet,
        namespace: &Value,
        known: Known,
        others: &Arc<dyn Others>,
    ) -> Outcome {
        let deadline = Instant::now() + DEADLINE;
        let ask = |admission: &Map<String, Value>, phase| {
            let subject = Subject {
                admission,
                attributes: &self.attributes,
                namespace,
                known,
                others: Some(others),
            };
            let failure_policy = None;
            admit(
                set,
                &subject,
                Scope {
                    phase,
                    failure_policy,
                    moving: false,
                },
                deadline,
            )
        };
        let changed = ask(&self.admission, Phase::Mutate);
        let before = self.admission.get("object").unwrap_or(&Value::Null);
        let patched = match changed.patch.is_empty() {
            true => None,
            false => patch::apply(before, &changed.patch).ok(),
        };
        let is_changed = patched.is_some();
        if let Some(object) = patched {
            self.admission.insert("object".into(), object);
        }
        let decision = ask(&self.admission, Phase::Validate);
        Outcome {
            failures: failures(set, &changed, &decision),
            findings: decision.findings,
            lacking: decision.lacking,
            changed_by: match is_changed {
                true => changed.changed_by.iter().map(ToString::to_string).collect(),
                false => vec![],
            },
            patch: match is_changed {
                true => changed.patch,
                false => vec![],
            },
        }
    }
}

fn failures(set: &PolicySet, changed: &Decision, decision: &Decision) -> Vec<(String, String)> {
    let broken = changed.failures.iter().chain(&decision.failures);
    let with_program = broken.filter(|broken| {
        let policy = set.get(broken.policy.as_str());
        policy.is_some_and(|policy| policy.program.is_ok())
    });
    with_program
        .map(|broken| (broken.policy.to_string(), broken.failure.message.clone()))
        .collect()
}

/// A finding as reports have it.
pub fn finding(
    judged: &Judged,
    object: &Identity,
    place: Place,
    excerpt: Option<Excerpt>,
) -> Finding {
    let finding = &judged.finding;
    let (policy, container) = (judged.policy.to_string(), finding.container.clone());
    let guess = if judged.guessed {
        "; the namespace's labels are not known here"
    } else {
        ""
    };
    Finding {
        fingerprint: fingerprint(&policy, &finding.code, object, container.as_deref()),
        policy,
        code: finding.code.clone(),
        level: judged.level,
        action: judged.actions.action,
        message: format!("{}{guess}", finding.message),
        remedy: finding.remedy.clone(),
        place,
        object: object.clone(),
        path: finding.path.clone(),
        container,
        within: finding.within,
        exemption: judged.exempted.as_deref().map(Into::into),
        fix: None,
        has_fix: false,
        creates: None,
        excerpt,
    }
}

/// What to write instead of the secrets that were found in an object.
pub fn fix(findings: &[Judged], object: &Value) -> Option<Box<Fix>> {
    let secret = findings.iter().filter(|judged| judged.secret);
    let paths: Vec<&str> = secret.map(|judged| judged.finding.path.as_str()).collect();
    Fix::of(object, &paths).map(Box::new)
}

/// What an object is, as it is written.
pub fn identity(object: &Value) -> Identity {
    let text = |pointer: &str| {
        let text = object.pointer(pointer).and_then(Value::as_str);
        text.map(str::to_owned).filter(|text| !text.is_empty())
    };
    Identity {
        api_version: text("/apiVersion").unwrap_or_default(),
        kind: text("/kind").unwrap_or_default(),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name")
            .or_else(|| text("/metadata/generateName"))
            .unwrap_or_default(),
    }
}
