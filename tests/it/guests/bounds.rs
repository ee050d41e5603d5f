//! What a guest may cost, however it goes about it.

use std::time::{Duration, Instant};

use portcullis::policy::spec::Limits;
use portcullis::policy::{Blame, Cause, Evaluate, Failure};
use portcullis::wasm::Program;
use serde_json::{Map, json};

use super::text::{Guest, answer};
use super::{assert_unharmed, evaluate, load, program};

const ENDLESS: &str = "(loop $l (br $l)) unreachable";

fn failure(guest: &Guest) -> Failure {
    let failure = program(guest).map(|_| ()).expect_err("it is refused");
    assert_unharmed();
    failure
}

#[test]
fn memory_is_limited_from_the_start() {
    // 20 MiB where the policy has 16; the engine's slots have 64.
    let failure = failure(&Guest {
        pages: 320,
        ..Guest::default()
    });
    assert_eq!(
        (failure.blame, failure.cause),
        (Blame::Guest, Cause::Memory)
    );
    assert!(failure.message.contains("16 MiB"), "{failure}");
}

#[test]
fn memories_count_together() {
    // Five of 12 MiB each, where the policy has 16 MiB.
    let hogs = "(core instance (instantiate $hog))".repeat(5);
    let guest = Guest {
        beside: format!("(core module $hog (memory 192)) {hogs}"),
        ..Guest::default()
    };
    assert_eq!(failure(&guest).cause, Cause::Memory);
}

#[test]
fn tables_are_limited() {
    let guest = Guest {
        beside: "(core module $hog (table 10001 funcref)) (core instance (instantiate $hog))"
            .into(),
        ..Guest::default()
    };
    let failure = failure(&guest);
    assert_eq!(failure.blame, Blame::Guest, "{failure}");
}

#[test]
fn the_deadline_holds_in_whatever_the_host_calls() {
    let realloc = Guest {
        realloc: Some(format!(
            "(if (i32.le_u (global.get $count) (i32.const 0)) (then
                (global.set $count (i32.const 1)) (return (i32.const 65536)))) {ENDLESS}"
        )),
        ..Guest::default()
    };
    let post_return = Guest {
        post_return: Some("(loop $l (br $l))".into()),
        ..Guest::default()
    };
    for (about, guest) in [("realloc", realloc), ("post-return", post_return)] {
        let failure = evaluate(&guest).expect_err(about);
        assert_eq!(failure.cause, Cause::Deadline, "{about}: {failure}");
        assert_unharmed();
    }
}

#[test]
fn memory_that_realloc_gives_out_of_bounds_is_the_guests_fault() {
    for given in ["(i32.const -1)", "(i32.const 0x7ffffff0)"] {
        let failure = failure(&Guest {
            realloc: Some(given.into()),
            ..Guest::default()
        });
        assert_eq!(failure.blame, Blame::Guest, "{failure}");
    }
}

#[test]
fn a_deadline_that_is_past_is_not_exceeded() {
    let guest = Guest {
        evaluate: ENDLESS.into(),
        ..Guest::default()
    };
    let program = program(&guest).expect("it loads");
    let started = Instant::now();
    let past = started.checked_sub(Duration::from_secs(1)).expect("a time");
    let failure = program.evaluate("{}", past).expect_err("no time");
    assert_eq!(failure.cause, Cause::Deadline);
    assert!(started.elapsed() < Duration::from_millis(50));
}

/// One line, short enough for a log and for a denial.
fn assert_presentable(about: &str, failure: &Failure) {
    let message = &failure.message;
    assert!(message.len() <= 8_192, "{about}: {} bytes", message.len());
    assert!(
        !message.chars().any(char::is_control),
        "{about}: {:?}",
        &message[..message.len().min(99)]
    );
}

#[test]
fn what_a_guest_says_of_its_failure_is_one_bounded_line() {
    let long = format!("a\nb\u{1b}[31m{}", "x".repeat(100_000));
    let refused = Guest {
        answer: json!({"error": long}).to_string(),
        evaluate: answer(),
        ..Guest::default()
    };
    assert_presentable("error", &evaluate(&refused).expect_err("refused"));
    let name = "x".repeat(50_000);
    let described = Guest::default().described(|d| d[name.as_str()] = json!(1));
    let described = load(&described).map(|_| ()).expect_err("described");
    assert_presentable("describe", &described);
}

/// An `init` that refuses its settings with the text of `answer`.
fn refusing(faults: &str) -> Guest {
    let init = "(i32.store8 (i32.const 32) (i32.const 1))
        (i32.store (i32.const 36) (i32.const ANSWER)) (i32.store (i32.const 40) (i32.const LENGTH))
        (i32.const 32)";
    let init = init.replace("ANSWER", "131072");
    Guest {
        init: Some(init.replace("LENGTH", &faults.len().to_string())),
        answer: faults.into(),
        evaluate: answer(),
        ..Guest::default()
    }
}

#[test]
fn settings_are_refused_by_place_in_one_bounded_line() {
    let faults = json!([{"path": "/a/0", "message": "should\nbe a number"}]).to_string();
    let refused = failure(&refusing(&faults));
    assert_eq!(refused.cause, Cause::Settings);
    assert!(refused.message.contains("`settings.a[0]`"), "{refused}");
    assert_presentable("a fault", &refused);
    let faults = json!([{"path": "", "message": "x".repeat(100_000)}]).to_string();
    assert_presentable("a long fault", &failure(&refusing(&faults)));
    for faults in ["", "[]", "nonsense"] {
        let refused = failure(&refusing(faults));
        assert_eq!(refused.cause, Cause::Settings, "{faults}: {refused}");
    }
}

/// Counts its calls in a global, and traps at the second.
fn counting() -> Guest {
    let count = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (if (i32.gt_u (global.get $count) (i32.const 1)) (then unreachable))";
    Guest {
        evaluate: format!("{count} {}", answer()),
        ..Guest::default()
    }
}

#[test]
fn evaluations_side_by_side_share_nothing() {
    let loaded = load(&counting()).expect("it loads");
    let make = |_| {
        loaded
            .program(&Map::new(), Limits::default())
            .expect("a program")
    };
    let programs: Vec<Program> = (0..2).map(make).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let program = &programs[thread % 2];
            scope.spawn(move || {
                for _ in 0..100 {
                    let deadline = Instant::now() + Duration::from_secs(5);
                    assert!(program.evaluate("{}", deadline).is_ok());
                }
            });
        }
    });
}
