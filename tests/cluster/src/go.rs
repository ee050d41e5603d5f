//! Building Go programs, each once for each state of its sources.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

const MISSING: &str =
    "Go is missing: install Go 1.26 (https://go.dev/dl), the cluster is built with it";

/// A Go program: a module below `tests/cluster` with its own go.mod and go.sum.
pub(crate) struct Program {
    /// The folder of the module, and the name of the program.
    pub(crate) name: &'static str,
    /// What is built: `.`, or a package that go.mod requires as a tool.
    pub(crate) package: &'static str,
    /// What is said when it has to be built.
    pub(crate) says: &'static str,
    /// For the linker, besides that nothing for debuggers is kept.
    pub(crate) linker: Vec<String>,
}

impl Program {
    /// The program, built if it is not there yet. Several processes at once
    /// build it once.
    ///
    /// # Errors
    ///
    /// Go is missing or cannot build it.
    pub(crate) fn build(&self) -> Result<PathBuf> {
        let go_version = self.go_version()?;
        let folder = crate::target().join("plane").join(self.key(&go_version)?);
        let program = folder.join(self.name);
        if program.is_file() {
            return absolute(&program);
        }
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let lock = folder.with_extension("lock");
        let lock = File::create(&lock).with_context(|| lock.display().to_string())?;
        lock.lock().context("the lock of the build")?;
        if !program.is_file() {
            eprintln!("{}", self.says);
            self.compile(&folder.join("unfinished"))?;
            std::fs::rename(folder.join("unfinished"), &program)?;
        }
        absolute(&program)
    }

    /// The folder of the Go module.
    fn sources(&self) -> PathBuf {
        crate::root().join("tests/cluster").join(self.name)
    }

    fn go_version(&self) -> Result<String> {
        let output = Command::new("go")
            .arg("version")
            .current_dir(self.sources())
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
    fn key(&self, go_version: &str) -> Result<String> {
        let folder = self.sources();
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
        hash.update(self.arguments().join(" "));
        for name in files {
            let content = std::fs::read(folder.join(&name)).with_context(|| name.clone())?;
            hash.update(format!("{name} {}\n", content.len()));
            hash.update(content);
        }
        Ok(format!("{:x}", hash.finalize())[..16].to_owned())
    }

    fn arguments(&self) -> [String; 5] {
        let linker = ["-s -w".to_owned()];
        let linker: Vec<String> = linker.into_iter().chain(self.linker.clone()).collect();
        [
            "build".into(),
            "-trimpath".into(),
            "-buildvcs=false".into(),
            "-ldflags".into(),
            linker.join(" "),
        ]
    }

    fn compile(&self, output: &Path) -> Result<()> {
        let status = Command::new("go")
            .args(self.arguments())
            .arg("-o")
            .arg(std::path::absolute(output)?)
            .arg(self.package)
            .current_dir(self.sources())
            .status()
            .context("`go build` cannot be started")?;
        let name = self.name;
        ensure!(
            status.success(),
            "`go build` of tests/cluster/{name} failed ({status})"
        );
        Ok(())
    }
}

fn absolute(program: &Path) -> Result<PathBuf> {
    program
        .canonicalize()
        .with_context(|| program.display().to_string())
}
