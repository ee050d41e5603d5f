//! A policy's case files, run natively: `cargo test` needs no host.

use std::path::{Path, PathBuf};

use portcullis_contract::case::{Answers, Case, Outcome};
use portcullis_contract::reads::Reads as Projection;
use portcullis_contract::{Redaction, Request};

use crate::{Policy, guest, lookups};

/// Runs every `.yaml` file in `folder` (relative to the crate) through the
/// policy's own reads.
///
/// # Panics
///
/// With a list of what differs; also if there is no case at all.
pub fn run<P: Policy>(folder: impl AsRef<Path>) {
    let folder = folder.as_ref();
    let files = files(folder);
    assert!(
        !files.is_empty(),
        "{} holds no case: add a NAME.yaml",
        folder.display()
    );
    let faults: Vec<String> = files.iter().flat_map(|file| run_file::<P>(file)).collect();
    assert!(
        faults.is_empty(),
        "{} of the cases differ:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    files
}

fn run_file<P: Policy>(file: &Path) -> Vec<String> {
    let fault = |problem: String| format!("{}: {problem}", file.display());
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) => return vec![fault(error.to_string())],
    };
    match Case::parse(&text) {
        Ok(case) => case
            .mismatches(&judge::<P>(&case))
            .into_iter()
            .map(fault)
            .collect(),
        Err(error) => vec![fault(error.to_string())],
    }
}

fn judge<P: Policy>(case: &Case) -> Outcome {
    let settings = match guest::read_settings::<P>(&case.settings_text()) {
        Ok(settings) => settings,
        Err(faults) => {
            return Outcome::Refused(
                faults
                    .into_iter()
                    .map(|fault| (fault.path, fault.message))
                    .collect(),
            );
        }
    };
    let description = guest::description::<P>();
    let reads = Projection::parse(description.reads.iter().map(String::as_str))
        .unwrap_or_else(|error| panic!("{error}"));
    let admission = case.admission_request();
    let namespace = case.namespace_object();
    let request = Request {
        namespace_is_known: case.namespace_is_known(),
        ..Request::new(&admission, &namespace)
    };
    let projection = reads.project(&request, Redaction::None);
    let answers = Answers::of(case, &description.lookups, &namespace);
    let judge = || guest::judge::<P>(&projection, &settings);
    Outcome::Judged(lookups::among(move |_, query| answers.answer(query), judge))
}
