//! What a guest says that is no verdict, or not the one that it declared.

use portcullis::policy::Cause;
use serde_json::{Value, json};

use super::judging::assert_stopped;
use super::text::{Guest, raw_answer};

/// A guest that answers with this text.
pub(super) fn says(text: impl ToString) -> Guest {
    Guest {
        answer: text.to_string(),
        ..Guest::default()
    }
}

#[test]
fn nonsense_and_contradictions_are_no_verdicts() {
    let nonsense = |about, text: &str| (about, says(text), Cause::Output, "no verdict");
    let finding = json!({"code": "c", "message": "m", "remedy": "r", "path": ""});
    let duplicate = format!(r#"{{"findings": [], "findings": [{finding}]}}"#);
    let unknown = json!({"findings": [{"code": "c", "message": "m", "remedy": "r", "path": "", "level": "info"}]});
    assert_stopped(&[
        nonsense("a zero", "\0"),
        nonsense("null", "null"),
        nonsense("two documents", "{} {}"),
        nonsense("a document that is cut off", r#"{"findings": ["#),
        nonsense("depth", &"[".repeat(60_000)),
        nonsense("members that contradict each other", &duplicate),
        nonsense("a level of its own choice", &unknown.to_string()),
        nonsense("a number that is none", r#"{"findings": 1e999999}"#),
        nonsense("half a surrogate pair, escaped", r#"{"error": "\ud800"}"#),
        nonsense(
            "a patch of an unknown operation",
            r#"{"changes": {"patch": [{"op": "move", "from": "/a", "path": "/b"}]}}"#,
        ),
        (
            "a panic with a long text",
            says(json!({"error": "panicked ".repeat(6_000)})),
            Cause::Refused,
            "panicked",
        ),
        (
            "a refusal that also finds",
            says(json!({"error": "no", "findings": [finding]})),
            Cause::Refused,
            "no",
        ),
        (
            "an effect that was not declared",
            effect(&[]),
            Cause::Output,
            "does not declare",
        ),
        (
            "another effect than was declared",
            effect(&["NetworkPolicy"]),
            Cause::Output,
            "\"Secret\"",
        ),
    ]);
}

/// A guest that declares these effects and asks for a Secret.
fn effect(declared: &[&str]) -> Guest {
    let asked: Value =
        json!({"changes": {"effects": [{"kind": "Secret", "required": true, "object": {}}]}});
    let guest = says(asked).described(|d| d["mutating"] = json!(true));
    guest.described(|description| description["effects"] = json!(declared))
}

#[test]
fn a_flood_of_output_costs_its_deadline_at_most() {
    let flood = |bytes: i32| {
        Guest {
        evaluate: format!(
            "(drop (memory.grow (i32.const 200))) (memory.fill (i32.const 262144) (i32.const 32) (i32.const {bytes}))
             {}",
            raw_answer(262_144, bytes)
        ),
        ..Guest::default()
    }
    };
    assert_stopped(&[
        ("13 MB", flood(13_000_000), Cause::Output, "at most 1048576"),
        (
            "one byte too many",
            flood((1 << 20) + 1),
            Cause::Output,
            "at most 1048576",
        ),
        (
            "as many as are read, of nothing",
            flood(1 << 20),
            Cause::Output,
            "no verdict",
        ),
    ]);
}
