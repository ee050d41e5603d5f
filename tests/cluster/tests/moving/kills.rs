//! Whoever is killed, in whatever moment: nothing is lost, and nothing is in
//! the open. Two clients write and two replicas and those that serve are killed
//! (SIGKILL) in each moment of the protocol, while what etcd has is held against
//! what clients were told.
//!
//! `PORTCULLIS_KILLS` says how many kills; `PORTCULLIS_SEED` repeats their order.

use std::time::Instant;

use portcullis_relocation::moments::{Moment, Who};

use self::run::Run;
use crate::support::{Chance, seed};

/// Two clients.
mod clients;
/// Commands that are killed.
mod commands;
/// What etcd had.
mod history;
/// What clients were told.
mod journal;
/// What is written, killed and waited for.
mod run;
/// Whether what is wrong is seen.
mod seen;
/// Who is killed.
mod victims;

/// Kills in CI: each moment once, and some more; and when all is asked for.
const KILLS: usize = 36;
const ALL_KILLS: usize = 1_000;
/// How often a moment that nobody came to is tried again.
const AGAIN: usize = 3;
/// Kills in no particular moment, for each round through all moments.
const ANYTIME: usize = 4;

fn kills() -> usize {
    let asked = std::env::var("PORTCULLIS_KILLS").ok();
    let asked = asked.map(|text| text.parse().expect("PORTCULLIS_KILLS is a number"));
    asked.unwrap_or(match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => ALL_KILLS,
        None => KILLS,
    })
}

/// The moments of who serves or answers, each as often as the others, and kills
/// at any time (None) between them, in an order that is chance's.
fn order(number: usize, chance: &mut Chance) -> Vec<Option<Moment>> {
    let of_servers = |moment: &&Moment| moment.who() != Who::Command;
    let mut order = Vec::new();
    while order.len() < number {
        let all = Moment::ALL.iter().filter(of_servers);
        let mut all: Vec<_> = all.copied().map(Some).collect();
        all.resize(all.len() + ANYTIME, None);
        for last in (1..all.len()).rev() {
            all.swap(last, chance.below(last + 1));
        }
        order.append(&mut all);
    }
    order.truncate(number);
    // What is collected has to be there first.
    let early = order.len() / 3;
    for at in 0..early {
        let later = (early..order.len()).find(|later| !is_collection(order[*later]));
        if let (true, Some(later)) = (is_collection(order[at]), later) {
            order.swap(at, later);
        }
    }
    order
}

/// Whether staged Secrets are cleared away in this moment.
fn is_collection(moment: Option<Moment>) -> bool {
    let of_collection = [
        Moment::CollectListed,
        Moment::CollectDeleting,
        Moment::CollectDeleted,
    ];
    moment.is_some_and(|moment| of_collection.contains(&moment))
}

#[test]
fn whoever_is_killed_in_whatever_moment_nothing_is_lost() {
    let mut chance = Chance::new(seed());
    let order = order(kills(), &mut chance);
    let mut run = Run::new(chance);
    let started = Instant::now();
    for (number, moment) in order.iter().enumerate() {
        // First one serves, so that nobody does when it is gone; then two do.
        if number == order.len() / 2 {
            run.serve_twice();
        }
        run.round(*moment);
    }
    // What does not come in time by chance comes again.
    for _ in 0..AGAIN {
        for moment in run.missing(&order) {
            run.round(moment);
        }
    }
    run.clear();
    eprintln!("in {:?}: {}", started.elapsed(), run.told());
    let never = run.missing(&order);
    assert!(never.is_empty(), "nobody came to {never:?}");
}
