//! The judge: upstream's own readers, as a program.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::support::root;

/// The program, built once.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = root().join("target/judge");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg(".");
        let built = build
            .current_dir(root().join("tests/judge"))
            .status()
            .expect("Go is missing: install it from https://go.dev/dl");
        assert!(built.success(), "the judge does not build");
        program
    })
}
