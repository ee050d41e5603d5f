//! What people install.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{ensure_target, policies, remapping};
use crate::shell::{cargo, root, run};

/// The variables of src/failpoint.rs.
const STOPS: [&str; 2] = ["PORTCULLIS_STOP_FILE", "PORTCULLIS_SECONDS_AHEAD"];

/// The binary to install, with the policies in it; for this machine, or
/// cross-compiled for that target. Returns where it is.
pub(crate) fn release(cross: Option<&str>) -> Result<PathBuf> {
    policies()?;
    let mut build = cargo(&["build", "--release", "--package", "portcullis", "--bins"]);
    released(&mut build);
    let folder = root().join("target");
    let folder = match cross {
        None => folder,
        Some(target) => {
            ensure_target(target)?;
            compiler(&mut build, target)?;
            build.args(["--target", target]);
            folder.join(target)
        }
    };
    run(&mut build)?;
    let binary = folder.join("release/portcullis");
    is_without_stops(&binary)?;
    Ok(binary)
}

/// Fails for a binary that tests could end in the middle of a step
/// (src/failpoint.rs): what is released has nothing of that.
fn is_without_stops(binary: &Path) -> Result<()> {
    let bytes = std::fs::read(binary).with_context(|| binary.display().to_string())?;
    let held = STOPS.iter().find(|name| {
        let name = name.as_bytes();
        bytes.windows(name.len()).any(|window| window == name)
    });
    ensure!(
        held.is_none(),
        "{} reads {}, which is for tests: build it without debug assertions",
        binary.display(),
        held.unwrap_or(&"nothing")
    );
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::{STOPS, is_without_stops};

    #[test]
    fn a_binary_that_tests_can_end_is_not_released() {
        let name = format!("portcullis-stops-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, "\0ELF\0PORTCULLIS_STOP\0").expect("a file");
        let good = is_without_stops(&file);
        std::fs::write(&file, format!("\0ELF\0{}\0", STOPS[0])).expect("a file");
        let bad = is_without_stops(&file);
        std::fs::remove_file(&file).expect("the file is there");
        assert!(good.is_ok(), "{good:?}");
        assert!(bad.is_err());
    }
}
