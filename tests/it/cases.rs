//! Policies' case files, through wasm: the very expectations that they meet
//! natively.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::policy::spec::Limits;
use portcullis::policy::{Cause, Evaluate, Failure, patch};
use portcullis::wasm::{Engine, Loaded};
use portcullis_contract::case::{Case, Outcome};
use portcullis_contract::reads::Reads;
use portcullis_contract::{Redaction, Request, Verdict};

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
        for file in files {
            run(&loaded, &file, &mut unseen);
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

fn run(loaded: &Loaded, file: &Path, unseen: &mut BTreeSet<String>) {
    let case = Case::parse(&std::fs::read(file).expect("a case")).expect("a case");
    let outcome = judge(loaded, &case);
    if let Outcome::Judged(verdict) = &outcome {
        for finding in &verdict.findings {
            unseen.remove(&finding.code);
        }
    }
    assert_eq!(
        case.mismatches(&outcome),
        Vec::<String>::new(),
        "{}",
        file.display()
    );
}

fn judge(loaded: &Loaded, case: &Case) -> Outcome {
    let program = match loaded.program(case.settings(), Limits::default()) {
        Ok(program) => program,
        Err(failure) => return Outcome::Refused(faults(&failure)),
    };
    let reads = Reads::parse(loaded.description().reads.iter().map(String::as_str)).expect("reads");
    let (admission, namespace) = (case.admission_request(), case.namespace_object());
    let projection = reads.project(&Request::new(&admission, &namespace), Redaction::Blank);
    let evaluate =
        |projection: &str| program.evaluate(projection, Instant::now() + Duration::from_secs(5));
    match evaluate(&projection) {
        Ok(verdict) => {
            if let Some(changes) = &verdict.changes {
                let changed = patch::apply(&admission["object"], &changes.patch).expect("applies");
                let request = Request::new(&admission, &namespace).with_object(&changed);
                let again = evaluate(&reads.project(&request, Redaction::Blank));
                assert_eq!(again.expect("a verdict").changes, None, "{}", case.about);
            }
            Outcome::Judged(verdict)
        }
        Err(Failure {
            cause: Cause::Refused,
            message,
            ..
        }) => Outcome::Judged(Verdict {
            error: Some(message),
            ..Verdict::default()
        }),
        Err(failure) => panic!("{failure:?}"),
    }
}

/// Undoes the line that a person reads: `settings.a[0]`: message; ...
fn faults(failure: &Failure) -> Vec<(String, String)> {
    assert_eq!(failure.cause, Cause::Settings, "{failure:?}");
    let list = failure
        .message
        .strip_prefix("its settings are refused: ")
        .expect("the faults");
    let one = |fault: &str| match fault
        .strip_prefix("`settings.")
        .and_then(|f| f.split_once("`: "))
    {
        Some((path, message)) => (pointer(path), message.to_owned()),
        None => (String::new(), fault.to_owned()),
    };
    list.split("; `settings.")
        .enumerate()
        .map(|(index, fault)| {
            if index == 0 {
                one(fault)
            } else {
                one(&format!("`settings.{fault}"))
            }
        })
        .collect()
}

fn pointer(field_path: &str) -> String {
    let mut pointer = String::new();
    let mut rest = field_path;
    while !rest.is_empty() {
        let (token, after) = if let Some(quoted) = rest.strip_prefix("[\"") {
            quoted.split_once("\"]").expect("a closed bracket")
        } else if let Some(index) = rest.strip_prefix('[') {
            index.split_once(']').expect("a closed bracket")
        } else {
            let name = rest.trim_start_matches('.');
            name.split_at(name.find(['.', '[']).unwrap_or(name.len()))
        };
        pointer = portcullis_contract::pointer::join(&pointer, token);
        rest = after;
    }
    pointer
}
