//! What a guest does wrong is named: the first of each kind.

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;
use portcullis::policy::{Blame, Cause, Evaluate};
use portcullis::wasm::{Loaded, MAX_COMPONENT_BYTES, assemble};
use portcullis_contract::Verdict;
use serde_json::json;

use super::text::{self, Guest, answer};
use super::{ENGINE, assert_unharmed, evaluate, program};

#[test]
fn what_a_guest_does_wrong_while_it_judges_is_named() {
    let touch_all = "(local $i i32) (loop $next (drop (memory.grow (i32.const 1)))
        (br_if $next (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4096))))
        unreachable";
    let copy = "(loop $again (memory.copy (i32.const 0) (i32.const 1) (i32.const 131000)) (br $again)) unreachable";
    for (about, body, cause, part) in [
        (
            "an endless loop",
            "(loop $l (br $l)) unreachable".to_owned(),
            Cause::Deadline,
            "deadline",
        ),
        (
            "memory.copy in a loop",
            copy.to_owned(),
            Cause::Deadline,
            "deadline",
        ),
        ("a trap", "unreachable".to_owned(), Cause::Trap, "trapped"),
        (
            "deep recursion",
            "(call $evaluate (local.get 0) (local.get 1))".to_owned(),
            Cause::Trap,
            "trapped",
        ),
        (
            "growth beyond the limit",
            touch_all.to_owned(),
            Cause::Memory,
            "16 MiB",
        ),
        (
            "a result out of bounds",
            "(i32.const 0x7ffffff0)".to_owned(),
            Cause::Output,
            "cannot be read",
        ),
        (
            "a string out of bounds",
            text::raw_answer(64, i32::MAX),
            Cause::Output,
            "cannot be read",
        ),
        (
            "no UTF-8",
            text::raw_answer(text::NOT_UTF8, 2),
            Cause::Output,
            "cannot be read",
        ),
        (
            "2 MiB of output",
            format!(
                "(drop (memory.grow (i32.const 64))) {}",
                text::raw_answer(262_144, 2 << 20)
            ),
            Cause::Output,
            "at most 1048576",
        ),
    ] {
        let failure = evaluate(&Guest {
            evaluate: body,
            ..Guest::default()
        })
        .expect_err(about);
        assert_eq!(
            (failure.blame, failure.cause),
            (Blame::Guest, cause),
            "{about}: {failure}"
        );
        assert!(failure.message.contains(part), "{about}: {failure}");
        assert_unharmed();
    }
}

#[test]
fn an_answer_is_held_to_the_description() {
    let finding =
        |code: &str, path: &str| json!({"code": code, "message": "m", "remedy": "r", "path": path});
    let many: Vec<_> = (0..1001).map(|_| finding("c", "")).collect();
    let long = json!({"code": "c", "message": "m".repeat(4096), "remedy": "r", "path": ""});
    for (verdict, part) in [
        (json!("nonsense"), "no verdict"),
        (json!({"findings": 7}), "no verdict"),
        (json!({"findings": [], "novel": 1}), "no verdict"),
        (
            json!({"findings": [finding("other", "")]}),
            "\"other\", which its description does not declare",
        ),
        (
            json!({"findings": [finding("c", "spec")]}),
            "no JSON Pointer",
        ),
        (json!({"findings": many}), "at most 1000"),
        (json!({"findings": [long]}), "longer than"),
        (json!({"changes": {"patch": []}}), "mutating: false"),
    ] {
        let guest = Guest {
            answer: verdict.to_string(),
            evaluate: answer(),
            ..Guest::default()
        };
        let failure = evaluate(&guest).expect_err(part);
        assert_eq!(failure.cause, Cause::Output, "{failure}");
        assert!(failure.message.contains(part), "{failure}");
    }
    let both = json!({"changes": {"patch": [{"op": "remove", "path": "/a"}], "object": {}}});
    let guest = Guest {
        answer: both.to_string(),
        evaluate: answer(),
        ..Guest::default()
    };
    let guest = guest.described(|description| description["mutating"] = json!(true));
    assert!(
        evaluate(&guest)
            .expect_err("both")
            .message
            .contains("only one of them")
    );
    let changes = json!({"changes": {"patch": [{"op": "remove", "path": "/a"}]}});
    let guest = Guest {
        answer: changes.to_string(),
        evaluate: answer(),
        ..Guest::default()
    };
    // Its settings are `{}`.
    let guest = guest.described(|description| {
        description["mutating"] = json!(true);
        description["mutatingSettings"] = json!(["defaults"]);
        description["settings"] = json!({"properties": {"defaults": {}}});
    });
    let failure = evaluate(&guest).expect_err("a setting is needed");
    assert!(failure.message.contains("`mutatingSettings`"), "{failure}");
    let refused = json!({"error": "`pod` should be a map"});
    let guest = Guest {
        answer: refused.to_string(),
        evaluate: answer(),
        ..Guest::default()
    };
    assert_eq!(evaluate(&guest).expect_err("refused").cause, Cause::Refused);
    let good = json!({"findings": [finding("c", "/spec")]});
    let guest = Guest {
        answer: good.to_string(),
        evaluate: answer(),
        ..Guest::default()
    };
    assert_eq!(evaluate(&guest).expect("a verdict").findings.len(), 1);
}

