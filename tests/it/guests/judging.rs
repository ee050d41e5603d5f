//! What a guest does wrong while it judges: one table, a guest a line.

use portcullis::policy::{Blame, Cause};
use portcullis_contract::Verdict;

use super::text::{Guest, answer, raw_answer};
use super::{assert_unharmed, evaluate};

/// A guest of this `evaluate`, in a module with these further fields.
fn body(evaluate: &str, module: &str) -> Guest {
    Guest {
        evaluate: evaluate.into(),
        module: module.into(),
        ..Guest::default()
    }
}

/// Each of these is stopped in time, named thus, and harms nobody.
pub(super) fn assert_stopped(table: &[(&str, Guest, Cause, &str)]) {
    for (about, guest, cause, part) in table {
        let failure = evaluate(guest).expect_err(about);
        let seen = (failure.blame, failure.cause);
        assert_eq!(seen, (Blame::Guest, *cause), "{about}: {failure}");
        assert!(failure.message.contains(part), "{about}: {failure}");
        assert!(failure.message.len() <= 2_048 + 3, "{about}");
        assert_unharmed();
    }
}

/// Grows to its limit of 16 MiB.
const GROW: &str = "(drop (memory.grow (i32.const 252)))";

#[test]
fn loops_of_every_kind_end_at_the_deadline() {
    let bulk = |operation: &str| {
        body(
            &format!("{GROW} (loop $l {operation} (br $l)) unreachable"),
            "",
        )
    };
    let table = "(table $t 10000 funcref) (elem (i32.const 0) func $again)
        (func $again (loop $l (br $l)))";
    let looping =
        |operation: &str| body(&format!("(loop $l {operation} (br $l)) unreachable"), table);
    let ping = "(func $ping (loop $l (call $pong) (br $l))) (func $pong (nop))";
    let late = |about, guest| (about, guest, Cause::Deadline, "deadline");
    assert_stopped(&[
        late("memory.copy over all of memory",
            bulk("(memory.copy (i32.const 0) (i32.const 1) (i32.const 16777215))")),
        late("memory.fill over all of memory",
            bulk("(memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))")),
        late("memory.grow by nothing", bulk("(drop (memory.grow (i32.const 0)))")),
        late("refused growth, again and again", bulk("(drop (memory.grow (i32.const 65535)))")),
        late("every page touched, for ever",
            body(&format!("(local $i i32) {GROW} (loop $l (i32.store8 (local.get $i) (i32.const 7))
                (local.set $i (i32.and (i32.add (local.get $i) (i32.const 4096)) (i32.const 0xffffff)))
                (br $l)) unreachable"), "")),
        late("table.fill", looping("(table.fill $t (i32.const 0) (ref.null func) (i32.const 10000))")),
        late("table.copy", looping("(table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 9999))")),
        late("a loop behind call_indirect", looping("(call_indirect $t (i32.const 0))")),
        late("calls in a loop", body("(call $ping) unreachable", ping)),
        late("a loop of branches by table",
            looping("(block $a (block $b (br_table $a $b $l (i32.const 2))))")),
    ]);
}

#[test]
fn traps_of_every_kind_are_named() {
    let table =
        "(type $other (func (param f64))) (table $t 2 funcref) (elem (i32.const 0) func $start)";
    let deep = "(func $deep (param i64 i64 i64 i64) (result i64) (i64.add (i64.const 1)
        (call $deeper (local.get 1) (local.get 2) (local.get 3) (local.get 0))))
        (func $deeper (param i64 i64 i64 i64) (result i64) (i64.add (i64.const 1)
        (call $deep (local.get 1) (local.get 2) (local.get 3) (local.get 0))))";
    let trap = |about, evaluate: &str, module: &str, part| {
        (about, body(evaluate, module), Cause::Trap, part)
    };
    assert_stopped(&[
        trap(
            "a division by zero",
            "(i32.div_u (i32.const 1) (i32.const 0))",
            "",
            "divide by zero",
        ),
        trap(
            "an overflow",
            "(i32.div_s (i32.const 0x80000000) (i32.const -1))",
            "",
            "overflow",
        ),
        trap(
            "no number as an integer",
            "(i32.trunc_f64_s (f64.const nan))",
            "",
            "conversion",
        ),
        trap(
            "a load out of bounds",
            "(i32.load (i32.const -8))",
            "",
            "out of bounds",
        ),
        trap(
            "a store out of bounds",
            "(i64.store offset=0xffffffff (i32.const -1) (i64.const 1)) unreachable",
            "",
            "out of bounds",
        ),
        trap(
            "a copy out of bounds",
            "(memory.copy (i32.const 0) (i32.const 1) (i32.const -1)) unreachable",
            "",
            "out of bounds",
        ),
        trap(
            "a table out of bounds",
            "(call_indirect (i32.const 9)) unreachable",
            table,
            "undefined element",
        ),
        trap(
            "an empty element",
            "(call_indirect (i32.const 1)) unreachable",
            table,
            "uninitialized",
        ),
        trap(
            "a function of another type",
            "(call_indirect (type $other) (f64.const 0) (i32.const 0)) unreachable",
            table,
            "indirect call",
        ),
        trap(
            "deep recursion of two",
            "(drop (call $deep (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))) unreachable",
            deep,
            "call stack exhausted",
        ),
    ]);
}

