//! What a guest does wrong while it is loaded: `describe`, `init`, its start.

use std::time::{Duration, Instant};

use portcullis::policy::{Blame, Cause};
use serde_json::json;

use super::text::{Guest, raw_answer};
use super::{assert_unharmed, program};

/// What `describe`, `init` and a start function may take, and what compiling
/// takes on a busy machine.
const LOADING: Duration = Duration::from_secs(20);

fn init(body: &str) -> Guest {
    Guest {
        init: Some(body.into()),
        ..Guest::default()
    }
}

fn describe(body: impl Into<String>) -> Guest {
    Guest {
        describe: Some(body.into()),
        ..Guest::default()
    }
}

fn start(body: &str) -> Guest {
    Guest {
        start: body.into(),
        ..Guest::default()
    }
}

#[test]
fn what_a_guest_does_wrong_while_it_is_loaded_is_named() {
    let grow =
        "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let big = format!(
        "(drop (memory.grow (i32.const 64))) {}",
        raw_answer(262_144, 2 << 20)
    );
    let result = |tag: i32, at: i32, length: i32| {
        init(&format!(
            "(i32.store8 (i32.const 32) (i32.const {tag})) (i32.store (i32.const 36) (i32.const {at}))
             (i32.store (i32.const 40) (i32.const {length})) (i32.const 32)"
        ))
    };
    // `init` leaves a mark, after which `describe` tells another tale.
    let turned = Guest {
        init: Some(
            "(i32.store (i32.const 256) (i32.const 1)) (i32.store8 (i32.const 32) (i32.const 0))
            (i32.const 32)"
                .into(),
        ),
        describe: Some(format!(
            "(if (result i32) (i32.load (i32.const 256)) (then {}) (else {}))",
            raw_answer(64, 2),
            raw_answer(1024, 64)
        )),
        module: "(data (i32.const 64) \"{}\")".into(),
        ..Guest::default()
    };
    let table = [
        (
            "a trap in init",
            init("unreachable"),
            Cause::Trap,
            "trapped",
        ),
        (
            "recursion in init",
            init("(call $init (local.get 0) (local.get 1))"),
            Cause::Trap,
            "call stack",
        ),
        ("growth in init", init(grow), Cause::Memory, "16 MiB"),
        (
            "recursion in a start function",
            start("(call $start)"),
            Cause::Trap,
            "call stack",
        ),
        (
            "growth in a start function",
            start(grow),
            Cause::Memory,
            "16 MiB",
        ),
        (
            "a start function that reads out of bounds",
            start("(drop (i32.load (i32.const -4)))"),
            Cause::Trap,
            "out of bounds",
        ),
        (
            "an init result that is neither",
            result(7, 64, 0),
            Cause::Output,
            "cannot be read",
        ),
        (
            "faults out of bounds",
            result(1, -8, 64),
            Cause::Output,
            "cannot be read",
        ),
        (
            "faults that are no text",
            result(1, 48, 2),
            Cause::Output,
            "cannot be read",
        ),
        (
            "an init result out of bounds",
            init("(i32.const -4)"),
            Cause::Output,
            "cannot be read",
        ),
        (
            "recursion in describe",
            describe("(call $describe)"),
            Cause::Trap,
            "call stack",
        ),
        (
            "a description out of bounds",
            describe(raw_answer(-8, 64)),
            Cause::Output,
            "cannot be read",
        ),
        (
            "a description that is no text",
            describe(raw_answer(48, 2)),
            Cause::Output,
            "cannot be read",
        ),
        (
            "an empty description",
            describe(raw_answer(64, 0)),
            Cause::Description,
            "malformed",
        ),
        (
            "2 MiB of description",
            describe(big),
            Cause::Description,
            "malformed",
        ),
        (
            "a description that changes after the snapshot",
            turned,
            Cause::Description,
            "description",
        ),
    ];
    for (about, guest, cause, part) in table {
        let started = Instant::now();
        let failure = program(&guest).map(|_| ()).expect_err(about);
        let seen = (failure.blame, failure.cause);
        assert_eq!(seen, (Blame::Guest, cause), "{about}: {failure}");
        assert!(failure.message.contains(part), "{about}: {failure}");
        assert!(
            started.elapsed() < LOADING,
            "{about}: {:?}",
            started.elapsed()
        );
        assert_unharmed();
    }
}

#[test]
fn descriptions_that_the_host_could_choke_on_are_refused() {
    let deep = "[".repeat(100_000);
    let embedded = |json: String| {
        let mut component = Guest {
            embedded: Some(None),
            ..Guest::default()
        }
        .component();
        super::shapes::append_custom(&mut component, "portcullis:description", json.into_bytes());
        component
    };
    let mut twice = Guest::default().component();
    super::shapes::append_custom(&mut twice, "portcullis:description", b"{}".to_vec());
    let mut long = Guest::default().description;
    long["summary"] = json!("x".repeat(4 << 20));
    for (about, component, part) in [
        ("depth", embedded(deep), "malformed"),
        (
            "no JSON",
            embedded("\u{1b}[31m\n".repeat(1000)),
            "malformed",
        ),
        ("two descriptions", twice, "two descriptions"),
        (
            "another description than it gives",
            embedded(long.to_string()),
            "otherwise",
        ),
    ] {
        let failure = super::program_of(&component).map(|_| ()).expect_err(about);
        assert_eq!(failure.cause, Cause::Description, "{about}: {failure}");
        assert!(failure.message.contains(part), "{about}: {failure}");
        assert!(failure.message.len() < 3_000, "{about}");
    }
}
