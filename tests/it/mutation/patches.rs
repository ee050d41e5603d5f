//! `apply`: it agrees with the second implementation on any patch.
//!
//! Where the two differ by design: only ours refuses to add, remove or replace
//! the whole object or what identifies it (its own unit test), and only ours
//! takes 1 for 1.0 in a `test`, as the RFC says.

use std::cell::Cell;

use portcullis::policy::patch::apply;
use portcullis_contract::PatchOperation;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use super::values::{object, places, value};
use super::{hold, path, second};

/// What stands behind a place of the object to make a path: mostly nothing,
/// and what may not be there.
const ENDS: [&str; 14] = [
    "", "", "", "", "", "/-", "/0", "/1", "/99", "/01", "/+1", "/new", "/a~", "~",
];

#[test]
fn any_patch_is_applied_or_refused_as_by_the_second_implementation() {
    let operation = (
        0..4_u8,
        any::<Index>(),
        select(&ENDS[..]),
        proptest::option::of(value()),
    );
    let cases = (object(), vec(operation, 0..5));
    let (applied, refused) = (Cell::new(0), Cell::new(0));
    hold(1, &cases, |(object, operations)| {
        let places = places(&object);
        let make = |(kind, pick, end, value): (u8, Index, &str, Option<Value>)| {
            let place = format!("{}{end}", pick.get(&places));
            let found = || object.pointer(&place).cloned().unwrap_or_default();
            let value = value.unwrap_or_else(found);
            of_kind(kind, place, value)
        };
        let patch: Vec<PatchOperation> = operations.into_iter().map(make).collect();
        let ours = apply(&object, &patch);
        if patch.iter().any(changes_all) {
            prop_assert!(ours.is_err());
            return Ok(());
        }
        if patch.iter().any(tests_a_whole_float) {
            return Ok(());
        }
        let theirs = second(&object, &patch);
        let counter = if ours.is_ok() { &applied } else { &refused };
        counter.set(counter.get() + 1);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{:?} {:?}", ours, theirs);
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours.to_string(), theirs.to_string());
        }
        Ok(())
    });
    println!("{} applied, {} refused", applied.get(), refused.get());
    assert!(applied.get() > 0 && refused.get() > 0);
}

fn of_kind(kind: u8, path: String, value: Value) -> PatchOperation {
    match kind {
        0 => PatchOperation::Add { path, value },
        1 => PatchOperation::Remove { path },
        2 => PatchOperation::Replace { path, value },
        _ => PatchOperation::Test { path, value },
    }
}

fn changes_all(operation: &PatchOperation) -> bool {
    path(operation).is_empty() && !matches!(operation, PatchOperation::Test { .. })
}

fn tests_a_whole_float(operation: &PatchOperation) -> bool {
    let PatchOperation::Test { value, .. } = operation else {
        return false;
    };
    let is_whole = |place: String| {
        let number = value.pointer(&place).filter(|value| value.is_number());
        number
            .and_then(Value::as_f64)
            .is_some_and(|number| number.fract() == 0.0)
    };
    places(value).into_iter().any(is_whole)
}