#[test]
fn memory_and_tables_end_at_their_limits() {
    let table = "(table $t 1 funcref)";
    let memory = |about, evaluate: &str, module: &str| {
        (about, body(evaluate, module), Cause::Memory, "16 MiB")
    };
    assert_stopped(&[
        memory("4 GiB in one step",
            "(if (i32.eq (memory.grow (i32.const 65532)) (i32.const -1)) (then unreachable)) unreachable", ""),
        memory("page by page, each touched",
            "(local $at i32) (loop $l (local.set $at (memory.grow (i32.const 1)))
             (i32.store (i32.shl (local.get $at) (i32.const 16)) (i32.const 1)) (br $l)) unreachable", ""),
        memory("a table of millions",
            "(if (i32.eq (table.grow $t (ref.null func) (i32.const 5000000)) (i32.const -1))
                (then unreachable)) unreachable", table),
        memory("a table in small steps",
            "(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 7)) (i32.const -1)))) unreachable",
            table),
    ]);
    // A refusal that it takes well is no fault.
    let modest = body(
        &format!("(drop (memory.grow (i32.const 65532))) {}", answer()),
        "",
    );
    assert_eq!(evaluate(&modest), Ok(Verdict::default()));
}

#[test]
fn results_that_point_elsewhere_are_not_followed() {
    let elsewhere =
        |about, evaluate: String| (about, body(&evaluate, ""), Cause::Output, "cannot be read");
    let bytes = |about, bytes: &str| {
        let data = format!("(data (i32.const 300) \"{bytes}\")");
        let length = i32::try_from(bytes.len() / 3).expect("short");
        (
            about,
            body(&raw_answer(300, length), &data),
            Cause::Output,
            "cannot be read",
        )
    };
    assert_stopped(&[
        elsewhere(
            "a result at the end of the address space",
            "(i32.const -4)".into(),
        ),
        elsewhere("a result that is not aligned", "(i32.const 25)".into()),
        elsewhere(
            "a result across the end of memory",
            "(i32.const 262140)".into(),
        ),
        elsewhere("a text behind memory", raw_answer(0x7fff_fff0, 16)),
        elsewhere("a text across the end of memory", raw_answer(262_140, 16)),
        elsewhere("a text of 4 GiB", raw_answer(64, -1)),
        elsewhere("a text whose end wraps around", raw_answer(-16, 32)),
        bytes("half a surrogate pair", "\\ed\\a0\\80"),
        bytes("an overlong slash", "\\c0\\af"),
        bytes("a cut off character", "\\f0\\9f\\98"),
        bytes("a character beyond the last", "\\f4\\90\\80\\80"),
    ]);
}

#[test]
fn what_changes_after_init_is_stopped_like_anything_else() {
    let flag = "(i32.store (i32.const 256) (i32.const 1)) (i32.store8 (i32.const 32) (i32.const 0)) (i32.const 32)";
    let turning = |evaluate: &str| Guest {
        init: Some(flag.into()),
        evaluate: format!(
            "(if (i32.load (i32.const 256)) (then {evaluate})) {}",
            answer()
        ),
        ..Guest::default()
    };
    assert_stopped(&[
        (
            "it loops",
            turning("(loop $l (br $l))"),
            Cause::Deadline,
            "deadline",
        ),
        ("it traps", turning("unreachable"), Cause::Trap, "trapped"),
    ]);
}
