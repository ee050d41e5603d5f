//! Building `plane`, once for each state of its sources.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// What the servers call themselves: the version of `k8s.io/kubernetes` in
/// go.mod, whose module does not know it.
const VERSION: &str = "v1.36.3";
const MAJOR: &str = "1";
const MINOR: &str = "36";
const MISSING: &str =
    "Go is missing: install Go 1.26 (https://go.dev/dl), the cluster is built with it";

/// The program, built if it is not there yet: minutes and 4 GB of Go's caches
/// the first time, seconds after a change. Several processes at once build it
/// once.
///
/// # Errors
///
/// Go is missing or cannot build it.
pub fn build() -> Result<PathBuf> {
    let go_version = go_version()?;
    let folder = crate::target().join("plane").join(key(&go_version)?);
    let program = folder.join("plane");
    if program.is_file() {
        return absolute(&program);
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let lock = folder.with_extension("lock");
    let lock = File::create(&lock).with_context(|| lock.display().to_string())?;
    lock.lock().context("the lock of the build")?;
    if !program.is_file() {
        eprintln!("building a Kubernetes control plane: minutes the first time, then seconds");
        compile(&folder.join("unfinished"))?;
        std::fs::rename(folder.join("unfinished"), &program)?;
    }
    absolute(&program)
}

fn absolute(program: &Path) -> Result<PathBuf> {
    program
        .canonicalize()
        .with_context(|| program.display().to_string())
}

/// The folder of the Go module.
fn sources() -> PathBuf {
    crate::root().join("tests/cluster/plane")
}

fn go_version() -> Result<String> {
    let output = Command::new("go")
        .arg("version")
        .current_dir(sources())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(MISSING),
        Err(error) => return Err(error).context("`go version` cannot be started"),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`go version` failed: {}",
        errors.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Everything that the program depends on, as one name.
fn key(go_version: &str) -> Result<String> {
    let folder = sources();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.ends_with(".go") || name == "go.mod" || name == "go.sum" {
            files.push(name);
        }
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(go_version);
    hash.update(arguments().join(" "));
    for name in files {
        let content = std::fs::read(folder.join(&name)).with_context(|| name.clone())?;
        hash.update(format!("{name} {}\n", content.len()));
        hash.update(content);
    }
    Ok(format!("{:x}", hash.finalize())[..16].to_owned())
}

fn arguments() -> [String; 5] {
    let variable =
        |name: &str, value: &str| format!("-X k8s.io/component-base/version.{name}={value}");
    let linker = [
        "-s -w".to_owned(),
        variable("gitVersion", VERSION),
        variable("gitMajor", MAJOR),
        variable("gitMinor", MINOR),
    ];
    [
        "build".into(),
        "-trimpath".into(),
        "-buildvcs=false".into(),
        "-ldflags".into(),
        linker.join(" "),
    ]
}

fn compile(output: &Path) -> Result<()> {
    let status = Command::new("go")
        .args(arguments())
        .arg("-o")
        .arg(std::path::absolute(output)?)
        .arg(".")
        .current_dir(sources())
        .status()
        .context("`go build` cannot be started")?;
    ensure!(
        status.success(),
        "`go build` of tests/cluster/plane failed ({status})"
    );
    Ok(())
}
