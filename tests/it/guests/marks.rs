//! No state is visible to a later evaluation: a guest writes marks wherever it
//! can, and instances that take the very slot look for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis::policy::spec::Limits;
use portcullis::policy::{Cause, Evaluate, Failure};
use portcullis::wasm::{AddressSpace, Engine, Loaded, Program};
use portcullis_contract::Verdict;
use serde_json::{Map, json};

use super::text::{Guest, answer};

/// Tables and globals that both kinds of guest have.
const STATE: &str = "(table $t 16 9000 funcref) (elem declare func $start)
    (global $g32 (mut i32) (i32.const 0)) (global $g64 (mut i64) (i64.const 0))
    (global $gf (mut f64) (f64.const 0)) (global $gr (mut funcref) (ref.null func))";

/// Grows memory to `pages`, and marks all of it above its own data, its table
/// and its globals.
fn marking(end: &str) -> Guest {
    let mark = "(drop (memory.grow (i32.const 1020)))
        (memory.fill (i32.const 262144) (i32.const 0xa5)
            (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 262144)))
        (memory.fill (i32.const 200) (i32.const 0xa5) (i32.const 800))
        (memory.fill (i32.const 135000) (i32.const 0xa5) (i32.const 120000))
        (drop (table.grow $t (ref.func $start) (i32.const 8984)))
        (table.fill $t (i32.const 0) (ref.func $start) (table.size $t))
        (global.set $g32 (i32.const -1)) (global.set $g64 (i64.const -1))
        (global.set $gf (f64.const 7)) (global.set $gr (ref.func $start))
        (global.set $count (i32.const 77))";
    Guest {
        evaluate: format!("{mark} {end}"),
        module: STATE.into(),
        ..Guest::default()
    }
}

/// Traps if it finds anything but zeros and nulls where marks could be.
fn hunting(pages: u32) -> Guest {
    let hunt = "(local $at i32) (local $end i32)
        (if (global.get $count) (then unreachable))
        (if (i32.or (global.get $g32) (i64.ne (global.get $g64) (i64.const 0))) (then unreachable))
        (if (f64.ne (global.get $gf) (f64.const 0)) (then unreachable))
        (if (i32.eqz (ref.is_null (global.get $gr))) (then unreachable))
        (if (i32.ne (table.size $t) (i32.const 16)) (then unreachable))
        (if (i32.eq (table.grow $t (ref.null func) (i32.const 8984)) (i32.const -1)) (then unreachable))
        (loop $l (if (i32.eqz (ref.is_null (table.get $t (local.get $at)))) (then unreachable))
            (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 1))) (table.size $t))))
        (call $zeros (i32.const 200) (i32.const 1000))
        (call $zeros (i32.const 135000) (i32.const 255000))
        (drop (memory.grow (i32.sub (i32.const 1024) (memory.size))))
        (if (i32.ne (memory.size) (i32.const 1024)) (then unreachable))
        (call $zeros (i32.const 262144) (i32.shl (memory.size) (i32.const 16)))";
    let zeros = "(func $zeros (param $at i32) (param $end i32)
        (loop $l (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
            (br_if $l (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end)))))";
    Guest {
        evaluate: format!("{hunt} {}", answer()),
        module: format!("{STATE} {zeros}"),
        pages,
        ..Guest::default()
    }
    .described(|description| description["summary"] = json!(format!("hunts from {pages} pages on")))
}

fn program(engine: &Arc<Engine>, guest: &Guest) -> Program {
    let loaded = Loaded::new(engine, &guest.component()).expect("a policy");
    loaded
        .program(&Map::new(), Limits::default())
        .expect("it loads")
}

fn evaluate(program: &Program) -> Result<Verdict, Failure> {
    program.evaluate("{}", Instant::now() + Duration::from_secs(10))
}

#[test]
fn marks_of_one_evaluation_are_seen_by_no_later_one_in_its_slot() {
    let engine = Arc::new(Engine::with_slots(1).expect("an engine"));
    assert_ne!(
        engine.address_space(),
        AddressSpace::OnDemand,
        "it has slots"
    );
    let ends = [
        (answer(), None),
        ("unreachable".to_owned(), Some(Cause::Trap)),
        (
            "(loop $l (br $l)) unreachable".to_owned(),
            Some(Cause::Deadline),
        ),
    ];
    let hunters = [4, 1024].map(|pages| program(&engine, &hunting(pages)));
    for (end, cause) in ends {
        let marker = program(&engine, &marking(&end));
        for _ in 0..3 {
            let deadline = Instant::now() + Duration::from_millis(700);
            let failure = marker.evaluate("{}", deadline).err();
            assert_eq!(failure.map(|failure| failure.cause), cause);
            for hunter in &hunters {
                assert_eq!(evaluate(hunter), Ok(Verdict::default()), "after {cause:?}");
            }
        }
    }
}

#[test]
fn marks_are_seen_by_no_later_evaluation_of_the_same_policy() {
    let engine = Arc::new(Engine::with_slots(1).expect("an engine"));
    // It hunts first and marks then, so that its own successor hunts them.
    let (hunter, marker) = (hunting(4), marking(&answer()));
    let hunt = hunter.evaluate.replace(&answer(), "");
    let both = Guest {
        evaluate: format!("{hunt} {}", marker.evaluate),
        ..hunter
    };
    let both = program(&engine, &both);
    for round in 0..5 {
        assert_eq!(evaluate(&both), Ok(Verdict::default()), "round {round}");
    }
}

#[test]
fn the_hunters_do_find_marks() {
    let engine = Arc::new(Engine::with_slots(1).expect("an engine"));
    for mark in [
        "(i32.store8 (i32.const 300000) (i32.const 1))",
        "(i32.store8 (i32.const 500) (i32.const 1))",
        "(table.set $t (i32.const 9) (ref.func $start))",
        "(global.set $g64 (i64.const 1))",
    ] {
        let hunter = hunting(1024);
        // After the locals of the hunt, before the hunt itself.
        let (locals, rest) = hunter.evaluate.split_once("\n").expect("a first line");
        let marked = Guest {
            evaluate: format!("{locals} {mark} {rest}"),
            ..hunting(1024)
        };
        let failure = evaluate(&program(&engine, &marked)).expect_err(mark);
        assert_eq!(failure.cause, Cause::Trap, "{mark}");
    }
}

#[test]
fn the_one_slot_is_the_one_that_is_reused() {
    let engine = Arc::new(Engine::with_slots(1).expect("an engine"));
    let endless = Guest {
        evaluate: "(loop $l (br $l)) unreachable".into(),
        ..Guest::default()
    };
    let (endless, other) = (
        program(&engine, &endless),
        program(&engine, &Guest::default()),
    );
    std::thread::scope(|scope| {
        let deadline = Instant::now() + Duration::from_secs(1);
        let running = scope.spawn(move || endless.evaluate("{}", deadline));
        // While it runs there is no other slot; once it ended there is.
        std::thread::sleep(Duration::from_millis(200));
        let failure = evaluate(&other).expect_err("no slot");
        assert_eq!(failure.cause, Cause::Overload, "{failure}");
        assert!(running.join().expect("no panic").is_err());
    });
    assert_eq!(evaluate(&other), Ok(Verdict::default()));
}
