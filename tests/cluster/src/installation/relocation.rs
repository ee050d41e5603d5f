//! The second half of an installation that moves secrets: `portcullis relocate`
//! with its own account, and what the chart has for both.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Installation;
use crate::folder::Folder;
use crate::http;
use crate::kubeconfig;
use crate::kubectl::User;
use crate::portcullis::{LOOPBACK, binary};
use crate::process::{Process, stop_file};

/// The account that the chart has for it.
const ACCOUNT: &str = "portcullis-relocation";
/// Who may put backups back, here.
const RESTORER: &str = "velero";

/// `portcullis relocate`, ended when it is dropped.
pub struct Serving {
    process: Vec<Process>,
    folder: Folder,
    plane: PathBuf,
    command: Vec<String>,
}

/// What its process, and so its log and its stop file, is called.
const NAME: &str = "relocation";

impl Serving {
    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.iter().map(Process::log).collect()
    }

    /// Its metrics.
    ///
    /// # Errors
    ///
    /// It does not say where, or does not answer.
    pub fn metrics(&self) -> Result<String> {
        let log = self.log();
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains("health and metrics"));
        let rest = line.and_then(|line| Some(line.split_once(&format!("{LOOPBACK}:"))?.1));
        let rest = rest.context("it has no port yet")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        http::get(format!("{LOOPBACK}:{port}").parse()?, "/metrics")
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    ///
    /// That, with the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.process.iter_mut().try_for_each(Process::check)
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.iter_mut().all(Process::has_ended)
    }

    /// The file that says where it ends (src/failpoint.rs).
    pub fn stop_file(&self) -> PathBuf {
        stop_file(self.folder.path(), NAME)
    }

    /// Kills it (SIGKILL) if it runs, and starts it again, with these variables.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn restart(&mut self, variables: &[(&str, &str)]) -> Result<()> {
        self.process.clear();
        let (plane, folder) = (&self.plane, self.folder.path());
        let process = Process::start_with(plane, folder, NAME, &self.command, variables);
        self.process.push(process?);
        Ok(())
    }
}

impl Installation<'_> {
    /// What the chart has for relocation, for this installation: rights, and the
    /// two guards that work while nothing of ours runs. It is of the cluster, so
    /// that tests take turns.
    ///
    /// # Errors
    ///
    /// The chart cannot be read.
    pub fn relocation_manifests(&self) -> Result<String> {
        let file = crate::root().join("deploy/chart/templates/relocation.yaml");
        let text = std::fs::read_to_string(file)?;
        let is_plain =
            |line: &&str| !line.trim_start().starts_with("{{") && line.trim() != "labels:";
        let lines: Vec<&str> = text.lines().filter(is_plain).collect();
        let text = lines.join("\n");
        let runs_here = |document: &&str| !document.contains("kind: Deployment\n");
        let documents: Vec<&str> = text.split("\n---\n").filter(runs_here).collect();
        let named = |text: String| {
            let home = self.home.name();
            text.replace("{{ .Release.Namespace }}", home)
                .replace("name: portcullis\n", &format!("name: {}\n", self.name))
                .replace(
                    &format!("{home}:portcullis\""),
                    &format!("{home}:{}\"", self.name),
                )
        };
        // A range over one user.
        let text = documents
            .join("\n---\n")
            .replace("{{ range .Values.relocation.restorers }}", "")
            .replace("{{ . | quote }}{{ end }}", &format!("\"{RESTORER}\""));
        Ok(named(text + "\n"))
    }

    /// Applies [`Installation::relocation_manifests`] and starts the process, with
    /// these options besides.
    ///
    /// # Errors
    ///
    /// The API server refuses any of it; it does not start.
    pub fn serve_relocation(&self, arguments: &[&str]) -> Result<Serving> {
        let cluster = self.home.cluster;
        let apply = ["apply", "-f", "-"];
        let manifests = self.relocation_manifests()?;
        cluster.kubectl(User::Admin, &apply, &manifests)?.ok()?;
        let folder = Folder::new(cluster.plane())?;
        let token = self.admin(&["create", "token", ACCOUNT, "--duration=24h"], "")?;
        let admin = std::fs::read_to_string(cluster.kubeconfig(User::Admin))?;
        kubeconfig::with_token(&folder, &admin, token.trim())?;
        let command = [
            "run".to_owned(),
            binary()?.display().to_string(),
            "relocate".to_owned(),
            format!("--kubeconfig={}", folder.file("account.kubeconfig")),
            format!("--namespace={}", self.home.name()),
            format!("--metrics-listen={LOOPBACK}:0"),
        ];
        let arguments = arguments.iter().map(ToString::to_string);
        let command: Vec<String> = command.into_iter().chain(arguments).collect();
        let mut serving = Serving {
            process: vec![],
            folder,
            plane: cluster.plane().to_owned(),
            command,
        };
        serving.restart(&[])?;
        Ok(serving)
    }
}
