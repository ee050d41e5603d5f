//! `portcullis check` over a real repository, in objects a second.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Bench;
use super::target::median;
use crate::shell::root;

/// A real cluster's repository (tests/data/corpora/README.md).
const CORPUS: &str = "tests/data/corpora/home-k3s/manifests";
/// Copies of it that are judged in one run, so that the start counts little.
const COPIES: usize = 40;

impl Bench<'_> {
    /// One row for each number of cores.
    pub(super) fn checks(&self) -> Result<Value> {
        let copies = if self.options.debug { 2 } else { COPIES };
        let folder = self.folder.join("check");
        for copy in 0..copies {
            copy_folder(&root().join(CORPUS), &folder.join(copy.to_string()))?;
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut rows = Vec::new();
        for used in [1, 2].into_iter().filter(|used| *used <= cores) {
            let runs: Vec<(f64, u64)> = (0..self.options.rounds)
                .map(|_| self.check(&folder, used))
                .collect::<Result<_>>()?;
            let objects = runs.first().map_or(0, |(_, objects)| *objects);
            let seconds = median(runs.iter().map(|(seconds, _)| *seconds));
            rows.push(json!({
                "cores": used, "objects": objects, "seconds": seconds,
                "objectsPerSecond": objects as f64 / seconds,
            }));
        }
        Ok(rows.into())
    }

    /// Judges the folder: seconds and objects, start and output included.
    fn check(&self, folder: &Path, cores: usize) -> Result<(f64, u64)> {
        let started = Instant::now();
        let output = Command::new("taskset")
            .args(["--cpu-list", &format!("0-{}", cores - 1)])
            .arg(&self.portcullis)
            .args(["check", "--output", "json", "--code-cache", "off"])
            .arg(folder)
            .output()
            .context("taskset cannot be started")?;
        let seconds = started.elapsed().as_secs_f64();
        let report: Value = serde_json::from_slice(&output.stdout).with_context(|| {
            format!("check failed: {}", String::from_utf8_lossy(&output.stderr))
        })?;
        let objects = report["summary"]["objects"]
            .as_u64()
            .context("no summary in the report of check")?;
        Ok((seconds, objects))
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, &target)?;
        }
    }
    Ok(())
}
