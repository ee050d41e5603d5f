//! Which tests `cargo test` runs, without building anything a second time.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, root};

/// Tests of these targets, of the whole workspace: with a package alone, cargo
/// builds dependencies anew with fewer features.
pub(super) fn tests(targets: &[&str]) -> Command {
    let mut tests = cargo(&["test", "--workspace", "--quiet"]);
    tests.args(targets);
    tests
}

/// Those of the webhook that need no control plane.
pub(super) fn integration() -> Command {
    tests(&["--test", "it", "--"])
}

/// What needs a control plane, of those in `src` folders.
pub(super) const ON_PLANE: &str = "cluster::tests";

/// Those on the control plane.
pub(super) fn cluster() -> Command {
    tests(&["--test", "cluster", "--"])
}

/// What crates have in their `src`, what policies have in their `tests`, and
/// the examples of documentation.
///
/// # Errors
///
/// The folders of the policies cannot be read, or hold no tests.
pub(super) fn units() -> Result<[Command; 3]> {
    let names = of_policies(&root().join("policies"))?;
    let policies: Vec<&str> = names.iter().flat_map(|name| ["--test", name]).collect();
    Ok([
        // One of the control plane's own tests starts it.
        tests(&["--lib", "--bins", "--", "--skip", ON_PLANE]),
        tests(&policies),
        tests(&["--doc"]),
    ])
}

/// The names of all `policies/*/tests/*.rs`.
fn of_policies(policies: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for policy in entries(policies)? {
        let tests = policy.join("tests");
        if !tests.is_dir() {
            continue;
        }
        for file in entries(&tests)? {
            if file.extension().is_some_and(|extension| extension == "rs") {
                let stem = file.file_stem().unwrap_or_default();
                names.insert(stem.to_string_lossy().into_owned());
            }
        }
    }
    ensure!(!names.is_empty(), "{} holds no tests", policies.display());
    Ok(names)
}

fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let place = || folder.display().to_string();
    let entries = std::fs::read_dir(folder).with_context(place)?;
    let paths = entries.map(|entry| Ok(entry.with_context(place)?.path()));
    paths.collect()
}
