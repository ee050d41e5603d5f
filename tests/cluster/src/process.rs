//! A child that does not outlive us.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::memory::Memory;

/// The variable, and its value, that put a component of `plane` on the leash
/// (plane/leash.go).
const LEASH: (&str, &str) = ("PLANE_LEASH", "stdin");
/// The variable that names the file that says where a process of Portcullis ends
/// (src/failpoint.rs).
pub const STOP_FILE: &str = "PORTCULLIS_STOP_FILE";
/// How much of a log an error shows.
const TAIL_LINES: usize = 15;
const TAIL_BYTES: usize = 8_000;
/// How long a child may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody else took the port in the moment between choosing and using it.
#[derive(Debug)]
pub(crate) struct PortTaken;

impl std::fmt::Display for PortTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a port was taken by another program")
    }
}

impl std::error::Error for PortTaken {}

/// A component of `plane`. It ends when this is dropped, and when this process
/// ends in any other way.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `plane ARGUMENTS...`; what it prints goes to NAME.log in the
    /// folder.
    pub(crate) fn start(
        plane: &Path,
        folder: &Path,
        name: &'static str,
        arguments: &[String],
    ) -> Result<Process> {
        Process::start_with(plane, folder, name, arguments, &[])
    }

    /// The same, with these variables besides.
    pub(crate) fn start_with(
        plane: &Path,
        folder: &Path,
        name: &'static str,
        arguments: &[String],
        variables: &[(&str, &str)],
    ) -> Result<Process> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).with_context(|| log.display().to_string())?;
        let child = Command::new(plane)
            .args(arguments)
            .env(LEASH.0, LEASH.1)
            .env(STOP_FILE, stop_file(folder, name))
            .envs(variables.iter().copied())
            // Ctrl-C in a terminal is for us; what follows from it is ours.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        Ok(Process { name, child, log })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Fails if it has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = self.log();
        let name = self.name;
        let ended = anyhow::anyhow!("{name} has ended ({status}): {}", tail(&log));
        if log.contains("address already in use") {
            return Err(ended.context(PortTaken));
        }
        Err(ended)
    }

    /// Whether it has ended, however it did.
    pub(crate) fn has_ended(&mut self) -> bool {
        // An error means that there is nothing to wait for.
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What to say of it when something it should have done is not done.
    pub(crate) fn last_words(&self) -> String {
        format!("{}: {}", self.name, tail(&self.log()))
    }

    /// What the program that it runs (`plane run`) takes.
    pub(crate) fn memory(&self) -> Result<Memory> {
        Memory::of_child(self.child.id())
    }

    /// Sends it SIGTERM.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status()?;
        anyhow::ensure!(sent.success(), "{} takes no signal", self.name);
        Ok(())
    }

    /// Ends it and waits until it has ended.
    pub(crate) fn stop(&mut self) {
        drop(self.child.stdin.take());
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file by which the process of this name, started in this folder, is ended.
pub(crate) fn stop_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.stop"))
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.len().saturating_sub(TAIL_LINES);
    let text = lines[first..].join("\n");
    let cut = text.len().saturating_sub(TAIL_BYTES);
    let start = (cut..=text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default();
    format!("the end of its log:\n{}", &text[start..])
}

/// Waits until something holds, for at most `most`; meanwhile none of the
/// processes may end.
///
/// # Errors
///
/// A process ended, or it took too long: with the end of the logs.
pub(crate) fn wait(
    what: &str,
    most: Duration,
    processes: &mut [Process],
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let started = Instant::now();
    loop {
        for process in processes.iter_mut() {
            process.check()?;
        }
        if holds()? {
            return Ok(());
        }
        if started.elapsed() > most {
            let logs: Vec<String> = processes.iter().map(Process::last_words).collect();
            bail!(
                "after {} s not yet: {what}\n{}",
                most.as_secs(),
                logs.join("\n")
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
