//! `cargo xtask test`: every test, in groups with a time to keep to.

mod plane;
mod targets;

pub(crate) use plane::costs;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{cargo, run};
use crate::{bench, build, cluster, documents, image};

/// Modules of the integration tests that are hostile, and those that are about
/// secrets; the rest are verdicts.
const HOSTILE: [&str; 4] = ["fuzz::", "guests::", "serve::", "times::"];
const SECRETS: [&str; 4] = [
    "canaries::",
    "secrets::",
    "truth_configmaps::",
    "truth_literals::",
];

#[derive(Clone, Copy, PartialEq)]
enum Extent {
    Fast,
    Ci,
    Full,
}

/// One group: its name, how long it may take, and what it runs.
struct Group {
    name: &'static str,
    most: Duration,
    run: fn(Extent) -> Result<()>,
}

const GROUPS: [Group; 8] = [
    Group {
        name: "builds",
        most: minutes(25),
        run: builds,
    },
    Group {
        name: "verdicts",
        most: minutes(5),
        run: verdicts,
    },
    Group {
        name: "secrets",
        most: minutes(8),
        run: secrets,
    },
    Group {
        name: "hostile",
        most: minutes(8),
        run: hostile,
    },
    Group {
        name: "cluster",
        most: minutes(8),
        run: plane::run,
    },
    Group {
        name: "network",
        most: minutes(4),
        run: plane::networks,
    },
    Group {
        name: "install",
        most: minutes(15),
        run: install,
    },
    Group {
        name: "documents",
        most: minutes(5),
        run: read_documents,
    },
];

const fn minutes(number: u64) -> Duration {
    Duration::from_secs(number * 60)
}

/// Runs all groups; each that fails or takes too long fails the whole, but
/// those after it run all the same.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (extent, only) = match words[..] {
        [] => (Extent::Ci, None),
        ["--fast"] => (Extent::Fast, None),
        ["--full"] => (Extent::Full, None),
        ["--only", name] => (Extent::Ci, Some(name)),
        ["--full", "--only", name] => (Extent::Full, Some(name)),
        ["--soak", number] => return soak(number),
        ["--kills", number] => return kills(number),
        _ => bail!(
            "`cargo xtask test` takes `--fast`, `--full`, `[--full] --only GROUP`, `--soak N`, \
             `--kills N` or nothing"
        ),
    };
    let chosen = |group: &&Group| only.is_none_or(|name| group.name == name);
    let groups: Vec<&Group> = GROUPS.iter().filter(chosen).collect();
    let names = GROUPS.map(|group| group.name).join("`, `");
    ensure!(
        !groups.is_empty(),
        "there is no such group; there are `{names}`"
    );
    let (mut lines, mut failed) = (Vec::new(), 0);
    for group in groups {
        let (line, is_good) = run_group(group, extent);
        lines.push(line);
        failed += usize::from(!is_good);
        if !is_good && group.name == "builds" {
            break;
        }
    }
    println!("\n{}", lines.join("\n"));
    println!("{} passed, {failed} failed", lines.len() - failed);
    ensure!(failed == 0, "groups failed: see above");
    Ok(())
}

/// A line about a group, and whether all is well.
fn run_group(group: &Group, extent: Extent) -> (String, bool) {
    println!("== {}", group.name);
    let started = Instant::now();
    let result = (group.run)(extent);
    let took = started.elapsed();
    // What is run in full takes as long as it takes.
    let is_late = took > group.most && extent != Extent::Full;
    let says = match (&result, is_late) {
        (Err(error), _) => format!(", FAILED: {error:#}"),
        (Ok(()), true) => ", FAILED: it took too long".to_owned(),
        (Ok(()), false) => String::new(),
    };
    let (name, took, most) = (group.name, took.as_secs(), group.most.as_secs());
    let line = format!("{name:18} {took:4} s of {most} s{says}");
    (line, result.is_ok() && !is_late)
}

