//! What people install.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use super::{ensure_target, policies, remapping};
use crate::shell::{cargo, root, run};

/// The binary to install, with the policies in it; for this machine, or
/// cross-compiled for that target. Returns where it is.
pub(crate) fn release(cross: Option<&str>) -> Result<PathBuf> {
    policies()?;
    let mut build = cargo(&["build", "--release", "--package", "portcullis", "--bins"]);
    released(&mut build);
    let Some(target) = cross else {
        run(&mut build)?;
        return Ok(root().join("target/release/portcullis"));
    };
    ensure_target(target)?;
    compiler(&mut build, target)?;
    run(build.args(["--target", target]))?;
    Ok(root()
        .join("target")
        .join(target)
        .join("release/portcullis"))
}

/// Paths of this machine do not end up in what is released. All release builds
/// are made so: cargo would start from the beginning otherwise.
pub(crate) fn released(build: &mut Command) {
    let flags = remapping();
    build.env(
        "CFLAGS",
        flags.replace("--remap-path-prefix", "-ffile-prefix-map"),
    );
    build.env("RUSTFLAGS", flags);
}

/// Debian's cross compiler, as `crossbuild-essential-ARCH` brings it.
fn compiler(build: &mut Command, target: &str) -> Result<()> {
    let name = format!("{}-gcc", target.replace("-unknown", ""));
    ensure!(
        Command::new(&name).arg("--version").output().is_ok(),
        "{name} is missing: install the package crossbuild-essential-arm64"
    );
    let variable = target.replace('-', "_");
    build.env(format!("CC_{variable}"), &name);
    let linker = format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase());
    build.env(linker, name);
    Ok(())
}
