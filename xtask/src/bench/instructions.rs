//! `cargo xtask instructions`: how many instructions the host spends on a
//! request, counted by callgrind, which no other process disturbs.
//!
//! Each path runs twice, with so many requests more the second time: what the
//! start of the process costs falls out. Guests are not in it (callgrind does
//! not run compiled code of wasmtime's as it is), nor TLS.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use portcullis::policy::{Attributes, Decision, patch};
use portcullis::review;
use portcullis::wasm::{Inspected, inspect};
use portcullis_contract::reads::{Outline, Reads};
use portcullis_contract::{Redaction, Request};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::body::{self, Payload};
use super::parts::PROGRAMS;
use super::process;
use crate::shell::{command, output, root};

/// The hidden command that callgrind runs.
pub(crate) const HOT: &str = "bench-hot";
const BASELINE: &str = "xtask/instructions.json";
/// Requests of the first run, and of the second.
const RUNS: [u64; 2] = [20, 120];
/// What a path may cost more than the baseline on its CPU model (issue 5).
const MORE_IN_A_HUNDRED: u64 = 5;

/// A path through the host.
struct Path {
    name: &'static str,
    payload: fn() -> Result<Payload>,
    /// Whether the object is changed, and a patch made.
    is_changed: bool,
}

const PATHS: [Path; 3] = [
    Path {
        name: "validate a Pod of 4.7 KB",
        payload: body::pod,
        is_changed: false,
    },
    Path {
        name: "validate a Deployment update of 11 KB",
        payload: body::deployment,
        is_changed: false,
    },
    Path {
        name: "change a Pod of 4.7 KB",
        payload: body::pod,
        is_changed: true,
    },
];

/// What was counted, and where.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Counted {
    cpu: String,
    rustc: String,
    /// Instructions of one request, by path, in the debug build.
    instructions: BTreeMap<String, u64>,
}

/// Counts, and compares with the baseline or renews it.
pub(crate) fn instructions(arguments: &[String]) -> Result<()> {
    let counted = count()?;
    let file = root().join(BASELINE);
    match arguments {
        [flag] if flag == "--renew" => {
            let text = serde_json::to_string_pretty(&counted)? + "\n";
            std::fs::write(&file, text).with_context(|| BASELINE.to_owned())?;
            println!("{BASELINE} is written");
            Ok(())
        }
        [] => {
            let text = std::fs::read(&file).with_context(|| BASELINE.to_owned())?;
            let baseline = serde_json::from_slice(&text).with_context(|| BASELINE.to_owned())?;
            compare(&baseline, &counted)
        }
        _ => bail!("`cargo xtask instructions` takes `--renew` or nothing"),
    }
}

fn count() -> Result<Counted> {
    let machine = process::machine()?;
    let rustc = output(&mut command("rustc", &["--version"]))?;
    let mut instructions = BTreeMap::new();
    for Path { name, .. } in PATHS {
        let [few, many] = [callgrind(name, RUNS[0])?, callgrind(name, RUNS[1])?];
        instructions.insert(name.to_owned(), (many - few) / (RUNS[1] - RUNS[0]));
    }
    Ok(Counted {
        cpu: machine["cpu"].as_str().unwrap_or("unknown").to_owned(),
        rustc: rustc.trim().to_owned(),
        instructions,
    })
}

/// All instructions of a process that handles so many requests.
fn callgrind(name: &str, requests: u64) -> Result<u64> {
    let mut run = Command::new("valgrind");
    run.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([HOT, name, &requests.to_string()]);
    let run = run
        .output()
        .context("valgrind counts the instructions and is missing: `apt-get install valgrind`")?;
    let said = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "valgrind failed: {said}");
    let counted = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, counted) = counted.with_context(|| format!("valgrind counted nothing: {said}"))?;
    counted.trim().parse().context("a count of instructions")
}

fn compare(baseline: &Counted, counted: &Counted) -> Result<()> {
    let is_same = baseline.cpu == counted.cpu && baseline.rustc == counted.rustc;
    let mut worse = Vec::new();
    for (name, now) in &counted.instructions {
        let before = baseline.instructions.get(name);
        let before = *before.with_context(|| format!("{BASELINE} has no `{name}`: renew it"))?;
        let change = (*now as f64 / before as f64 - 1.0) * 100.0;
        println!("{name:40} {now:9} instructions, {change:+.1} %");
        if now * 100 > before * (100 + MORE_IN_A_HUNDRED) {
            worse.push(format!("`{name}` costs {change:+.1} %"));
        }
    }
    if !is_same {
        println!(
            "the baseline is of {} with {}, this is {} with {}: reported only",
            baseline.cpu, baseline.rustc, counted.cpu, counted.rustc
        );
        return Ok(());
    }
    ensure!(
        worse.is_empty(),
        "{}: mend it, or accept it with `cargo xtask instructions --renew`",
        worse.join(", ")
    );
    Ok(())
}

/// What callgrind runs: the host's part in so many requests of a path.
pub(crate) fn hot(arguments: &[String]) -> Result<()> {
    let [name, requests] = arguments else {
        bail!("{HOT} takes a path and a number");
    };
    let path = PATHS.iter().find(|path| path.name == name);
    let path = path.with_context(|| format!("no path `{name}`"))?;
    let body = (path.payload)()?.bytes();
    let reads = PROGRAMS
        .into_iter()
        .map(reads)
        .collect::<Result<Vec<_>>>()?;
    let mut outline = Outline::of(&reads);
    if path.is_changed {
        outline = outline.with_everything();
    }
    for _ in 0..requests.parse::<u64>()? {
        handle(&body, &reads, &outline, path.is_changed)?;
    }
    Ok(())
}

fn reads(program: &str) -> Result<Reads> {
    let path = root().join(format!("target/policies/{program}.wasm"));
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let Inspected { description, .. } = inspect(&bytes).map_err(|failure| anyhow!("{failure}"))?;
    let description = description.context("a policy of the pack is described")?;
    Ok(Reads::parse(description.reads.iter().map(String::as_str))?)
}

fn handle(body: &[u8], reads: &[Reads], outline: &Outline, is_changed: bool) -> Result<()> {
    let review = review::decode_lean(body, outline)?;
    let request = review.request.map_err(|problem| anyhow!(problem))?;
    let admission = &request.admission;
    std::hint::black_box(Attributes::parse(admission)?);
    for reads in reads {
        let request = Request::new(admission, &request.namespace);
        std::hint::black_box(reads.project(&request, Redaction::Blank));
    }
    let mut decision = Decision::default();
    if is_changed {
        let object = &admission["object"];
        let mut changed = object.clone();
        changed["metadata"]["labels"]["added"] = "yes".into();
        decision.patch = patch::diff(object, &changed);
        std::hint::black_box::<Value>(patch::apply(object, &decision.patch)?);
    }
    std::hint::black_box(review::encode(&review.uid, &decision));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(cpu: &str, count: u64) -> Counted {
        Counted {
            cpu: cpu.into(),
            rustc: "rustc".into(),
            instructions: [("path".to_owned(), count)].into(),
        }
    }

    #[test]
    fn more_than_five_in_a_hundred_fails_on_the_same_cpu_and_is_told_on_another() {
        let baseline = counted("a", 1_000);
        assert!(compare(&baseline, &counted("a", 1_050)).is_ok());
        assert!(compare(&baseline, &counted("a", 500)).is_ok());
        let error = compare(&baseline, &counted("a", 1_051)).expect_err("too many");
        assert!(error.to_string().contains("+5.1 %"), "{error}");
        assert!(compare(&baseline, &counted("b", 2_000)).is_ok());
    }
}
