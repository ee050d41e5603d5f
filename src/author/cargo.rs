//! Running cargo on the crate of a policy.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use serde_json::Value;

use super::Error;

/// What guests are compiled for (docs/decisions.md; design README, 1).
pub(super) const TARGET: &str = "wasm32-unknown-unknown";
/// The profile that guests are compiled with.
const PROFILE: &str = "guest";
/// [`PROFILE`] for a workspace that does not define it: that of ours.
const DEFAULT_PROFILE: [&str; 6] = [
    "inherits='release'",
    "opt-level=3",
    "lto='fat'",
    "codegen-units=1",
    "panic='abort'",
    "strip='symbols'",
];
/// Between two flags of `CARGO_ENCODED_RUSTFLAGS`: paths may hold spaces.
const SEPARATOR: &str = "\u{1f}";

/// The crate of a policy, as cargo sees it.
#[derive(Debug)]
pub(super) struct Crate {
    folder: PathBuf,
    /// The package's name.
    pub(super) name: String,
    id: String,
    workspace: PathBuf,
    /// Folders outside the workspace, and what they are called in a guest.
    renamed: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    root: Option<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// A line of `--message-format json`.
#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: Target,
    filenames: Vec<PathBuf>,
}

impl Crate {
    /// Reads the crate in a folder. Makes its Cargo.lock if there is none.
    pub(super) fn read(folder: &Path) -> Result<Crate, Error> {
        let refuse = |problem: &str| Error::Crate {
            folder: folder.to_owned(),
            problem: problem.to_owned(),
        };
        if !folder.join("Cargo.toml").is_file() {
            return Err(refuse(
                "it holds no Cargo.toml: name the folder of a policy, or make one with \
                 `portcullis policy new NAME`",
            ));
        }
        let metadata = metadata(folder)?;
        let root = metadata.resolve.root.as_ref();
        let package = metadata
            .packages
            .iter()
            .find(|package| Some(&package.id) == root);
        let Some(package) = package else {
            return Err(refuse(
                "it is a workspace of several crates: name the folder of one policy",
            ));
        };
        if !package.targets.iter().any(|target| target.is_component()) {
            return Err(refuse(
                "its library is no component: write `crate-type = [\"cdylib\", \"rlib\"]` below \
                 `[lib]` in Cargo.toml",
            ));
        }
        Ok(Crate {
            folder: folder.to_owned(),
            name: package.name.clone(),
            id: package.id.clone(),
            renamed: renamed(&metadata),
            workspace: metadata.workspace_root,
        })
    }

    /// Compiles the crate; gives the core module that rustc makes of it.
    pub(super) fn compile(&self) -> Result<Vec<u8>, Error> {
        check_target(&self.folder)?;
        let mut command = cargo(
            &self.folder,
            &["build", "--locked", "--lib", "--profile", PROFILE],
        );
        command.args([
            "--target",
            TARGET,
            "--message-format=json-render-diagnostics",
        ]);
        for setting in self.missing_profile() {
            command
                .arg("--config")
                .arg(format!("profile.{PROFILE}.{setting}"));
        }
        command.env("CARGO_ENCODED_RUSTFLAGS", self.flags().join(SEPARATOR));
        let output = run(&mut command)?;
        let module = self.module(&output).ok_or_else(|| Error::Crate {
            folder: self.folder.clone(),
            problem: "cargo built no .wasm file of it: see `[lib]` in Cargo.toml".into(),
        })?;
        std::fs::read(&module).map_err(|source| Error::file(&module, source))
    }

