//! Components whose very shape is hostile: large, deep, many, forbidden.

use std::fmt::Write;
use std::time::{Duration, Instant};

use portcullis::policy::{Blame, Evaluate};
use portcullis::wasm::MAX_COMPONENT_BYTES;
use portcullis_contract::Verdict;
use wasm_encoder::{ComponentSection, CustomSection};

use super::text::Guest;
use super::{assert_unharmed, program_of};

/// What compiling may take (issue 5).
const COMPILING: Duration = Duration::from_secs(30);

pub(super) fn append_custom(component: &mut Vec<u8>, name: &str, data: Vec<u8>) {
    let section = CustomSection {
        name: name.into(),
        data: data.into(),
    };
    section.append_to_component(component);
}

fn module(fields: &str) -> Vec<u8> {
    let guest = Guest {
        module: fields.into(),
        ..Guest::default()
    };
    guest.component()
}

fn beside(fields: &str) -> Vec<u8> {
    let guest = Guest {
        beside: fields.into(),
        ..Guest::default()
    };
    guest.component()
}

fn repeat(count: usize, field: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for index in 0..count {
        let _ = write!(text, "{} ", field(index));
    }
    text
}

/// Loads a component; None if it was refused. Either is well, if it is soon,
/// and if a component that loads then judges.
fn load(about: &str, component: &[u8]) -> Option<String> {
    let started = Instant::now();
    let loaded = program_of(component);
    let took = started.elapsed();
    println!("{about}: {took:?}");
    assert!(took < COMPILING, "{about}: {took:?}");
    let refusal = match loaded {
        Ok(program) => {
            let deadline = Instant::now() + Duration::from_secs(5);
            let verdict = program.evaluate("{}", deadline);
            assert_eq!(verdict, Ok(Verdict::default()), "{about}");
            None
        }
        Err(failure) => {
            assert_eq!(failure.blame, Blame::Guest, "{about}: {failure}");
            assert!(
                !failure.message.is_empty() && failure.message.len() < 3_000,
                "{about}"
            );
            Some(failure.message)
        }
    };
    assert_unharmed();
    refusal
}

#[test]
fn features_that_policies_have_no_use_for_are_refused() {
    for (about, fields) in [
        ("a 64-bit memory", "(memory $wide i64 1)"),
        ("a second memory", "(memory $second 1)"),
        ("a shared memory", "(memory $shared 1 2 shared)"),
        ("a tail call", "(func $tail (return_call $tail))"),
        (
            "relaxed SIMD",
            "(func (result v128) (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))",
        ),
        ("exceptions", "(tag $t) (func (throw $t))"),
        ("garbage-collected types", "(type $s (struct (field i32)))"),
        ("a table of i64 elements", "(table $wide i64 1 funcref)"),
        ("a table of a billion", "(table $t 1000000000 funcref)"),
    ] {
        assert!(load(about, &module(fields)).is_some(), "{about} is taken");
    }
    for (about, fields) in [
        ("an import of a function", "(import \"host\" (func))"),
        (
            "an import of WASI",
            "(import \"wasi:cli/run@0.2.0\" (instance))",
        ),
        ("an import of a component", "(import \"other\" (component))"),
        (
            "an import of a core module",
            "(import \"code\" (core module))",
        ),
        (
            "an import of a type",
            "(import \"t\" (type (sub resource)))",
        ),
        (
            "nine instances",
            &format!(
                "(core module $more) {}",
                "(core instance (instantiate $more)) ".repeat(9)
            ),
        ),
        (
            "a memory above the limit",
            "(core module $hog (memory 257)) (core instance (instantiate $hog))",
        ),
        (
            "a memory of 4 GiB",
            "(core module $hog (memory 65536)) (core instance (instantiate $hog))",
        ),
    ] {
        assert!(load(about, &beside(fields)).is_some(), "{about} is taken");
    }
}

/// A harmless guest of this size.
fn padded(bytes: usize) -> Vec<u8> {
    let guest = Guest::default().component();
    let with = |padding: usize| {
        let mut component = guest.clone();
        append_custom(&mut component, "b", vec![0; padding]);
        component
    };
    let around = with(1 << 22).len() - (1 << 22);
    let padded = with(bytes - around);
    assert_eq!(padded.len(), bytes);
    padded
}

#[test]
fn what_is_large_or_deep_or_many_is_soon_compiled_or_refused() {
    let blocks = format!(
        "(func {} {})",
        "block ".repeat(20_000),
        "end ".repeat(20_000)
    );
    let tower = format!("{} {}", "(component ".repeat(90), ")".repeat(90));
    let doubling = repeat(30, |n| format!("(type $t{} (tuple $t{n} $t{n}))", n + 1));
    let mut table: Vec<(&str, Vec<u8>)> = vec![
        (
            "20,000 functions",
            module(&repeat(20_000, |n| {
                format!("(func (result i32) (i32.const {n}))")
            })),
        ),
        (
            "50,000 locals",
            module(&format!("(func {})", "(local i64) ".repeat(50_000))),
        ),
        (
            "50,001 locals",
            module(&format!("(func {})", "(local i64) ".repeat(50_001))),
        ),
        (
            "20,000 types",
            module(&repeat(20_000, |n| {
                format!("(type (func (param {})))", "i32 ".repeat(n % 40))
            })),
        ),
        (
            "1,001 parameters",
            module(&format!("(func (param {}))", "i32 ".repeat(1_001))),
        ),
        (
            "50,000 globals",
            module(&"(global i32 (i32.const 1)) ".repeat(50_000)),
        ),
        (
            "50,000 segments",
            module(&"(data (i32.const 64) \"x\") ".repeat(50_000)),
        ),
        (
            "20,000 exports",
            module(&repeat(20_000, |n| {
                format!("(export \"e{n}\" (func $start))")
            })),
        ),
        ("blocks 20,000 deep", module(&blocks)),
        (
            "a branch to 20,000 places",
            module(&format!(
                "(func (block $b (br_table {} (i32.const 7))))",
                "$b ".repeat(20_000)
            )),
        ),
        (
            "a function of 300,000 instructions",
            module(&format!(
                "(func (local i32) {})",
                "(local.set 0 (i32.add (local.get 0) (i32.const 1))) ".repeat(75_000)
            )),
        ),
        (
            "a constant expression of 20,000 steps",
            module(&format!(
                "(global i32 (i32.const 1) {})",
                "(i32.const 1) (i32.add) ".repeat(20_000)
            )),
        ),
        ("90 components in each other", beside(&tower)),
        (
            "a type that doubles 30 times",
            beside(&format!("(type $t0 (tuple u8 u8)) {doubling}")),
        ),
        (
            "1,500 core modules",
            beside(&"(core module) ".repeat(1_500)),
        ),
    ];
    let mut custom = Guest::default().component();
    append_custom(&mut custom, "bomb", vec![0; 7 << 20]);
    table.push(("a custom section of 7 MiB", custom));
    let mut many = Guest::default().component();
    (0..200_000).for_each(|_| append_custom(&mut many, "b", vec![]));
    table.push(("200,000 custom sections", many));
    let most = padded(MAX_COMPONENT_BYTES);
    assert!(load("8 MiB", &most).is_none(), "it is harmless");
    let one_more = padded(MAX_COMPONENT_BYTES + 1);
    assert!(load("8 MiB and one byte", &one_more).is_some_and(|said| said.contains("at most")));
    for (about, component) in &table {
        load(about, component);
    }
}
