//! Runs the commands of the documents.
//!
//! In their `console` blocks, a line that starts with `$ ` is a command, and
//! the lines after it are what it prints: exactly, where there are any, but
//! that `...` stands for anything in a line, and a line of it for any lines. A
//! block with `file=NAME` after its language is written to that file first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::server::binary;
use crate::shell::root;

mod pattern;

/// Documents that are followed in an empty folder, as a reader would.
const FROM_NOTHING: [&str; 1] = ["docs/writing-a-policy.md"];

/// One thing to do.
enum Step {
    Run {
        line: usize,
        command: String,
        expected: Vec<String>,
    },
    Write {
        file: String,
        text: String,
    },
}

/// A document while it is followed.
struct Page {
    name: &'static str,
    /// Where its commands run; `cd` changes it.
    folder: PathBuf,
    /// Set for each command.
    environment: Vec<(&'static str, String)>,
}

/// Runs every command of the documents and compares what it prints.
pub(crate) fn run_commands() -> Result<()> {
    let _ = std::fs::remove_dir_all(root().join("target/readme"));
    Page {
        name: "README.md",
        folder: root(),
        environment: vec![],
    }
    .follow()?;
    from_nothing()
}

/// Follows the documents that begin in an empty folder.
fn from_nothing() -> Result<()> {
    for name in FROM_NOTHING {
        let folder = std::env::temp_dir().join(format!("portcullis-page-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let guests = root().join("target/guests-tests");
        let page = Page {
            name,
            folder: folder.clone(),
            // The SDK is compiled once, and nothing is downloaded.
            environment: vec![
                ("CARGO_TARGET_DIR", guests.display().to_string()),
                ("CARGO_NET_OFFLINE", "true".into()),
            ],
        };
        let followed = page.follow();
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        followed?;
    }
    Ok(())
}

impl Page {
    fn follow(mut self) -> Result<()> {
        let text = std::fs::read_to_string(root().join(self.name)).context(self.name)?;
        let steps = steps(&text);
        ensure!(
            steps.iter().any(|step| matches!(step, Step::Run { .. })),
            "{} has no command in a `console` block",
            self.name
        );
        for step in &steps {
            self.step(step)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Write { file, text } => {
                let path = self.folder.join(file);
                std::fs::write(&path, text).with_context(|| path.display().to_string())
            }
            Step::Run { command, .. } if command.starts_with("cd ") => {
                self.folder.push(command.trim_start_matches("cd "));
                Ok(())
            }
            Step::Run {
                line,
                command,
                expected,
            } => {
                let started = Instant::now();
                self.run(*line, command, expected)?;
                let took = started.elapsed().as_secs_f32();
                println!("{}:{line}: {took:.1} s: $ {command}", self.name);
                Ok(())
            }
        }
    }

    fn run(&self, line: usize, command: &str, expected: &[String]) -> Result<()> {
        let output = Command::new("bash")
            .args(["-c", &script(command)])
            .current_dir(&self.folder)
            .env("PATH", path())
            .env("NO_COLOR", "1")
            .envs(self.environment.iter().cloned())
            .stdin(std::process::Stdio::null())
            .output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        let (name, status) = (self.name, output.status);
        if expected.is_empty() {
            ensure!(status.success(), "{name}:{line}: {status}\n{printed}{said}");
            return Ok(());
        }
        let lines: Vec<&str> = printed.lines().collect();
        ensure!(
            pattern::fits(expected, &lines),
            "{name}:{line}: it prints\n{printed}\n{said}"
        );
        Ok(())
    }
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut fence: Option<&str> = None;
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(info) = text.strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(info) };
            if let Some((_, file)) = fence.unwrap_or_default().split_once(" file=") {
                steps.push(Step::Write {
                    file: file.to_owned(),
                    text: String::new(),
                });
            }
            continue;
        }
        match (fence, text.strip_prefix("$ "), steps.last_mut()) {
            (Some("console"), Some(command), _) => steps.push(Step::Run {
                line,
                command: command.to_owned(),
                expected: Vec::new(),
            }),
            (Some("console"), None, Some(Step::Run { expected, .. })) => {
                expected.push(text.to_owned());
            }
            (Some(info), _, Some(Step::Write { text: file, .. })) if info.contains(" file=") => {
                file.push_str(text);
                file.push('\n');
            }
            _ => {}
        }
    }
    steps
}

/// A server runs until somebody ends it: here, after it is ready.
fn script(command: &str) -> String {
    if !command.starts_with("portcullis serve") {
        return command.to_owned();
    }
    format!(
        "{command} --drain-delay 0s 2>target/readme-serve.log & server=$!\n\
         for _ in $(seq 100); do grep -q '\"serving\"' target/readme-serve.log && break; sleep 0.1; done\n\
         grep -q '\"serving\"' target/readme-serve.log || {{ cat target/readme-serve.log >&2; exit 1; }}\n\
         kill -TERM $server; wait $server"
    )
}

/// The commands' `portcullis` is the one that was built.
fn path() -> String {
    let built = binary()
        .parent()
        .map(|folder: &Path| folder.display().to_string())
        .unwrap_or_default();
    format!("{built}:{}", std::env::var("PATH").unwrap_or_default())
}
