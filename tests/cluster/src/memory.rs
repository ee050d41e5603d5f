//! What processes take of memory, as Linux tells (proc(5)).

use anyhow::{Context, Result};

/// In MB (1,000,000 bytes).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// What is in memory now.
    pub resident: f64,
    /// The most that was, at any time.
    pub peak: f64,
}

impl Memory {
    /// Of the process that this one, which is only a leash, has started.
    pub(crate) fn of_child(leash: u32) -> Result<Memory> {
        let mut children = String::new();
        // A child is listed with the thread that started it.
        let threads = format!("/proc/{leash}/task");
        for thread in std::fs::read_dir(&threads).context(threads)? {
            let listed = std::fs::read_to_string(thread?.path().join("children"));
            children += &listed.context("the children of a thread")?;
        }
        let child = children.split_whitespace().next();
        let child = child.with_context(|| format!("process {leash} has no child"))?;
        let path = format!("/proc/{child}/status");
        let status = std::fs::read_to_string(&path).context(path)?;
        Ok(Memory {
            resident: megabytes(&status, "VmRSS:")?,
            peak: megabytes(&status, "VmHWM:")?,
        })
    }
}

fn megabytes(status: &str, name: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes = kibibytes.with_context(|| format!("no {name} in a status file"))?;
    Ok(kibibytes.trim().parse::<f64>()? * 1024.0 / 1e6)
}
