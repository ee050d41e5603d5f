//! Case files: an object and what a policy should say of it.
//!
//! ```yaml
//! about: an image without a tag is denied
//! settings: {}                    # optional
//! object: {apiVersion: v1, kind: Pod, ...}
//! oldObject: {...}                # makes it an UPDATE
//! operation: CREATE               # CREATE, UPDATE or DELETE
//! subResource: resize             # of the object's resource
//! namespaceLabels: {tier: web}
//! namespaceAnnotations: {a.example/b: c}
//! userInfo: {username: dev}
//! others:                         # what lookups find besides
//!   - {apiVersion: v1, kind: Secret, metadata: {name: db, namespace: shop}}
//! ungranted: [services]           # lookups that the operator did not grant
//! expect:
//!   findings: [{code: image-latest, container: web, path: /spec/containers/0/image}]
//!   effects: [{kind: secrets, required: true, object: {...}}]
//!   guarded: [{code: not-yours, path: /metadata/labels, permission: {verb: update, resource: x}}]
//!   lacking: [{code: nothing-there, path: /metadata/name, unless: 2, object: {...}}]
//!   cutOff: [{code: closed, path: /metadata/labels, policy: {...}}]
//! ```
//!
//! Of an effect, `object` may be left out, and so may `mode` and `unless`, the
//! number of its alternatives; likewise of what findings hang on. The AdmissionReview around the object is made. The same files run natively
//! (`portcullis_sdk::cases`) and through wasm, with equal results.

mod answers;
mod effects;
mod hanging;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_manifest as manifest;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{MatchConstraints, Operation, PatchOperation, Verdict, Within};
use effects::{ExpectedEffect, ExpectedGuarded};
use hanging::{ExpectedCutOff, ExpectedLack};

pub use answers::Answers;

/// One case file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What the case shows, one sentence.
    pub about: String,
    #[serde(default)]
    settings: Map<String, Value>,
    match_constraints: Option<MatchConstraints>,
    operation: Option<Operation>,
    sub_resource: Option<String>,
    #[serde(default)]
    namespace_labels: BTreeMap<String, String>,
    #[serde(default)]
    namespace_annotations: BTreeMap<String, String>,
    namespace_is_known: Option<bool>,
    #[serde(default)]
    user_info: Option<Value>,
    #[serde(default)]
    object: Value,
    #[serde(default)]
    old_object: Value,
    #[serde(default)]
    others: Vec<Value>,
    #[serde(default)]
    ungranted: BTreeSet<String>,
    expect: Expect,
}

/// What a policy should say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    #[serde(default)]
    findings: Vec<ExpectedFinding>,
    #[serde(default)]
    changes: Vec<PatchOperation>,
    #[serde(default)]
    effects: Vec<ExpectedEffect>,
    #[serde(default)]
    guarded: Vec<ExpectedGuarded>,
    #[serde(default)]
    lacking: Vec<ExpectedLack>,
    #[serde(default, rename = "cutOff")]
    cut_off: Vec<ExpectedCutOff>,
    #[serde(default)]
    faults: Vec<ExpectedFault>,
    error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFinding {
    code: String,
    path: String,
    container: Option<String>,
    within: Option<Within>,
    message: Option<String>,
    remedy: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFault {
    path: String,
    message: String,
}

/// What a policy did say.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It took its settings and judged.
    Judged(Verdict),
    /// It refused its settings: path and message of each fault.
    Refused(Vec<(String, String)>),
}

/// A case file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no YAML.
    #[error("line {line}, column {column}: {problem}")]
    Yaml {
        /// From 1.
        line: u32,
        /// From 1.
        column: u32,
        /// What is wrong.
        problem: String,
    },
    /// It is no case.
    #[error("{0}")]
    Case(String),
}

impl Case {
    /// Reads a case file.
    ///
    /// # Errors
    ///
    /// Its place and what is wrong; a case that expects nothing must say so
    /// with an empty `expect`.
    pub fn parse(text: &[u8]) -> Result<Case, Error> {
        let value = manifest::parse_document(text).map_err(|broken| Error::Yaml {
            line: broken.position.line,
            column: broken.position.column,
            problem: broken.message,
        })?;
        let case: Case =
            serde_json::from_value(value).map_err(|error| Error::Case(error.to_string()))?;
        if case.object.is_null() && case.old_object.is_null() {
            return Err(Error::Case(
                "it has neither `object` nor `oldObject`".into(),
            ));
        }
        Ok(case)
    }

    /// Whether the host knows all of the namespace; unless the case says
    /// otherwise, it does.
    pub fn namespace_is_known(&self) -> bool {
        self.namespace_is_known.unwrap_or(true)
    }

    /// The settings as JSON text.
    pub fn settings_text(&self) -> String {
        Value::Object(self.settings.clone()).to_string()
    }

    /// What the operator has the policy judge instead of what it says itself.
    pub fn match_constraints(&self) -> Option<&MatchConstraints> {
        self.match_constraints.as_ref()
    }

    /// The settings.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    /// The objects that lookups find.
    pub fn others(&self) -> &[Value] {
        &self.others
    }

    /// The names of lookups that the policy has to do without.
    pub fn ungranted(&self) -> &BTreeSet<String> {
        &self.ungranted
    }

