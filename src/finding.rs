//! What an audit found, as data: one [`Report`], several views of it.
//!
//! Knows nothing of where objects came from. The members of the types are the
//! contract of `--output json` (schema 1): they may be added to, not renamed.
//! No value of a Secret or a ConfigMap is in any of them.
#![deny(clippy::disallowed_types)]

pub mod baseline;
pub mod exempting;
pub mod human;
pub mod json;
pub mod junit;
mod place;
pub mod sarif;

use portcullis_contract::{Level, PatchOperation, Within, pointer};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fix::{self, Fix};
use crate::policy::action::Action;
use crate::policy::decision::plain;
use exempting::{Exempted, Exempting};
pub use place::{Excerpt, Identity, Place, Subject};

/// All that an audit found.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What is wrong, by file, document, path and policy.
    pub findings: Vec<Finding>,
    /// What mutating policies would do, by object.
    pub changes: Vec<Change>,
    /// Documents and policies that could not be judged.
    pub failures: Vec<Failure>,
    /// What was passed over.
    pub skipped: Vec<Skipped>,
    /// Objects of a cluster that were passed over, by resource and reason.
    #[serde(rename = "passedOver", skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
    /// The PolicyExemptions that are known, and what each forgives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exemptions: Vec<Exempting>,
    /// How many lists of a cluster were read to their end.
    #[serde(skip)]
    pub lists: usize,
    /// The objects that were judged, for views that name each: most have no
    /// finding.
    #[serde(skip)]
    pub judged: Vec<Subject>,
    /// The counts.
    pub summary: Summary,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The policy that found it.
    pub policy: String,
    /// Stable, kebab-case.
    pub code: String,
    /// How bad it is, in the policy's eyes.
    pub level: Level,
    /// What it leads to.
    pub action: Action,
    /// What is the case.
    pub message: String,
    /// What to write instead.
    pub remedy: String,
    /// Where the object is.
    #[serde(flatten)]
    pub place: Place,
    /// What the object is.
    #[serde(flatten)]
    pub object: Identity,
    /// JSON Pointer into the object.
    pub path: String,
    /// The container concerned, where there is one.
    pub container: Option<String>,
    /// Where in the text at `path` it is, if that holds a text of its own; the
    /// line and the column of a file are those of that very place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
    /// The same for the same finding on the same object, wherever it stands.
    pub fingerprint: String,
    /// By what it is forgiven, if it is; `action` is then `audit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exemption: Option<Exempted>,
    /// What to write instead of a secret, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Box<Fix>>,
    /// Whether there is something to write instead, asked for or not.
    #[serde(skip)]
    pub has_fix: bool,
    /// The object that would mend it, and that Portcullis would create.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creates: Option<Box<Value>>,
    /// The lines to show, if there are any.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

impl Finding {
    /// What to do and what is the case, one line without control characters:
    /// the text of every view for people.
    pub fn text(&self) -> String {
        let by = match &self.exemption {
            Some(by) => format!(
                "; exempted by `{}` until {}: {}",
                by.name, by.expires, by.reason
            ),
            None => String::new(),
        };
        plain(&format!("{}: {}{by}", self.remedy, self.message))
    }

    /// What it is about: ``Deployment shop/web, container `web`,
    /// spec.template.spec.containers[0].image``, and the line of a text that
    /// stands there.
    pub fn subject(&self) -> String {
        let container = match &self.container {
            Some(container) => format!(", container `{container}`"),
            None => String::new(),
        };
        let place = pointer::field_path(&self.path);
        let line = match self.within {
            Some(within) => format!(", {within}"),
            None => String::new(),
        };
        plain(&format!("{}{container}, {place}{line}", self.object))
    }
}

/// What mutating policies would do to one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Where the object is.
    #[serde(flatten)]
    pub place: Place,
    /// What the object is.
    #[serde(flatten)]
    pub object: Identity,
    /// The policies that would change it.
    pub policies: Vec<String>,
    /// RFC 6902.
    pub patch: Vec<PatchOperation>,
}

/// A document or a policy that could not be judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Failure {
    /// The file, null if the failure is of a policy as a whole.
    pub file: Option<String>,
    /// Index of the document, where one is concerned.
    pub document: Option<usize>,
    /// From 1.
    pub line: Option<u32>,
    /// From 1.
    pub column: Option<u32>,
    /// The policy, where one is concerned.
    pub policy: Option<String>,
    /// What went wrong, one line.
    pub cause: String,
}

impl Failure {
    /// What went wrong and with which policy, one line without control
    /// characters; the place is the view's to add.
    pub fn text(&self) -> String {
        match &self.policy {
            Some(policy) => plain(&format!("policy `{policy}`: {}", self.cause)),
            None => plain(&self.cause),
        }
    }
}

/// A document that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// The file.
    pub file: String,
    /// Index of the document.
    pub document: usize,
    /// From 1.
    pub line: u32,
    /// Why, kebab-case.
    pub code: String,
}

/// Objects of a cluster that were passed over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PassedOver {
    /// Plural, with its group: `pods`, `deployments.apps`.
    pub resource: String,
    /// Why, kebab-case.
    pub code: String,
    /// How many; none of a resource that the cluster does not have.
    pub objects: usize,
}

