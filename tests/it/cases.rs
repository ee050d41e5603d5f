//! Policies' case files, through wasm: the very expectations that they meet
//! natively.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::policy::spec::Limits;
use portcullis::policy::{Cause, Evaluate, patch};
use portcullis::wasm::{Engine, Loaded, Program, Trial};
use portcullis_contract::case::{Case, Outcome};
use portcullis_contract::reads::Reads;
use portcullis_contract::{Redaction, Request, Verdict};
use serde_json::Map;

use crate::support::root;

#[test]
fn every_case_is_judged_by_the_component_as_it_is_natively() {
    let engine = Arc::new(Engine::new().expect("an engine"));
    let programs = entries(&root().join("target/policies"), "wasm");
    assert!(!programs.is_empty(), "run `cargo xtask build` first");
    for program in programs {
        let name = program
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("a name");
        let bytes = std::fs::read(&program).expect("a program");
        let loaded = Loaded::new(&engine, &bytes).expect("it loads");
        let files = entries(&root().join("policies").join(name).join("cases"), "yaml");
        assert!(files.len() >= 25, "{name} has {} cases", files.len());
        let mut unseen: BTreeSet<String> = loaded
            .description()
            .codes
            .iter()
            .map(|code| code.code.clone())
            .collect();
        let policy = Policy::new(&loaded);
        for file in files {
            policy.run(&file, &mut unseen);
        }
        assert!(unseen.is_empty(), "{name}: no case reports {unseen:?}");
    }
}

fn entries(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    files
}

/// One policy, as it is tried out and as it is in force without settings.
struct Policy {
    trial: Trial,
    in_force: Program,
    reads: Reads,
    redaction: Redaction,
}

/// Policies that the pack grants values.
const GRANTED: [&str; 2] = ["configmap-secrets", "plain-secret-in-git"];

impl Policy {
    fn new(loaded: &Loaded) -> Policy {
        let reads = loaded.description().reads.iter().map(String::as_str);
        let in_force = loaded.program(&Map::new(), Limits::default());
        let is_granted = GRANTED.contains(&loaded.description().name.as_str());
        Policy {
            redaction: match is_granted {
                true => Redaction::None,
                false => Redaction::Blank,
            },
            trial: loaded.trial().expect("it runs"),
            in_force: in_force.expect("it loads"),
            reads: Reads::parse(reads).expect("reads"),
        }
    }

    fn run(&self, file: &Path, unseen: &mut BTreeSet<String>) {
        let case = Case::parse(&std::fs::read(file).expect("a case")).expect("a case");
        let outcome = self.judge(&case);
        if let Outcome::Judged(verdict) = &outcome {
            let guarded = verdict.changes.iter().flat_map(|changes| &changes.guarded);
            let guarded = guarded.map(|guarded| &guarded.finding);
            for finding in verdict.findings.iter().chain(guarded) {
                unseen.remove(&finding.code);
            }
        }
        let none: [String; 0] = [];
        assert_eq!(case.mismatches(&outcome), none, "{}", file.display());
    }

    fn judge(&self, case: &Case) -> Outcome {
        let settings = case.settings();
        let faults = self.trial.faults(settings).expect("an answer");
        if !faults.is_empty() {
            return Outcome::Refused(faults);
        }
        let program = self.trial.program(settings, Limits::default());
        let program = program.expect("its settings are good");
        let verdict = self.verdict(&program, case);
        if settings.is_empty() {
            let in_force = self.verdict(&self.in_force, case);
            assert_eq!(in_force, verdict, "from the snapshot: {}", case.about);
        }
        Outcome::Judged(verdict)
    }

    fn verdict(&self, program: &Program, case: &Case) -> Verdict {
        let (admission, namespace) = (case.admission_request(), case.namespace_object());
        let request = Request {
            namespace_is_known: case.namespace_is_known(),
            ..Request::new(&admission, &namespace)
        };
        let evaluate = |request: &Request<'_>| {
            let projection = self.reads.project(request, self.redaction);
            program.evaluate(&projection, Instant::now() + Duration::from_secs(5))
        };
        match evaluate(&request) {
            Ok(verdict) => {
                if let Some(changes) = &verdict.changes {
                    let changed = patch::apply(request.object, &changes.patch).expect("applies");
                    let again = evaluate(&request.with_object(&changed));
                    let again = again.expect("a verdict").changes.unwrap_or_default();
                    assert!(!again.is_of_object(), "{}: {again:?}", case.about);
                }
                verdict
            }
            Err(failure) if failure.cause == Cause::Refused => Verdict {
                error: Some(failure.message),
                ..Verdict::default()
            },
            Err(failure) => panic!("{failure:?}"),
        }
    }
}
