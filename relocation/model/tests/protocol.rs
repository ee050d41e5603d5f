//! Whole reachable spaces, and what becomes of them without a safeguard.

use std::time::Instant;

use portcullis_relocation_model::{Op, Safeguard, World};
use stateright::{Checker, Model};

/// Two clients and what they do, and how many hours may pass. Collection comes into
/// it only where they do.
type Script = ([&'static [Op]; 2], u8);

const ROTATE: Script = ([&[Op::Apply(1), Op::Apply(2)], &[Op::Apply(3)]], 0);
const COPY: Script = ([&[Op::Apply(1), Op::Apply(2)], &[Op::Copy]], 1);
const RECREATE: Script = ([&[Op::Apply(1), Op::Delete, Op::Apply(2)], &[]], 0);
const LABEL: Script = ([&[Op::Apply(1), Op::Delete], &[Op::Label, Op::Apply(2)]], 0);
const COPY_OF_DELETED: Script = ([&[Op::Apply(1), Op::Delete], &[Op::Copy]], 1);
const REMOVE: Script = ([&[Op::Apply(1), Op::Remove], &[Op::Apply(2)]], 0);
const PUT: Script = ([&[Op::Apply(1), Op::Apply(3)], &[Op::Put(2)]], 0);
const DRY_RUN: Script = ([&[Op::Apply(1), Op::Label], &[Op::DryRun(2)]], 1);

fn world((scripts, hours): Script) -> World {
    let mut world = World::new(&scripts);
    world.hours = hours;
    world
}

fn holds(script: Script) {
    let begun = Instant::now();
    let checker = world(script).checker().threads(2).spawn_bfs().join();
    println!(
        "{} states, {:?}",
        checker.unique_state_count(),
        begun.elapsed()
    );
    checker.assert_properties();
}

#[test]
fn values_rotate_while_others_write() {
    holds(ROTATE);
    holds(PUT);
}

#[test]
fn copies_are_put_back_late() {
    holds(COPY);
}

#[test]
fn config_maps_are_deleted_and_created_again() {
    holds(RECREATE);
    holds(LABEL);
    holds(COPY_OF_DELETED);
}

#[test]
fn keys_are_taken_out() {
    holds(REMOVE);
}

#[test]
fn dry_runs_and_labels_change_nothing() {
    holds(DRY_RUN);
}

/// The invariant that breaks when a safeguard is taken away.
fn breaks(without: Safeguard, script: Script) -> &'static str {
    let mut world = world(script);
    world.without = Some(without);
    let checker = world
        .checker()
        .threads(2)
        .finish_when(stateright::HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let found = checker.discoveries();
    let broken = found.keys().find(|name| **name != "a pod runs");
    broken.unwrap_or_else(|| panic!("nothing breaks without {without:?}"))
}

#[test]
fn no_safeguard_can_be_spared() {
    let cases = [
        (Safeguard::Precondition, ROTATE),
        (Safeguard::DeletePrecondition, RECREATE),
        (Safeguard::ServingFirst, ROTATE),
        (Safeguard::Quorum, ROTATE),
        (Safeguard::Emptied, REMOVE),
        (Safeguard::StagedOnly, ROTATE),
        (Safeguard::FreshNames, ROTATE),
        (Safeguard::SecretFirst, ROTATE),
        (Safeguard::Age, ROTATE),
        (Safeguard::Named, COPY),
        (Safeguard::NoForgery, COPY),
        (Safeguard::Freshness, COPY_OF_DELETED),
        (Safeguard::Version, COPY),
        (Safeguard::PodsWait, ROTATE),
        (Safeguard::DryRun, DRY_RUN),
        (Safeguard::Copies, ROTATE),
    ];
    for (safeguard, script) in cases {
        println!("without {safeguard:?}: {}", breaks(safeguard, script));
    }
}
