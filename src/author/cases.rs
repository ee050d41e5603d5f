//! Case files through wasm, each as the request that it would be.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_contract::case::{Case, Outcome};
use portcullis_contract::reads::Reads;
use portcullis_contract::{Description, Redaction, Request, Verdict};
use serde_json::{Map, Value};

use super::Error;
use crate::admit::{self, Known, Subject};
use crate::policy::lookup::Inventory;
use crate::policy::spec::Limits;
use crate::policy::{Asked, Attributes, Cause, Evaluate, Failure, Others, Sight, Spec, patch};
use crate::review;
use crate::wasm::Trial;

/// A case proves a verdict, not a speed: a busy machine must not fail it.
const DEADLINE: Duration = Duration::from_secs(5);

/// What came of one entry of `cases/`.
#[derive(Debug)]
pub(super) struct Ran {
    /// The entry, relative to the crate.
    pub(super) file: String,
    /// What the case shows; empty where it cannot be read.
    pub(super) about: String,
    /// What differs, one line each; none if it passes.
    pub(super) faults: Vec<String>,
    /// The codes that the policy reported.
    pub(super) codes: Vec<String>,
}

/// The entries of the folder of cases by name; empty if there is none.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(|source| Error::file(folder, source))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|source| Error::file(folder, source))?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Runs cases.
pub(super) struct Runner<'a> {
    /// The policy.
    pub(super) description: &'a Description,
    /// The same, to be run.
    pub(super) trial: &'a Trial,
    /// Its reads.
    pub(super) reads: Reads,
    /// What it is granted.
    pub(super) redaction: Redaction,
    /// The document that would put it in force.
    pub(super) spec: &'a Spec,
}

impl Runner<'_> {
    /// Runs one entry of `cases/`.
    pub(super) fn run(&self, path: &Path) -> Ran {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut ran = Ran {
            file: format!("cases/{name}"),
            about: String::new(),
            faults: vec![],
            codes: vec![],
        };
        let outcome = read(path).and_then(|case| {
            ran.about.clone_from(&case.about);
            let outcome = self.outcome(&case)?;
            ran.faults = case.mismatches(&outcome);
            Ok(outcome)
        });
        match outcome {
            Ok(Outcome::Judged(verdict)) => {
                let codes = verdict.findings.into_iter().map(|finding| finding.code);
                ran.codes.extend(codes);
            }
            Ok(Outcome::Refused(_)) => {}
            Err(fault) => ran.faults.push(fault),
        }
        ran
    }

    fn outcome(&self, case: &Case) -> Result<Outcome, String> {
        let broke = |failure: Failure| {
            let (blame, cause) = (failure.blame, failure.cause);
            format!("the policy breaks: {failure} [{blame}/{cause}]")
        };
        let faults = self.trial.faults(case.settings()).map_err(broke)?;
        if !faults.is_empty() {
            return Ok(Outcome::Refused(faults));
        }
        self.check_match(case)?;
        let sight = self.sight(case)?;
        let program = self.trial.program(case.settings(), Limits::default());
        let program = program.map_err(broke)?.seeing(&sight);
        let (admission, namespace) = (case.admission_request(), case.namespace_object());
        let request = Request {
            namespace_is_known: case.namespace_is_known(),
            ..Request::new(&admission, &namespace)
        };
        let projection = self.reads.project(&request, self.redaction);
        let others = others(&sight, case);
        let asked = Asked {
            request: &projection,
            namespace: namespace["metadata"]["name"].as_str(),
            others: Some(&others),
            looked: None,
        };
        match program.judge(asked, Instant::now() + DEADLINE) {
            Ok(verdict) => {
                check_patch(request.object, &verdict)?;
                Ok(Outcome::Judged(verdict))
            }
            Err(failure) if failure.cause == Cause::Refused => Ok(Outcome::Judged(Verdict {
                error: Some(failure.message),
                ..Verdict::default()
            })),
            Err(failure) => Err(broke(failure)),
        }
    }

    /// What it may look up in a case.
    fn sight(&self, case: &Case) -> Result<Arc<Sight>, String> {
        let mut spec = self.spec.clone();
        spec.lookups
            .retain(|grant| !case.ungranted().contains(&grant.name()));
        let sight = Sight::new(self.description, &spec);
        sight.map(Arc::new).map_err(|failure| failure.to_string())
    }

    /// A case that no request of a cluster would bring to the policy proves
    /// nothing.
    fn check_match(&self, case: &Case) -> Result<(), String> {
        let admission = request(case);
        let attributes = Attributes::parse(&admission).map_err(|error| error.to_string())?;
        let subject = Subject {
            admission: &admission,
            attributes: &attributes,
            namespace: &case.namespace_object(),
            known: Known::Whole,
            others: None,
        };
        let own = &self.description.matches;
        if admit::reaches(case.match_constraints().unwrap_or(own), &subject) {
            return Ok(());
        }
        let Attributes {
            operation,
            group,
            version,
            resource,
            ..
        } = &attributes;
        let group = if group.is_empty() {
            "the core group"
        } else {
            group.as_str()
        };
        Err(format!(
            "the policy never sees this request, {} of `{resource}` of {group}, {version}: \
             mend the case or what `matches` gives, or write `matchConstraints` in the case",
            operation.as_str()
        ))
    }
}

/// The objects that the case says are there.
fn others(sight: &Sight, case: &Case) -> Arc<dyn Others> {
    let mut inventory = Inventory::new(sight.granted());
    for object in case.others() {
        inventory.add(object, |_, _| false);
    }
    Arc::new(inventory)
}

/// The case's request, with the resource and the namespace that a cluster
/// would name.
fn request(case: &Case) -> Map<String, Value> {
    let mut admission = case.admission_request();
    let object = ["object", "oldObject"].iter().find_map(|member| {
        let object = admission.get(*member)?;
        (!object.is_null()).then(|| review::create(object, |_, _| false))
    });
    for member in ["resource", "namespace"] {
        if let Some(value) = object.as_ref().and_then(|made| made.get(member)) {
            admission.insert(member.to_owned(), value.clone());
        }
    }
    admission
}

/// Changes that the host could not make are a failure, whatever the case says.
fn check_patch(object: &Value, verdict: &Verdict) -> Result<(), String> {
    let Some(changes) = &verdict.changes else {
        return Ok(());
    };
    match patch::apply(object, &changes.patch) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "the changes that it asks for cannot be made: {error}"
        )),
    }
}

fn read(path: &Path) -> Result<Case, String> {
    if path.is_dir() || path.extension().is_none_or(|extension| extension != "yaml") {
        return Err("it is not run: call it NAME.yaml, or move it out of `cases/`".into());
    }
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    Case::parse(&text).map_err(|error| format!("it is no case: {error}"))
}
