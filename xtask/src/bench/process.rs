//! What a process used, and on what machine, as Linux tells.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::shell;

/// CPU time of a process and its threads, user and system, in seconds. Linux
/// counts in hundredths.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).context(path)?;
    // The name may hold anything; what follows its last bracket is numbers,
    // of which the 12th and 13th are utime and stime (proc(5)).
    let after = stat.rsplit_once(')').context("no name in a stat file")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks =
        |at: usize| -> Result<f64> { Ok(fields.get(at).context("a short stat file")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / ticks_per_second()?)
}

fn ticks_per_second() -> Result<f64> {
    let answer = shell::output(Command::new("getconf").arg("CLK_TCK"))?;
    Ok(answer.trim().parse()?)
}

/// Resident memory of a process, in MB (1,000,000 bytes).
pub(crate) fn resident_megabytes(process: u32) -> Result<f64> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).context(path)?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .context("no VmRSS in a status file")?;
    Ok(kibibytes.trim().parse::<f64>()? * 1024.0 / 1e6)
}

/// What the figures hold for.
pub(crate) fn machine() -> Result<Value> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
    let model = cpus
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split_once(':'))
        .map_or("unknown", |(_, model)| model.trim());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(json!({
        "cpu": model, "cores": cores, "kernel": kernel.trim(),
        "loadBefore": load(),
    }))
}

/// The load average of the last minute.
pub(crate) fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn the_cpu_of_a_process_is_what_it_spends() {
        let this = std::process::id();
        let before = cpu_seconds(this).expect("a figure");
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        let used = cpu_seconds(this).expect("a figure") - before;
        // Other tests run in this process, and others on this machine.
        assert!(used > 0.02, "{used}");
        assert!(resident_megabytes(this).expect("a figure") > 1.0);
    }
}
