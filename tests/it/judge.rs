//! The judge: upstream's own readers, as a program.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
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

/// What the judge says, line by line, of what it is given.
pub(crate) fn asked(arguments: &[&str], input: &str) -> Vec<String> {
    let mut judge = Command::new(program())
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let (mut stdin, input) = (judge.stdin.take().expect("a pipe"), input.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = judge.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("it reads");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(str::to_owned).collect()
}
