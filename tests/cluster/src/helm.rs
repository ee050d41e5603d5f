//! The real Helm, built as the control plane is. It wants newer modules of
//! Kubernetes than the control plane, and is a program of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::go::Program;
use crate::kubectl::{Answer, User};

/// What it calls itself: the version in go.mod.
const VERSION: &str = "v4.3.1";

/// The program, built if it is not there yet: two minutes the first time.
///
/// # Errors
///
/// Go is missing or cannot build it.
pub fn build() -> Result<PathBuf> {
    let helm = Program {
        name: "helm",
        package: "helm.sh/helm/v4/cmd/helm",
        says: "building Helm: two minutes the first time, then seconds",
        linker: vec![format!(
            "-X helm.sh/helm/v4/internal/version.version={VERSION}"
        )],
    };
    helm.build()
}

/// The folder of the chart.
pub fn chart() -> PathBuf {
    crate::root().join("deploy/chart")
}

/// Runs Helm without a cluster.
///
/// # Errors
///
/// It cannot be built or started.
pub fn run(arguments: &[&str]) -> Result<Answer> {
    answer(&mut command(&build()?, &std::env::temp_dir()), arguments)
}

/// The chart as one text for `kubectl apply`, with these options of `helm
/// template`. What is to be deleted first comes first: `kubectl delete -f` goes
/// by the order.
///
/// # Errors
///
/// Helm refuses it.
pub fn manifests(options: &[&str]) -> Result<String> {
    let chart = chart().display().to_string();
    let place = ["template", "portcullis", &chart, "--namespace=portcullis"];
    let whole = ["--set", "namespace.create=true"];
    let text = run(&[&place[..], &whole, options].concat()).and_then(Answer::ok)?;
    let is_ours = |line: &&str| !line.starts_with("# Source: ");
    let lines: Vec<&str> = text.lines().filter(is_ours).map(str::trim_end).collect();
    let text = lines.join("\n").replace("\n\n---", "\n---");
    let documents = text.trim_start_matches("---\n").trim_end();
    let documents = documents.split("\n---\n");
    let (first, rest): (Vec<_>, Vec<_>) = documents.partition(|one| is_registration(one));
    let documents = [first, rest].concat().join("\n---\n");
    Ok(format!("---\n{documents}\n"))
}

fn is_registration(document: &str) -> bool {
    let mut lines = document.lines();
    lines.any(|line| line.starts_with("kind: ") && line.ends_with("WebhookConfiguration"))
}

impl Cluster {
    /// Runs Helm as that user and gives what it did, whatever that was.
    ///
    /// # Errors
    ///
    /// It cannot be built or started.
    pub fn helm(&self, user: User, arguments: &[&str]) -> Result<Answer> {
        let mut command = command(&build()?, self.folder());
        command.env("KUBECONFIG", self.kubeconfig(user));
        answer(&mut command, arguments)
    }
}

/// Helm with nothing of the person's own settings, and nothing into them.
fn command(helm: &Path, folder: &Path) -> Command {
    let mut command = Command::new(helm);
    command.current_dir(crate::root());
    for kind in ["CACHE", "CONFIG", "DATA"] {
        let place = folder.join("helm").join(kind.to_lowercase());
        command.env(format!("HELM_{kind}_HOME"), place);
    }
    command
}

fn answer(command: &mut Command, arguments: &[&str]) -> Result<Answer> {
    let output = command
        .args(arguments)
        .output()
        .context("Helm cannot be started")?;
    Ok(Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).context("Helm prints UTF-8")?,
        stderr: String::from_utf8(output.stderr).context("Helm says UTF-8")?,
    })
}
