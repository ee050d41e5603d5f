//! The tests on a real control plane.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow, ensure};

use super::{Extent, targets};
use crate::shell::run as run_one;
use crate::{bench, cluster};

/// Tests that take long. CI runs one of [`SHARE`].
const SLOW: [&str; 22] = [
    "brownfield::nothing_that_worked",
    "coldstart::a_cluster_comes_up_without_portcullis",
    "coldstart::the_pod_network_never_waits",
    "corpora::each_object_is_judged",
    "force::a_bad_change_leaves",
    "force::a_policy_that_never_loaded",
    "force::a_program_that_comes_later",
    "labels::a_namespace_selector_follows",
    "labels::an_override_for_some",
    "load::an_upgrade_a_rollback_and",
    "load::kubectl_delete_takes",
    "lookups::a_right_that_is_missing",
    "many::whether_many_objects",
    "outage::a_pause_during_an_outage",
    "outage::verdicts_go_on_without",
    "removal::however_it_is_removed",
    "replicas::a_killed_replica_costs",
    "replicas::nothing_fails_any_more_once",
    "rounds::one_replica_tells",
    "rounds::what_slipped_in",
    "rotation::certificates_come_and_go",
    "watches::no_policy_is_lost_or_invented",
];

const SHARE: usize = 5;

/// What has a group of its own.
const NETWORKS: &str = "network::";

/// What the group of secrets has, in lines as [`TURNS`] are.
const MOVING: [&[&str]; 2] = [
    &[
        "moving::cost",
        "moving::drift",
        "moving::histories",
        "moving::rows",
        "relocation::",
    ],
    &["moving::"],
];

/// Tests of it that take long. CI runs one of [`MOVING_SHARE`].
const SLOW_MOVING: [&str; 7] = [
    "moving::histories::over_time_containers_get",
    "moving::keyed::keys_follow_one_another",
    "moving::rows::the_rows_of_one_config_map",
    "moving::drift::a_restart_brings_what",
    "moving::rows::the_rows_of_what_others_do",
    "moving::drift::what_is_as_it_is_written",
    "moving::cost::a_move_costs",
];

const MOVING_SHARE: usize = 2;

/// What is killed while it moves secrets.
const KILLS: &str = "moving::kills::whoever_is_killed";

/// Tests of it that take long. CI runs one of [`NETWORKS_SHARE`].
const SLOW_NETWORKS: [&str; 9] = [
    "network::author::a_policy_of_an_author",
    "network::callers::an_audit_finds_namespaces",
    "network::callers::with_strict_and_the_rights",
    "network::cost::a_pod_costs_little_more",
    "network::faults::faults_of_the_api_server",
    "network::first::replicas_that_are_killed",
    "network::scale::many_namespaces",
    "network::stale::what_is_known_may_be",
    "network::steps::killed_at_every_step",
];

const NETWORKS_SHARE: usize = 5;

/// Tests that have all policies of their cluster, one after the other: each
/// line has a control plane and a process of its own, and what a later line
/// names is left to that.
const TURNS: [&[&str]; 3] = [
    &["installed::"],
    &["policies::", "live::verdicts"],
    &["exemptions::", "removal::", "examined::"],
];

/// All of them; in CI a share of the slow ones.
pub(super) fn run(extent: Extent) -> Result<()> {
    if extent == Extent::Fast {
        println!("skipped by --fast");
        return Ok(());
    }
    cluster::program()?;
    let left = match extent {
        Extent::Full => Vec::new(),
        Extent::Ci | Extent::Fast => left_to_other_runs(&SLOW, SHARE)?,
    };
    on_planes(extent, &left)?;
    run_one(targets::tests(&["--lib"]).arg(targets::ON_PLANE))?;
    if extent == Extent::Full {
        // Whether it measures, and every row is in force; no figures.
        let quick = ["--cluster", "--debug", "--seconds", "0.2", "--rounds", "1"];
        bench::bench(&quick.map(str::to_owned))?;
    }
    Ok(())
}

/// NetworkPolicies before the first pod: by themselves, one after the other,
/// since they measure how soon.
pub(super) fn networks(extent: Extent) -> Result<()> {
    if extent == Extent::Fast {
        println!("skipped by --fast");
        return Ok(());
    }
    cluster::program()?;
    let left = match extent {
        Extent::Full => Vec::new(),
        Extent::Ci | Extent::Fast => left_to_other_runs(&SLOW_NETWORKS, NETWORKS_SHARE)?,
    };
    // What they measure is printed.
    let options = ["--test-threads=1", "--nocapture", NETWORKS];
    run_one(tests(extent, &left).args(options))
}

