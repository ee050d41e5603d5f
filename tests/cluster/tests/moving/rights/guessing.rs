//! The answer to an update tells whether a value is the one that was moved.
//! Who may not create Secrets is told nothing, and who may, not often.

use std::collections::BTreeMap;

use serde_json::json;

use super::world::{VALUES, World, maps};
use super::{Case, Wanted};
use crate::asked::{Ask, Verb};

/// What each replica lets one user try on one ConfigMap in an hour
/// (design: reliability.md, section 7), and how many there are.
const MOST: usize = 20;
const REPLICAS: usize = 2;
/// Each replica gets so many more, whichever is asked.
const MORE: usize = 60;

/// Guesses by one who may create Secrets: those that are answered, then those
/// that are not. Which replica is asked is not ours to say, so that what lies
/// between is tried when the cases are made.
pub(super) fn cases(world: &World) -> Vec<Case> {
    let told = exhausted(world);
    assert!((MOST..=MOST * REPLICAS).contains(&told), "{told} guesses");
    println!("after {told} guesses Kay is told nothing any more");
    let throttled = Wanted::Refused("too many values were tried");
    let [_, _, _, right, ..] = VALUES;
    let guesses = [("wrong", "Gu3ss-Yb7Nc5Vx-another-1"), ("right", right)];
    let mut cases: Vec<Case> = vec![];
    for (what, value) in guesses {
        for dry_run in [false, true] {
            cases.push(Case {
                name: format!("kay guesses {what}, dry run {dry_run}"),
                by: world.kay.clone(),
                ask: guess(world, value, dry_run),
                wanted: throttled,
            });
        }
    }
    // What is there may be sent again, and somebody else's guess is another's.
    cases.push(Case {
        name: "kay leaves what is there".to_owned(),
        by: world.kay.clone(),
        ask: guess(world, &world.of.other_map, false),
        wanted: Wanted::Allowed,
    });
    for (who, by) in [
        ("eve", &world.eve),
        ("robot", &world.robot),
        ("pat", &world.pat),
    ] {
        for (what, value) in guesses {
            for dry_run in [false, true] {
                cases.push(Case {
                    name: format!("{who} guesses {what}, dry run {dry_run}"),
                    by: by.clone(),
                    ask: guess(world, value, dry_run),
                    wanted: Wanted::Refused("may not create Secrets"),
                });
            }
        }
    }
    cases
}

fn guess(world: &World, value: &str, dry_run: bool) -> Ask {
    let path = format!("{}/db", maps(&world.home));
    let mut ask = Ask::new(Verb::Merge, path, json!({"data": {"PASSWORD": value}}));
    ask.dry_run = dry_run;
    ask
}

/// Guesses by dry run until every replica refuses; how many were answered.
fn exhausted(world: &World) -> usize {
    let (mut answered, mut refused) = (0, 0);
    for number in 0..MOST * REPLICAS + MORE {
        let value = format!("Gu3ss-Dp2Ks6Wq-{number}");
        let said = world.asker.ask(&world.kay, &guess(world, &value, true));
        match said.is_good() {
            true => (answered, refused) = (answered + 1, 0),
            false => refused += 1,
        }
        let told = world.told("a guess", &(said.body + &said.warnings));
        assert_eq!(told, Ok(()));
        if refused == MORE / 2 {
            break;
        }
    }
    answered
}

/// Whether the guess was right makes no difference to what is said.
pub(super) fn assert_nothing_is_told(answers: &BTreeMap<String, String>) {
    let mut pairs = 0;
    for (name, answer) in answers {
        let other = match name.contains("guesses right") {
            true => name.replace("guesses right", "guesses wrong"),
            false => name.replace("the right guess", "a wrong guess"),
        };
        if other != *name {
            assert_eq!(Some(answer), answers.get(&other), "{name}");
            pairs += 1;
        }
    }
    assert!(pairs > 15, "{pairs} pairs of guesses");
}
