//! Policies' case files, through wasm: the very expectations that they meet
//! natively.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::policy::lookup::{Inventory, LookupGrant};
use portcullis::policy::spec::{Limits, ProgramRef};
use portcullis::policy::{Asked, Cause, Evaluate, Others, Sight, Spec, patch};
use portcullis::wasm::{Engine, Loaded, Program, Trial};
use portcullis_contract::case::{Case, Outcome};
use portcullis_contract::reads::Reads;
use portcullis_contract::{Changes, Description, Redaction, Request, Verdict};
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
    description: Arc<Description>,
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
            description: Arc::clone(loaded.description()),
        }
    }

    fn run(&self, file: &Path, unseen: &mut BTreeSet<String>) {
        let case = Case::parse(&std::fs::read(file).expect("a case")).expect("a case");
        let outcome = self.judge(&case);
        if let Outcome::Judged(verdict) = &outcome {
            let hanging = verdict.changes.iter().flat_map(Changes::hanging);
            for finding in verdict.findings.iter().chain(hanging) {
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
        let (sight, others) = self.sight(case);
        let program = self.trial.program(settings, Limits::default());
        let program = program.expect("its settings are good").seeing(&sight);
        let verdict = self.verdict(&program, case, &others);
        if settings.is_empty() {
            let in_force = self.in_force.clone().seeing(&sight);
            let in_force = self.verdict(&in_force, case, &others);
            assert_eq!(in_force, verdict, "from the snapshot: {}", case.about);
        }
        Outcome::Judged(verdict)
    }

    /// What the policy may look up in a case, and what it finds.
    fn sight(&self, case: &Case) -> (Arc<Sight>, Arc<dyn Others>) {
        let program = ProgramRef::Builtin("tried".into());
        let mut spec = Spec::of(program);
        spec.lookups = LookupGrant::everything(&self.description);
        spec.lookups
            .retain(|grant| !case.ungranted().contains(&grant.name()));
        let sight = Sight::new(&self.description, &spec).expect("every lookup is granted");
        let mut inventory = Inventory::new(sight.granted());
        for object in case.others() {
            inventory.add(object, |_, _| false);
        }
        (Arc::new(sight), Arc::new(inventory))
    }

    fn verdict(&self, program: &Program, case: &Case, others: &Arc<dyn Others>) -> Verdict {
        let (admission, namespace) = (case.admission_request(), case.namespace_object());
        let request = Request {
            namespace_is_known: case.namespace_is_known(),
            ..Request::new(&admission, &namespace)
        };
        let evaluate = |request: &Request<'_>| {
            let projection = self.reads.project(request, self.redaction);
            let asked = Asked {
                request: &projection,
                namespace: namespace["metadata"]["name"].as_str(),
                others: Some(others),
                looked: None,
            };
            program.judge(asked, Instant::now() + Duration::from_secs(5))
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
