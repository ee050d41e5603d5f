//! `cargo xtask lint`: what can be said of the code without running it.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::shell::{cargo, command, root, run};
use crate::{build, shell};

const DENY_VERSION: &str = "0.20.2";

/// Format, clippy, documentation, dependencies: in the order of their cost.
pub(crate) fn lint(arguments: &[String]) -> Result<()> {
    ensure!(arguments.is_empty(), "`cargo xtask lint` takes nothing");
    run(&mut cargo(&["fmt", "--all", "--check"])).context("run `cargo fmt --all`")?;
    // The binary embeds the policies, so they come before what looks at it.
    build::policies()?;
    run(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    let mut document = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--quiet",
    ]);
    run(document.env(
        "RUSTDOCFLAGS",
        "-D warnings -A rustdoc::private-intra-doc-links",
    ))?;
    dependencies()
}

fn dependencies() -> Result<()> {
    let deny = deny()?.display().to_string();
    run(&mut command(
        &deny,
        &[
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ],
    ))?;
    // The advisories live in a git repository, which not every machine reaches.
    let mut advisories = command(&deny, &["check", "--hide-inclusion-graph", "advisories"]);
    let output = advisories
        .output()
        .context("cargo-deny cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let is_out_of_reach = said.contains("failed to fetch advisory database");
    if is_out_of_reach {
        println!("advisories NOT CHECKED: the RustSec database cannot be reached from here");
        return Ok(());
    }
    ensure!(
        output.status.success(),
        "cargo deny check advisories: {said}"
    );
    Ok(())
}

/// cargo-deny of the pinned version, built once.
fn deny() -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let deny = tools.join("bin/cargo-deny");
    if !deny.is_file() {
        let tools = tools.display().to_string();
        let version = ["--version", DENY_VERSION, "--locked", "--root", &tools];
        let install = ["install", "cargo-deny", "--no-default-features"];
        run(shell::cargo(&install).args(version))?;
    }
    Ok(deny)
}