    fn operation(&self) -> Operation {
        let default = match (self.object.is_null(), self.old_object.is_null()) {
            (true, _) => Operation::Delete,
            (false, true) => Operation::Create,
            (false, false) => Operation::Update,
        };
        self.operation.unwrap_or(default)
    }

    /// The namespace that the object is in.
    pub fn namespace_object(&self) -> Value {
        let subject = if self.object.is_null() {
            &self.old_object
        } else {
            &self.object
        };
        let name = subject
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty());
        let name = name.unwrap_or("default");
        let mut labels = self.namespace_labels.clone();
        labels.insert("kubernetes.io/metadata.name".into(), name.into());
        let mut metadata = json!({"name": name, "labels": labels});
        if !self.namespace_annotations.is_empty() {
            metadata["annotations"] = json!(self.namespace_annotations);
        }
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    }

    /// The AdmissionRequest around the object, as far as policies read it.
    pub fn admission_request(&self) -> Map<String, Value> {
        let subject = if self.object.is_null() {
            &self.old_object
        } else {
            &self.object
        };
        let text = |member: &str| {
            subject
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (group, version) = text("apiVersion")
            .split_once('/')
            .unwrap_or(("", text("apiVersion")));
        let user = json!({"username": "case", "groups": ["system:authenticated"]});
        let namespace = self.namespace_object();
        let request = json!({
            "uid": "00000000-0000-0000-0000-000000000000",
            "operation": self.operation(),
            "kind": {"group": group, "version": version, "kind": text("kind")},
            "subResource": self.sub_resource,
            "name": subject.pointer("/metadata/name").cloned().unwrap_or_default(),
            "namespace": namespace["metadata"]["name"],
            "userInfo": self.user_info.clone().unwrap_or(user),
            "dryRun": false,
            "object": self.object,
            "oldObject": self.old_object,
        });
        match request {
            Value::Object(request) => request,
            _ => Map::new(),
        }
    }

    /// What differs from what is expected, one line each.
    pub fn mismatches(&self, outcome: &Outcome) -> Vec<String> {
        match outcome {
            Outcome::Refused(faults) => self.faults_differ(faults),
            Outcome::Judged(_) if !self.expect.faults.is_empty() => {
                vec!["the settings were taken, but `expect.faults` says they are refused".into()]
            }
            Outcome::Judged(verdict) => self.verdict_differs(verdict),
        }
    }

    fn faults_differ(&self, faults: &[(String, String)]) -> Vec<String> {
        let fits = |(fault, expected): (&(String, String), &ExpectedFault)| {
            fault.0 == expected.path && fault.1.contains(&expected.message)
        };
        let expected = &self.expect.faults;
        if faults.len() == expected.len() && faults.iter().zip(expected).all(fits) {
            return vec![];
        }
        vec![format!(
            "the settings were refused with {faults:?}, expected {expected:?}"
        )]
    }

    fn verdict_differs(&self, verdict: &Verdict) -> Vec<String> {
        let mut mismatches = Vec::new();
        match (&verdict.error, &self.expect.error) {
            (None, None) => {}
            (Some(error), Some(expected)) if error.contains(expected) => {}
            (found, expected) => {
                mismatches.push(format!("error: found {found:?}, expected {expected:?}"));
            }
        }
        let expected = &self.expect.findings;
        for index in 0..verdict.findings.len().max(expected.len()) {
            match (verdict.findings.get(index), expected.get(index)) {
                (Some(found), Some(expected)) if expected.fits(found) => {}
                (Some(found), Some(expected)) => {
                    mismatches.push(format!(
                        "finding {index}: found {found:?}, expected {expected:?}"
                    ));
                }
                (Some(found), None) => {
                    mismatches.push(format!("finding {index}: not expected: {found:?}"))
                }
                (None, Some(expected)) => {
                    mismatches.push(format!("finding {index}: missing: {expected:?}"))
                }
                (None, None) => {}
            }
        }
        let changes = verdict
            .changes
            .as_ref()
            .map(|changes| changes.patch.as_slice());
        if changes.unwrap_or_default() != self.expect.changes {
            let found = changes.unwrap_or_default();
            let expected = &self.expect.changes;
            mismatches.push(format!("changes: found {found:?}, expected {expected:?}"));
        }
        let changes = verdict.changes.as_ref();
        mismatches.extend(effects::differ(changes, &self.expect.effects));
        mismatches.extend(effects::guarded_differ(changes, &self.expect.guarded));
        mismatches.extend(hanging::lacking_differ(changes, &self.expect.lacking));
        mismatches.extend(hanging::cut_off_differ(changes, &self.expect.cut_off));
        mismatches
    }
}

impl ExpectedFinding {
    fn fits(&self, found: &crate::Finding) -> bool {
        let contains = |text: &str, part: &Option<String>| {
            part.as_ref()
                .is_none_or(|part| text.contains(part.as_str()))
        };
        self.code == found.code
            && self.path == found.path
            && self.container == found.container
            && (self.within.is_none() || self.within == found.within)
            && contains(&found.message, &self.message)
            && contains(&found.remedy, &self.remedy)
    }
}