    /// The settings of the profile, where the workspace has none of its own.
    fn missing_profile(&self) -> &'static [&'static str] {
        let manifest = std::fs::read_to_string(self.workspace.join("Cargo.toml"));
        let has_profile = manifest.is_ok_and(|text| text.contains("[profile.guest]"));
        if has_profile { &[] } else { &DEFAULT_PROFILE }
    }

    /// Paths of this machine do not end up in a guest, so that its digest is
    /// the same wherever it is built. Inside the workspace they are relative.
    fn flags(&self) -> Vec<String> {
        let flag = |(from, to): &(String, String)| format!("--remap-path-prefix={from}={to}");
        self.renamed.iter().map(flag).collect()
    }

    fn module(&self, output: &Output) -> Option<PathBuf> {
        let text = String::from_utf8_lossy(&output.stdout);
        let artifacts = text.lines().filter_map(|line| {
            let artifact: Artifact = serde_json::from_str(line).ok()?;
            (artifact.package_id == self.id && artifact.target.is_component()).then_some(artifact)
        });
        artifacts
            .flat_map(|artifact| artifact.filenames)
            .find(|file| {
                file.extension()
                    .is_some_and(|extension| extension == "wasm")
            })
    }
}

impl Target {
    fn is_component(&self) -> bool {
        self.kind.iter().any(|kind| kind == "cdylib")
    }
}

/// What cargo knows of the crate; the lock file is used as it is, or made.
fn metadata(folder: &Path) -> Result<Metadata, Error> {
    let mut command = cargo(folder, &["metadata", "--format-version=1"]);
    command.args(["--filter-platform", TARGET]);
    let is_locked = has_lock(folder)?;
    if is_locked {
        command.arg("--locked");
    }
    let output = run(&mut command).map_err(|error| match error {
        Error::Cargo { status, .. } if is_locked => Error::Locked(status),
        error => error,
    })?;
    serde_json::from_slice(&output.stdout).map_err(|error| Error::Crate {
        folder: folder.to_owned(),
        problem: format!("`cargo metadata` answers what is not understood here: {error}"),
    })
}

/// cargo's own folder, and packages by path that are outside the workspace:
/// the others are named relative to one of these.
fn renamed(metadata: &Metadata) -> Vec<(String, String)> {
    let mut renamed = Vec::new();
    for package in &metadata.packages {
        let Some(folder) = package.manifest_path.parent() else {
            continue;
        };
        let folder = folder.display().to_string();
        let downloads = ["/registry/src/", "/git/checkouts/"];
        let home = downloads.iter().find_map(|part| folder.split_once(part));
        match (&package.source, home) {
            (Some(_), Some((home, _))) => renamed.push((home.to_owned(), "cargo".to_owned())),
            _ if package.manifest_path.starts_with(&metadata.workspace_root) => {}
            _ => renamed.push((folder, package.name.clone())),
        }
    }
    // The last that fits is taken: a folder in another comes after it.
    renamed.sort();
    renamed.dedup();
    renamed
}

fn has_lock(folder: &Path) -> Result<bool, Error> {
    let arguments = ["locate-project", "--workspace", "--message-format=json"];
    let output = run(&mut cargo(folder, &arguments))?;
    let located: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let root = located["root"]
        .as_str()
        .map(PathBuf::from)
        .unwrap_or_default();
    Ok(root.with_file_name("Cargo.lock").is_file())
}

/// Drops from Cargo.lock what the crate does not use; whether that went well.
pub(super) fn prune_lock(folder: &Path) -> bool {
    // What is known here already comes first: no network is needed then.
    [&["--offline"][..], &[]].iter().any(|offline| {
        let mut command = cargo(folder, &["update", "--workspace", "--quiet"]);
        let command = command
            .args(*offline)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    })
}

/// Where rustc would look for the target's own libraries.
fn check_target(folder: &Path) -> Result<(), Error> {
    let mut command = Command::new("rustc");
    command
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(folder);
    let output = command
        .output()
        .map_err(|source| Error::Tool("rustc", source))?;
    let libraries = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && Path::new(libraries.trim()).is_dir() {
        Ok(())
    } else {
        Err(Error::Target(TARGET))
    }
}

fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// Runs it; what it says goes to standard error as it comes.
fn run(command: &mut Command) -> Result<Output, Error> {
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .map_err(|source| Error::Tool("cargo", source))?;
    if output.status.success() {
        return Ok(output);
    }
    let words: Vec<_> = command
        .get_args()
        .take(1)
        .map(|word| word.to_string_lossy())
        .collect();
    Err(Error::Cargo {
        command: format!("cargo {}", words.join(" ")),
        status: output.status,
    })
}
