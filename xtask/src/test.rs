//! `cargo xtask test`: every test, in groups with a time to keep to.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{cargo, run};
use crate::{bench, build, cluster, documents};

/// Modules of the integration tests that are hostile; the rest are verdicts.
const HOSTILE: [&str; 4] = ["fuzz::", "guests::", "serve::", "times::"];

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

const GROUPS: [Group; 6] = [
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
        name: "hostile and load",
        most: minutes(8),
        run: hostile,
    },
    Group {
        name: "cluster",
        most: minutes(8),
        run: real_cluster,
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

/// Runs all groups; each that fails or takes too long fails the whole.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    let extent = match arguments {
        [] => Extent::Ci,
        [flag] if flag == "--fast" => Extent::Fast,
        [flag] if flag == "--full" => Extent::Full,
        [flag, number] if flag == "--soak" => return soak(number),
        _ => bail!("`cargo xtask test` takes `--fast`, `--full`, `--soak N` or nothing"),
    };
    let mut lines = Vec::new();
    for group in &GROUPS {
        let started = Instant::now();
        println!("== {}", group.name);
        (group.run)(extent)?;
        let took = started.elapsed();
        let (took_s, most_s) = (took.as_secs(), group.most.as_secs());
        // What is run in full takes as long as it takes.
        ensure!(
            took <= group.most || extent == Extent::Full,
            "{} took {took_s} s, more than its {most_s} s",
            group.name
        );
        lines.push(format!("{:18} {took_s:4} s of {most_s} s", group.name));
    }
    println!("\n{}", lines.join("\n"));
    println!("{} passed, 0 failed", lines.len());
    Ok(())
}

/// The soak alone, with so many requests.
fn soak(number: &str) -> Result<()> {
    let number: u64 = number
        .parse()
        .context("--soak wants a number of requests")?;
    build::all(&[])?;
    let mut soak = cargo(&["test", "--package", "portcullis", "--test", "it", "--"]);
    soak.args(["times::soak", "--nocapture"]);
    run(soak.env("PORTCULLIS_SOAK", number.to_string()))
}

fn builds(extent: Extent) -> Result<()> {
    build::all(&[])?;
    run(&mut cargo(&["test", "--workspace", "--no-run", "--quiet"]))?;
    match extent {
        Extent::Fast => Ok(()),
        Extent::Ci | Extent::Full => cluster::program(),
    }
}

/// What people install is built otherwise than what tests run.
fn install(extent: Extent) -> Result<()> {
    match extent {
        Extent::Fast => {
            println!("skipped by --fast");
            Ok(())
        }
        Extent::Ci | Extent::Full => build::all(&["--release".to_owned()]),
    }
}

fn verdicts(extent: Extent) -> Result<()> {
    let mut units = cargo(&["test", "--workspace", "--quiet"]);
    units.args(["--exclude", "portcullis", "--exclude", "portcullis-cluster"]);
    cases(&mut units, extent);
    run(&mut units)?;
    run(&mut cargo(&[
        "test",
        "--package",
        "portcullis",
        "--lib",
        "--bins",
        "--quiet",
    ]))?;
    let mut integration = cargo(&[
        "test",
        "--package",
        "portcullis",
        "--test",
        "it",
        "--quiet",
        "--",
    ]);
    for module in HOSTILE {
        integration.args(["--skip", module]);
    }
    if extent == Extent::Fast {
        println!("author:: (builds policies) is skipped by --fast");
        integration.args(["--skip", "author::"]);
    }
    cases(&mut integration, extent);
    run(&mut integration)
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
    let test = [
        "test",
        "--package",
        "portcullis",
        "--test",
        "it",
        "--quiet",
        "--",
    ];
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
        let mut command = cargo(&test);
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

/// `--workspace`, and not the package alone: cargo would build its dependencies
/// anew with fewer features.
fn real_cluster(extent: Extent) -> Result<()> {
    if extent == Extent::Fast {
        println!("skipped by --fast");
        return Ok(());
    }
    let mut tests = cargo(&["test", "--workspace", "--test", "cluster", "--quiet", "--"]);
    if extent == Extent::Full {
        tests.env("PORTCULLIS_FULL", "1");
    }
    // Most of them wait, for a lease or a certificate.
    run(tests.arg("--test-threads=4"))?;
    run(&mut cargo(&[
        "test",
        "--workspace",
        "--lib",
        "--quiet",
        "cluster::tests",
    ]))?;
    if extent == Extent::Full {
        // As above: whether it measures, and every row is in force.
        let quick = ["--cluster", "--debug", "--seconds", "0.2", "--rounds", "1"];
        bench::bench(&quick.map(str::to_owned))?;
    }
    Ok(())
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
