//! The plan as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use portcullis_relocation::pod::How;

use super::looking::Seen;
use super::verdict::Verdict;
use crate::policy::decision::plain;

/// What a person reads: what needs a hand first, then counts.
pub(super) fn text(seen: &Seen, verdicts: &[Verdict]) -> String {
    let mut out = String::new();
    let name = &seen.name;
    match seen.is_enrolled() {
        Some(true) => {}
        Some(false) => {
            let _ = writeln!(
                out,
                "namespace {name} is not enrolled; next: portcullis secrets enrol {name}"
            );
        }
        None => {
            let _ = writeln!(
                out,
                "whether the namespace {name} is enrolled is not known: you may not read it"
            );
        }
    }
    let is_told = |one: &&Verdict| !one.to_move.is_empty() || !one.obstacles.is_empty();
    for verdict in verdicts.iter().filter(is_told) {
        one(&mut out, verdict);
    }
    let rest = || verdicts.iter().filter(|one| !is_told(one));
    let moved = rest().filter(|one| !one.moved.is_empty()).count();
    if moved > 0 {
        let _ = writeln!(
            out,
            "{} moved (`portcullis secrets status {name}`)",
            are(moved)
        );
    }
    let clean = rest().count() - moved;
    if clean > 0 {
        let _ = writeln!(out, "{} without anything to move", are(clean));
    }
    if !seen.unseen.is_empty() {
        let kinds = seen.unseen.join(", ");
        let _ = writeln!(
            out,
            "you may not list {kinds}: of these, only the pods are known"
        );
    }
    if verdicts.iter().any(|one| is_told(&one)) {
        out.push_str(
            "Not seen here: what reads ConfigMaps by the API (operators, `valuesFrom` of Helm and \
             Flux). It would get placeholders.\n",
        );
    }
    out
}

fn are(count: usize) -> String {
    match count {
        1 => "1 ConfigMap is".to_owned(),
        count => format!("{count} ConfigMaps are"),
    }
}

fn one(out: &mut String, verdict: &Verdict) {
    let count = match verdict.to_move.len() {
        0 => "nothing more would move".to_owned(),
        1 => "1 key would move".to_owned(),
        count => format!("{count} keys would move"),
    };
    let _ = writeln!(
        out,
        "ConfigMap {}, stage {:?}: {count}",
        verdict.name, verdict.stage
    );
    for (field, why) in &verdict.to_move {
        let _ = writeln!(out, "  {}", plain(&format!("{field}: {why}")));
    }
    for (who, ways) in &verdict.users {
        let waiting = match verdict.readers.get(who) {
            Some((_, 1)) => "; 1 pod still reads it in the ConfigMap".to_owned(),
            Some((_, pods)) => format!("; {pods} pods still read it in the ConfigMap"),
            None => String::new(),
        };
        let line = format!("used by {who}: {}{waiting}", listed(ways));
        let _ = writeln!(out, "  {}", plain(&line));
    }
    if verdict.users.is_empty() {
        out.push_str("  used by no pod that is here\n");
    }
    for obstacle in &verdict.obstacles {
        let _ = writeln!(out, "  in the way: {}", plain(obstacle));
    }
    for next in &verdict.next {
        let _ = writeln!(out, "  next: {}", plain(next));
    }
}

/// `env (A, B), envFrom, subPath (k; not refreshed while a pod runs)`
fn listed(ways: &BTreeMap<How, BTreeSet<String>>) -> String {
    let way = |(how, keys): (&How, &BTreeSet<String>)| {
        let mut notes: Vec<String> = keys.iter().cloned().collect();
        if *how == How::SubPath {
            notes.push("never refreshed while a pod runs".to_owned());
        }
        match notes.is_empty() {
            true => how.to_string(),
            false => format!("{how} ({})", notes.join(", ")),
        }
    };
    ways.iter().map(way).collect::<Vec<_>>().join(", ")
}