#[test]
fn what_is_no_policy_is_refused_at_load() {
    let guest = Guest::default;
    let described = |change: fn(&mut serde_json::Value)| guest().described(change);
    for (about, guest, cause, part) in [
        (
            "an import",
            Guest {
                import: true,
                ..guest()
            },
            Cause::Import,
            "wasi:clocks/wall-clock@0.2.0",
        ),
        (
            "too much memory",
            Guest {
                pages: 2_000,
                ..guest()
            },
            Cause::Memory,
            "limit of 16 MiB",
        ),
        (
            "no description",
            Guest {
                embedded: Some(None),
                ..guest()
            },
            Cause::Description,
            "no embedded",
        ),
        (
            "another description",
            Guest {
                embedded: Some(Some(json!({"name": "other"}))),
                ..guest()
            },
            Cause::Description,
            "malformed",
        ),
        (
            "a newer interface",
            described(|d| d["interface"] = json!("0.2.0")),
            Cause::Description,
            "0.2.0",
        ),
        (
            "an unknown member",
            described(|d| d["novel"] = json!(1)),
            Cause::Description,
            "novel",
        ),
        (
            "a trap in a start function",
            Guest {
                start: "unreachable".into(),
                ..guest()
            },
            Cause::Trap,
            "trapped",
        ),
        (
            "a trap in describe",
            Guest {
                describe: Some("unreachable".into()),
                ..guest()
            },
            Cause::Trap,
            "trapped",
        ),
        (
            "another name of its exports",
            Guest {
                interface: "portcullis:policy/guest@0.9.0".into(),
                ..guest()
            },
            Cause::Program,
            "does not export",
        ),
    ] {
        let failure = program(&guest).map(|_| ()).expect_err(about);
        assert_eq!(
            (failure.blame, failure.cause),
            (Blame::Guest, cause),
            "{about}: {failure}"
        );
        assert!(failure.message.contains(part), "{about}: {failure}");
        assert_unharmed();
    }
    let mut large = Guest::default().component();
    large.resize(MAX_COMPONENT_BYTES + 1, 0);
    assert_eq!(
        Loaded::new(&ENGINE, &large)
            .map(|_| ())
            .expect_err("large")
            .cause,
        Cause::Program
    );
}

#[test]
fn a_description_that_changes_is_refused() {
    let honest = Guest::default();
    let mut other = honest.description.clone();
    other["summary"] = json!("harmless");
    let lying = Guest {
        embedded: Some(Some(other)),
        ..honest
    };
    let failure = program(&lying).map(|_| ()).expect_err("it lies");
    assert!(
        failure.message.contains("otherwise than its embedded"),
        "{failure}"
    );
}

#[test]
fn describe_and_init_have_five_seconds() {
    let endless = "(loop $l (br $l)) unreachable".to_owned();
    let describe = Guest {
        describe: Some(endless.clone()),
        ..Guest::default()
    };
    let start = Guest {
        start: endless.clone(),
        ..Guest::default()
    };
    let init = Guest {
        init: Some(endless),
        ..Guest::default()
    };
    std::thread::scope(|scope| {
        for guest in [describe, start, init] {
            scope.spawn(move || {
                // Of the processor: three share what others leave of it.
                let used = ThreadTime::now();
                let failure = program(&guest).map(|_| ()).expect_err("it never ends");
                let used = used.elapsed();
                assert_eq!(failure.cause, Cause::Deadline, "{failure}");
                // Five seconds, and what compiling takes.
                assert!(used < Duration::from_secs(10), "{used:?}");
            });
        }
    });
    assert_unharmed();
}

#[test]
fn no_evaluation_leaves_a_trace_for_the_next() {
    // Counts in a global and in memory, and says how often it was called.
    let body = "(i32.store8 (i32.const 60000) (i32.add (i32.load8_u (i32.const 60000)) (i32.const 1)))
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (if (i32.or (i32.gt_u (global.get $count) (i32.const 1)) (i32.gt_u (i32.load8_u (i32.const 60000)) (i32.const 1)))
            (then unreachable))
        (i32.store (i32.const 24) (i32.const 0)) (i32.store (i32.const 28) (i32.const 0)) (i32.const 24)";
    let guest = Guest {
        evaluate: body.into(),
        ..Guest::default()
    };
    let program = [
        program(&guest).expect("it loads"),
        program(&guest).expect("it loads"),
    ];
    for round in 0..200 {
        // Time is no matter here.
        let deadline = Instant::now() + Duration::from_secs(5);
        let result = program[round % 2].evaluate("{}", deadline);
        assert_eq!(result, Ok(Verdict::default()), "round {round}");
    }
}

#[test]
fn assembling_embeds_what_the_guest_says_of_itself() {
    let folder = crate::support::root().join("target/guests/wasm32-unknown-unknown/guest");
    let module = std::fs::read(folder.join("image_tags.wasm")).expect("run `cargo xtask build`");
    let component = assemble(&module).expect("a component");
    let again = assemble(&module).expect("a component");
    assert_eq!(component, again);
    let inspected = portcullis::wasm::inspect(&component).expect("inspected");
    assert_eq!(inspected.imports, Vec::<String>::new());
    assert_eq!(
        inspected
            .description
            .map(|description| description.name)
            .as_deref(),
        Some("image-tags")
    );
    let failure = assemble(b"hello").expect_err("no module");
    assert_eq!(failure.cause, Cause::Program);
}
