//! The cache alone: programs are closures that count.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_contract::reads::Reads;
use serde_json::json;

use super::*;
use crate::policy::{Cause, Policy, Ready};

/// Answers with what it was shown, and counts.
struct Echo {
    identity: Option<[u8; 32]>,
    asked: Arc<AtomicUsize>,
}

impl Evaluate for Echo {
    fn judge(&self, asked: Asked<'_>, _: Instant) -> Result<Verdict, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(looked) = asked.looked {
            looked.set(asked.request.starts_with("look"));
        }
        match asked.request {
            "fail" => Err(Failure::guest(Cause::Trap, "as this test wants")),
            "" => Ok(Verdict::default()),
            text => Ok(finding(&format!("{text} {:?}", self.identity))),
        }
    }

    fn identity(&self) -> Option<[u8; 32]> {
        self.identity
    }
}

fn finding(message: &str) -> Verdict {
    let finding = json!({"code": "c", "message": message, "remedy": "r", "path": ""});
    serde_json::from_value(json!({"findings": [finding]})).expect("a verdict")
}

/// A program behind a cache; and how often it was asked.
fn behind(
    verdicts: &Arc<Verdicts>,
    identity: Option<[u8; 32]>,
    redaction: Redaction,
) -> (Arc<dyn Evaluate>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let policy = Policy {
        name: "p".parse().expect("a name"),
        spec: serde_json::from_value(json!({"program": {"file": "x"}, "failurePolicy": "Fail"}))
            .expect("a spec"),
        description: None,
        program: Ok(Ready {
            reads: Arc::new(Reads::default()),
            redaction,
            sight: Arc::default(),
            program: Arc::new(Echo {
                identity,
                asked: Arc::clone(&asked),
            }),
        }),
    };
    let ready = remember(policy, verdicts).program.expect("ready");
    (ready.program, asked)
}

fn ask(program: &Arc<dyn Evaluate>, request: &str) -> Result<Verdict, Failure> {
    program.evaluate(request, Instant::now() + Duration::from_secs(1))
}

fn count(asked: &AtomicUsize) -> usize {
    asked.load(Ordering::Relaxed)
}

fn room(bytes: usize) -> Arc<Verdicts> {
    Arc::new(Verdicts::new(bytes, |_| ()))
}

#[test]
fn the_same_text_is_judged_once_and_answered_alike() {
    let (program, asked) = behind(&room(1 << 20), Some([1; 32]), Redaction::Blank);
    for request in ["", "a", "b", "", "a", "b"] {
        let expected = match request {
            "" => Verdict::default(),
            text => finding(&format!("{text} {:?}", Some([1_u8; 32]))),
        };
        assert_eq!(ask(&program, request), Ok(expected));
    }
    assert_eq!(count(&asked), 3);
}

#[test]
fn two_programs_never_share_a_verdict() {
    let verdicts = room(1 << 20);
    let (one, _) = behind(&verdicts, Some([1; 32]), Redaction::Blank);
    let (two, _) = behind(&verdicts, Some([2; 32]), Redaction::Blank);
    assert_ne!(ask(&one, "a"), ask(&two, "a"));
    assert_ne!(ask(&one, "a"), ask(&two, "a"));
}

#[test]
fn failures_are_asked_for_again() {
    let (program, asked) = behind(&room(1 << 20), Some([1; 32]), Redaction::Blank);
    for _ in 0..3 {
        assert!(ask(&program, "fail").is_err());
    }
    assert_eq!(count(&asked), 3);
}

#[test]
fn what_was_looked_up_for_is_asked_for_again() {
    let (program, asked) = behind(&room(1 << 20), Some([1; 32]), Redaction::Blank);
    for _ in 0..3 {
        ask(&program, "look").expect("a verdict");
        ask(&program, "do not").expect("a verdict");
    }
    assert_eq!(count(&asked), 3 + 1);
}

#[test]
fn what_is_shown_values_or_may_differ_is_always_asked() {
    for (identity, redaction) in [(Some([1; 32]), Redaction::None), (None, Redaction::Blank)] {
        let (program, asked) = behind(&room(1 << 20), identity, redaction);
        for _ in 0..3 {
            ask(&program, "a").expect("a verdict");
        }
        assert_eq!(count(&asked), 3);
    }
}

#[test]
fn its_room_is_bounded_and_what_is_asked_for_stays() {
    let bytes = 1 << 20;
    let verdicts = room(bytes);
    let (program, asked) = behind(&verdicts, Some([1; 32]), Redaction::Blank);
    for number in 0..20_000 {
        ask(&program, &format!("text {number}")).expect("a verdict");
        ask(&program, "often").expect("a verdict");
    }
    assert_eq!(count(&asked), 20_001);
    let kept: usize = verdicts
        .shards
        .iter()
        .flat_map(|shard| {
            let shard = shard.lock().expect("unharmed");
            let both = shard.young.values().chain(shard.old.values());
            both.map(bytes_of).collect::<Vec<_>>()
        })
        .sum();
    assert!(kept <= bytes, "{kept}");
    assert!(kept > bytes / 4, "{kept}");
}

#[test]
fn every_question_is_told_of() {
    let hits = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&hits);
    let tell = move |hit: bool| {
        seen.fetch_add(if hit { 1 } else { 1_000 }, Ordering::Relaxed);
    };
    let verdicts = Arc::new(Verdicts::new(1 << 20, tell));
    let (program, _) = behind(&verdicts, Some([1; 32]), Redaction::Blank);
    for _ in 0..4 {
        ask(&program, "a").expect("a verdict");
    }
    assert_eq!(count(&hits), 1_003);
}