/// The soak alone, with so many requests.
fn soak(number: &str) -> Result<()> {
    let number: u64 = number
        .parse()
        .context("--soak wants a number of requests")?;
    build::all(&[])?;
    let mut soak = targets::integration();
    soak.args(["times::soak", "--nocapture"]);
    run(soak.env("PORTCULLIS_SOAK", number.to_string()))
}

/// The kills of a relocation alone, so many of them.
fn kills(number: &str) -> Result<()> {
    let number: u64 = number.parse().context("--kills wants a number of kills")?;
    build::all(&[])?;
    plane::kills(number)
}

fn builds(extent: Extent) -> Result<()> {
    build::all(&[])?;
    run(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    match extent {
        Extent::Fast => Ok(()),
        Extent::Ci | Extent::Full => {
            run(&mut targets::model())?;
            cluster::program()
        }
    }
}

/// What people install is built otherwise than what tests run.
fn install(extent: Extent) -> Result<()> {
    match extent {
        Extent::Fast => {
            println!("skipped by --fast");
            Ok(())
        }
        Extent::Ci | Extent::Full => image::check(),
    }
}

fn verdicts(extent: Extent) -> Result<()> {
    for mut units in targets::units()? {
        cases(&mut units, extent);
        run(&mut units)?;
    }
    let mut integration = targets::integration();
    for module in HOSTILE.iter().chain(&SECRETS) {
        integration.args(["--skip", module]);
    }
    if extent == Extent::Fast {
        println!("author:: (builds policies) is skipped by --fast");
        integration.args(["--skip", "author::"]);
    }
    cases(&mut integration, extent);
    run(&mut integration)
}

/// What is found as a secret, that none is shown, and how it is moved.
fn secrets(extent: Extent) -> Result<()> {
    run(targets::integration().args(SECRETS))?;
    let mut decided = targets::relocation()?;
    if extent == Extent::Fast {
        println!("skipped by --fast: the protocol's model");
        decided.args(["--", "--skip", "the_protocol"]);
    }
    run(&mut decided)?;
    plane::moving(extent)
}

/// How many cases property tests try: they print the seed of a failure.
fn cases(command: &mut std::process::Command, extent: Extent) {
    let (cases, changes) = match extent {
        Extent::Fast => ("256", "1000"),
        Extent::Ci => ("2000", "10000"),
        Extent::Full => ("100000", "1000000"),
    };
    command.env("PROPTEST_CASES", cases);
    command.env("PORTCULLIS_CASES", changes);
}

fn hostile(extent: Extent) -> Result<()> {
    // Deadlines are held to within milliseconds: nothing else runs beside them.
    let runs: [&[&str]; 4] = [
        &["guests::", "--test-threads=1"],
        &["fuzz::"],
        &["serve::"],
        // They measure.
        &["times::", "--test-threads=1"],
    ];
    for arguments in runs {
        if extent == Extent::Fast && arguments[0] == "times::" {
            println!("times:: (load) is skipped by --fast");
            continue;
        }
        let mut command = targets::integration();
        if extent == Extent::Full {
            // Stricter figures, and minutes instead of seconds.
            command.env("PORTCULLIS_FULL", "1");
        }
        run(command.args(arguments))?;
    }
    match extent {
        Extent::Fast => Ok(()),
        Extent::Ci => bench::instructions(&[]),
        Extent::Full => {
            bench::instructions(&[])?;
            // Whether it measures at all; figures are taken on a quiet machine.
            let quick = ["--debug", "--seconds", "0.1", "--rounds", "1"];
            bench::bench(&quick.map(str::to_owned))
        }
    }
}

fn read_documents(extent: Extent) -> Result<()> {
    match extent {
        // It builds and runs the whole demo.
        Extent::Fast => {
            println!("skipped by --fast");
            Ok(())
        }
        Extent::Ci | Extent::Full => documents::run_commands(),
    }
}
