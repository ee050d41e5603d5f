//! Runs the commands of the README.
//!
//! In its `console` blocks, a line that starts with `$ ` is a command, and the
//! lines after it are what it prints: exactly, where there are any.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::server::binary;
use crate::shell::root;

struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

/// Runs every command of the README and compares what it prints.
pub(crate) fn run_commands() -> Result<()> {
    let readme = std::fs::read_to_string(root().join("README.md")).context("README.md")?;
    let steps = steps(&readme);
    ensure!(
        !steps.is_empty(),
        "README.md has no command in a `console` block"
    );
    let folder = root().join("target/readme");
    let _ = std::fs::remove_dir_all(&folder);
    for step in &steps {
        println!("README.md:{}: $ {}", step.line, step.command);
        step.run()?;
    }
    Ok(())
}

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (line, text) in (1..).zip(readme.lines()) {
        if text.starts_with("```") {
            inside = text == "```console";
        } else if let (true, Some(command)) = (inside, text.strip_prefix("$ ")) {
            steps.push(Step {
                line,
                command: command.to_owned(),
                expected: Vec::new(),
            });
        } else if let (true, Some(step)) = (inside, steps.last_mut()) {
            step.expected.push(text.to_owned());
        }
    }
    steps
}

impl Step {
    fn run(&self) -> Result<()> {
        let output = Command::new("bash")
            .args(["-c", &self.script()])
            .current_dir(root())
            .env("PATH", path())
            .env("NO_COLOR", "1")
            .stdin(std::process::Stdio::null())
            .output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        if self.expected.is_empty() {
            ensure!(
                output.status.success(),
                "README.md:{}: {}\n{printed}{said}",
                self.line,
                output.status
            );
            return Ok(());
        }
        let printed: Vec<&str> = printed.lines().collect();
        ensure!(
            printed == self.expected,
            "README.md:{}: it prints\n{}\n{said}",
            self.line,
            printed.join("\n")
        );
        Ok(())
    }

    /// A server runs until somebody ends it: here, after it is ready.
    fn script(&self) -> String {
        if !self.command.starts_with("portcullis serve") {
            return self.command.clone();
        }
        format!(
            "{} --drain-delay 0s 2>target/readme-serve.log & server=$!\n\
             for _ in $(seq 100); do grep -q '\"serving\"' target/readme-serve.log && break; sleep 0.1; done\n\
             grep -q '\"serving\"' target/readme-serve.log || {{ cat target/readme-serve.log >&2; exit 1; }}\n\
             kill -TERM $server; wait $server",
            self.command
        )
    }
}

/// The commands' `portcullis` is the one that was built.
fn path() -> String {
    let built = binary()
        .parent()
        .map(|folder| folder.display().to_string())
        .unwrap_or_default();
    format!("{built}:{}", std::env::var("PATH").unwrap_or_default())
}
