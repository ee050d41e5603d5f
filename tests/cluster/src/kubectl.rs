//! The real kubectl, as one of two users.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The ordinary user, and his group.
pub(crate) const DEV_USER: &str = "dev-user";
pub(crate) const DEV_GROUP: &str = "devs";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// May do everything (group `system:masters`).
    Admin,
    /// `dev-user` of the group `devs`: may edit what is in the namespaces of
    /// tests, and nothing else. Most tests should be him.
    Dev,
}

impl User {
    pub(crate) fn name(self) -> &'static str {
        match self {
            User::Admin => "admin",
            User::Dev => "dev",
        }
    }
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The exit code; -1 after a signal.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it said: warnings and errors.
    pub stderr: String,
}

impl Answer {
    /// What it printed, if it went well.
    ///
    /// # Errors
    ///
    /// What kubectl said, if not.
    pub fn ok(self) -> Result<String> {
        ensure!(
            self.code == 0,
            "kubectl ended with {}: {}{}",
            self.code,
            self.stdout,
            self.stderr.trim_end()
        );
        Ok(self.stdout)
    }
}

/// A kubectl that can be run.
#[derive(Debug, Clone)]
pub struct Program {
    command: PathBuf,
    first: &'static [&'static str],
    editor: Option<String>,
}

impl Program {
    /// The one that is part of `plane`, as old as the API server.
    pub(crate) fn built(plane: &Path) -> Program {
        Program {
            command: plane.to_owned(),
            first: &["kubectl"],
            editor: None,
        }
    }

    /// The one that this machine has; None if it has none.
    pub fn of_the_machine() -> Option<Program> {
        let paths = std::env::var_os("PATH")?;
        let mut programs = std::env::split_paths(&paths).map(|folder| folder.join("kubectl"));
        Some(Program {
            command: programs.find(|program| program.is_file())?,
            first: &[],
            editor: None,
        })
    }

    /// What `kubectl edit` shall start; it gets the file as an argument.
    #[must_use]
    pub fn with_editor(mut self, editor: &str) -> Program {
        self.editor = Some(editor.to_owned());
        self
    }

    fn command(&self, kubeconfig: &Path, directory: &Path) -> Command {
        let mut command = Command::new(&self.command);
        command
            .args(self.first)
            .current_dir(directory)
            .env("KUBECONFIG", kubeconfig)
            // Nothing of the person's own settings, and nothing into them.
            .env("KUBECACHEDIR", kubeconfig.with_extension("cache"))
            .env("KUBERC", "off")
            .env_remove("KUBECTL_EXTERNAL_DIFF");
        if let Some(editor) = &self.editor {
            command.env("KUBE_EDITOR", editor);
        }
        command
    }

    /// Runs it with a kubeconfig, in a working directory.
    pub(crate) fn run(
        &self,
        kubeconfig: &Path,
        directory: &Path,
        arguments: &[&str],
        stdin: &str,
    ) -> Result<Answer> {
        let mut child = self
            .command(kubeconfig, directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("kubectl cannot be started")?;
        let mut pipe = child
            .stdin
            .take()
            .context("kubectl has no standard input")?;
        let text = stdin.to_owned();
        // Beside us: it may print before it has read everything. That it reads
        // nothing is no fault.
        let writer = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
        let output = child.wait_with_output()?;
        drop(writer.join());
        Ok(Answer {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).context("kubectl prints UTF-8")?,
            stderr: String::from_utf8(output.stderr).context("kubectl says UTF-8")?,
        })
    }
}

/// Runs kubectl with a kubeconfig, in a working directory.
pub(crate) fn run(
    plane: &Path,
    kubeconfig: &Path,
    directory: &Path,
    arguments: &[&str],
    stdin: &str,
) -> Result<Answer> {
    Program::built(plane).run(kubeconfig, directory, arguments, stdin)
}