/// Secrets leave ConfigMaps: in each line one after the other, since what the chart
/// has for it is of the cluster.
pub(super) fn moving(extent: Extent) -> Result<()> {
    if extent == Extent::Fast {
        println!("skipped by --fast: what needs a control plane");
        return Ok(());
    }
    cluster::program()?;
    let left = match extent {
        Extent::Full => Vec::new(),
        Extent::Ci | Extent::Fast => left_to_other_runs(&SLOW_MOVING, MOVING_SHARE)?,
    };
    let mut lines = lines(extent, &left, &MOVING);
    // How many cases, and what they took, is printed.
    for line in &mut lines {
        line.arg("--nocapture");
    }
    at_once(lines)
}

/// What a relocation loses by so many kills, and nothing else.
pub(super) fn kills(number: u64) -> Result<()> {
    cluster::program()?;
    let mut tests = targets::cluster();
    tests.env("PORTCULLIS_KILLS", number.to_string());
    run_one(tests.args(["--test-threads=1", "--nocapture", KILLS]))
}

/// What moves of secrets and NetworkPolicies add to requests with this executable,
/// printed beside the same requests without them.
pub(crate) fn costs(portcullis: &Path) -> Result<()> {
    cluster::program()?;
    let mut tests = tests(Extent::Full, &[]);
    tests.env(portcullis_cluster::BINARY_VARIABLE, portcullis);
    let all = ["moving::cost", "network::cost"];
    run_one(tests.args(["--test-threads=1", "--nocapture"]).args(all))
}

/// What CI does not run this time, by a seed that is printed:
/// `PORTCULLIS_SEED=N` repeats it.
fn left_to_other_runs(slow: &[&'static str], share: usize) -> Result<Vec<&'static str>> {
    let seed: usize = match std::env::var("PORTCULLIS_SEED") {
        Ok(seed) => seed.parse().context("PORTCULLIS_SEED is no number")?,
        Err(_) => SystemTime::now()
            .duration_since(UNIX_EPOCH)?
            .subsec_millis() as usize,
    };
    let (run, left): (Vec<_>, Vec<_>) = slow
        .iter()
        .copied()
        .enumerate()
        .partition(|(number, _)| number % share == seed % share);
    let names = |tests: &[(usize, &str)]| {
        let names: Vec<_> = tests.iter().map(|(_, name)| *name).collect();
        names.join(", ")
    };
    println!("PORTCULLIS_SEED={seed} runs {}", names(&run));
    println!("and leaves to other runs {}", names(&left));
    Ok(left.into_iter().map(|(_, name)| name).collect())
}

/// Beside each other: most of them wait, for a lease or a certificate.
fn on_planes(extent: Extent, left: &[&str]) -> Result<()> {
    let mut rest = tests(extent, left);
    rest.arg("--test-threads=4");
    let others = [NETWORKS].into_iter().chain(MOVING.concat());
    for name in TURNS.concat().into_iter().chain(others) {
        rest.args(["--skip", name]);
    }
    let mut processes = vec![rest];
    processes.extend(lines(extent, left, &TURNS));
    at_once(processes)
}

/// A process for each line, which leaves what another line names to that: what a
/// later one names, and what an earlier one does more exactly.
fn lines(extent: Extent, left: &[&str], lines: &[&[&str]]) -> Vec<Command> {
    let line = |(number, names): (usize, &&[&str])| {
        let mut tests = tests(extent, left);
        tests.arg("--test-threads=1").args(*names);
        let is_exact = |name: &&str| names.iter().any(|one| name.starts_with(one));
        let earlier = lines[..number].concat().into_iter().filter(is_exact);
        for other in lines[number + 1..].concat().into_iter().chain(earlier) {
            if !names.iter().any(|name| name.starts_with(other)) {
                tests.args(["--skip", other]);
            }
        }
        tests
    };
    lines.iter().enumerate().map(line).collect()
}

/// Runs all of them, each with a control plane of its own.
fn at_once(mut processes: Vec<Command>) -> Result<()> {
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = processes
            .iter_mut()
            // What each prints is shown when it is over.
            .map(|process| scope.spawn(|| process.output()))
            .collect();
        let joined = running.into_iter().map(|process| process.join());
        joined.collect()
    });
    let mut failed = false;
    for output in outputs {
        let output = output.map_err(|_| anyhow!("a thread panicked"))??;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        failed |= !output.status.success();
    }
    ensure!(!failed, "tests on the control plane failed: see above");
    Ok(())
}

fn tests(extent: Extent, left: &[&str]) -> Command {
    let mut tests = targets::cluster();
    if extent == Extent::Full {
        tests.env("PORTCULLIS_FULL", "1");
    }
    for name in left {
        tests.args(["--skip", name]);
    }
    tests
}