/// The counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Objects that were judged.
    pub objects: usize,
    /// Findings.
    pub findings: usize,
    /// Objects with a finding that is denied.
    pub denied: usize,
    /// Objects with a finding that is warned of.
    pub warned: usize,
    /// Failures.
    pub failures: usize,
    /// Documents passed over.
    pub skipped: usize,
}

/// From what on an audit fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum FailOn {
    /// Something is denied.
    #[default]
    Deny,
    /// Something is denied or warned of.
    Warn,
}

impl FailOn {
    /// Whether an audit fails for a finding that leads to this.
    pub fn includes(self, action: Action) -> bool {
        match self {
            FailOn::Deny => action == Action::Deny,
            FailOn::Warn => matches!(action, Action::Deny | Action::Warn),
        }
    }
}

impl Report {
    /// Sorts and counts: call it once everything is in.
    pub fn finish(&mut self, objects: usize) {
        self.findings
            .sort_by(|one, other| order(one).cmp(&order(other)));
        self.judged
            .sort_by(|one, other| one.place.cmp(&other.place));
        self.failures.sort();
        self.skipped.sort();
        self.passed_over.sort();
        let passed_over: usize = self.passed_over.iter().map(|one| one.objects).sum();
        self.summary = Summary {
            objects,
            findings: self.findings.len(),
            denied: self.objects_with(Action::Deny),
            warned: self.objects_with(Action::Warn),
            failures: self.failures.len(),
            skipped: self.skipped.len() + passed_over,
        };
    }

    /// Adds to what is to be written instead of secrets what changes where they
    /// are used: call it once all uses are known.
    pub fn complete_fixes(&mut self, uses: &[fix::Use]) {
        for fix in self.findings.iter_mut().filter_map(|one| one.fix.as_mut()) {
            fix.complete(uses);
        }
    }

    fn objects_with(&self, action: Action) -> usize {
        let of_action = self
            .findings
            .iter()
            .filter(|finding| finding.action == action);
        let objects = of_action.map(|f| (&f.place.file, f.place.document, f.place.item, &f.object));
        objects.collect::<std::collections::HashSet<_>>().len()
    }

    /// 2 if something could not be judged or nothing was there to judge
    /// (`allow_broken` lifts this for documents, not for policies), else 1 if
    /// the findings are bad enough, else 0.
    pub fn exit_code(&self, fail_on: FailOn, allow_broken: bool) -> u8 {
        let counts = |failure: &&Failure| !allow_broken || failure.document.is_none();
        let nothing_was_read =
            self.summary.objects == 0 && self.skipped.is_empty() && self.lists == 0;
        if self.failures.iter().any(|failure| counts(&failure)) || nothing_was_read {
            return 2;
        }
        let is_bad = match fail_on {
            FailOn::Deny => self.summary.denied > 0,
            FailOn::Warn => self.summary.denied + self.summary.warned > 0,
        };
        u8::from(is_bad)
    }
}

/// By file, document and place in it; objects of a cluster by namespace, kind
/// and name.
fn order(finding: &Finding) -> impl Ord + '_ {
    let (place, object) = (&finding.place, &finding.object);
    let position = (&place.file, place.document, place.item);
    let object = (&object.namespace, &object.kind, &object.name);
    (position, object, &finding.path, &finding.policy)
}

/// From policy, code, object and container: no line, no file, so that a
/// finding stays the same when its manifest moves.
pub fn fingerprint(policy: &str, code: &str, object: &Identity, container: Option<&str>) -> String {
    let group = crate::policy::kinds::group_version(&object.api_version).0;
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let parts = [
        policy,
        code,
        group,
        &object.kind,
        namespace,
        &object.name,
        container.unwrap_or_default(),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(document: Option<usize>) -> Failure {
        Failure {
            document,
            ..Failure::default()
        }
    }

    #[test]
    fn exit_codes_keep_unjudged_apart_from_denied() {
        let mut report = Report::default();
        report.summary.objects = 1;
        assert_eq!(report.exit_code(FailOn::Deny, false), 0);
        report.summary.warned = 1;
        assert_eq!(report.exit_code(FailOn::Deny, false), 0);
        assert_eq!(report.exit_code(FailOn::Warn, false), 1);
        report.failures = vec![failure(Some(0))];
        assert_eq!(report.exit_code(FailOn::Warn, false), 2);
        assert_eq!(report.exit_code(FailOn::Warn, true), 1);
        report.failures = vec![failure(None)];
        assert_eq!(report.exit_code(FailOn::Warn, true), 2);
        assert_eq!(Report::default().exit_code(FailOn::Deny, true), 2);
    }

    #[test]
    fn fingerprints_do_not_run_parts_together() {
        let object = |name: &str, namespace: &str| Identity {
            name: name.into(),
            namespace: Some(namespace.into()),
            ..Identity::default()
        };
        let one = fingerprint("p", "c", &object("ab", "c"), None);
        assert_ne!(one, fingerprint("p", "c", &object("b", "ca"), None));
        assert_eq!(one.len(), 24);
    }
}
