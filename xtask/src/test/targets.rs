//! Which tests `cargo test` runs, without building anything a second time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
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
/// The folders of the crates cannot be read, or hold no tests.
pub(super) fn units() -> Result<[Command; 3]> {
    Ok([
        // One of the control plane's own tests starts it.
        tests(&["--lib", "--bins", "--", "--skip", ON_PLANE]),
        in_tests_of(&entries(&root().join("policies"))?)?,
        tests(&["--doc"]),
    ])
}

/// What is decided of relocations, by itself: properties, and the protocol's
/// model.
///
/// # Errors
///
/// As [`units`].
pub(super) fn relocation() -> Result<Command> {
    in_tests_of(&[root().join("relocation")])
}

/// Builds the protocol's model, which is a workspace of its own, where its test
/// (`relocation/tests/model.rs`) looks for it.
pub(super) fn model() -> Command {
    let manifest = "relocation/model/Cargo.toml";
    let build = [
        "test",
        "--locked",
        "--no-run",
        "--quiet",
        "--manifest-path",
        manifest,
    ];
    let mut build = cargo(&build);
    build.env("CARGO_TARGET_DIR", root().join("target"));
    build
}

/// All `tests/*.rs` of these crates.
fn in_tests_of(crates: &[PathBuf]) -> Result<Command> {
    let mut names = BTreeSet::new();
    for folder in crates {
        let tests = folder.join("tests");
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
    ensure!(
        !names.is_empty(),
        "no crate has a folder `tests` with tests"
    );
    let own: Vec<&str> = names.iter().flat_map(|name| ["--test", name]).collect();
    Ok(tests(&own))
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let place = || folder.display().to_string();
    let entries = std::fs::read_dir(folder).with_context(place)?;
    let paths = entries.map(|entry| Ok(entry.with_context(place)?.path()));
    paths.collect()
}
