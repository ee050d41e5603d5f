//! `diff`: its patch applies, gives what was meant, and names nothing else.

use std::collections::BTreeSet;

use portcullis::policy::patch::{apply, diff};
use portcullis_contract::{PatchOperation, pointer};
use proptest::prelude::*;
use serde_json::Value;

use super::values::{pair, value};
use super::{Outcome, hold, path, second};

#[test]
fn a_difference_applied_by_either_implementation_gives_the_intended_object() {
    hold(1, &pair(), |(from, to)| {
        let patch = diff(&from, &to);
        prop_assert_eq!(
            apply(&from, &patch).map_err(|error| error.to_string()),
            Ok(to.clone())
        );
        let result = second(&from, &patch);
        prop_assert_eq!(&result, &Ok(to.clone()));
        prop_assert_eq!(text(&result.expect("compared")), text(&to));
        prop_assert_eq!(patch.is_empty(), from == to);
        Ok(())
    });
}

#[test]
fn nothing_differs_from_itself_read_back_from_its_text() {
    hold(1, &value(), |value| {
        let again: Value = serde_json::from_str(&value.to_string()).expect("JSON");
        prop_assert_eq!(diff(&value, &value), []);
        prop_assert_eq!(diff(&value, &again), []);
        prop_assert_eq!(again.to_string(), value.to_string());
        Ok(())
    });
}

#[test]
fn only_places_that_differ_are_named() {
    hold(1, &pair(), |(from, to)| {
        let patch = diff(&from, &to);
        let mut expected = BTreeSet::new();
        differing("", &from, &to, &mut expected);
        let named: BTreeSet<String> = patch
            .iter()
            .map(|one| outside_lists(&from, &to, path(one)))
            .collect();
        prop_assert_eq!(named, expected);
        replay(from, &patch)
    });
}

#[test]
fn untouched_fields_stay_as_they_were_byte_for_byte() {
    hold(1, &pair(), |(from, to)| {
        let patch = diff(&from, &to);
        let result = second(&from, &patch).expect("it applies");
        let paths: Vec<&str> = patch.iter().map(path).collect();
        untouched("", &from, &result, &paths)
    });
}

/// As JSON, with 0.0 for -0.0: the two are one number.
fn text(value: &Value) -> String {
    value
        .to_string()
        .split("-0.0")
        .map(String::from)
        .collect::<Vec<_>>()
        .join("0.0")
}

/// Where two values differ: members by member, lists as a whole.
fn differing(place: &str, from: &Value, to: &Value, found: &mut BTreeSet<String>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => {
            let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
            for key in keys {
                let place = pointer::join(place, key);
                match (from.get(key), to.get(key)) {
                    (Some(from), Some(to)) => differing(&place, from, to, found),
                    _ => {
                        found.insert(place);
                    }
                }
            }
        }
        (from, to) if from == to => {}
        _ => {
            found.insert(place.to_owned());
        }
    }
}

/// The outermost list that a place is in, before and after; else the place.
fn outside_lists(from: &Value, to: &Value, place: &str) -> String {
    let ends = place.match_indices('/').map(|(end, _)| &place[..end]);
    let is_list = |value: &Value, place| value.pointer(place).is_some_and(Value::is_array);
    let list = ends
        .filter(|end| is_list(from, end) && is_list(to, end))
        .min_by_key(|end| end.len());
    list.unwrap_or(place).to_owned()
}

/// Every operation changes what it names, and replaces no map by a map and no
/// list by a list.
fn replay(mut object: Value, patch: &[PatchOperation]) -> Outcome {
    for operation in patch {
        let before = object.pointer(path(operation)).cloned();
        let in_list = path(operation)
            .rsplit_once('/')
            .is_some_and(|(parent, _)| object.pointer(parent).is_some_and(Value::is_array));
        match (operation, before) {
            (PatchOperation::Add { .. }, before) => prop_assert!(in_list || before.is_none()),
            (PatchOperation::Remove { .. }, before) => prop_assert!(before.is_some()),
            (PatchOperation::Replace { value, .. }, Some(before)) => {
                let both = |is: fn(&Value) -> bool| is(value) && is(&before);
                prop_assert!(!both(Value::is_object) && !both(Value::is_array));
                prop_assert_ne!(value, &before);
            }
            (operation, _) => prop_assert!(false, "{operation:?}"),
        }
        object = second(&object, std::slice::from_ref(operation)).expect("it applies");
    }
    Ok(())
}

/// What no operation names is the same text as before. Lists that grew, shrank
/// or moved are compared as far as their length and order allow.
fn untouched(place: &str, from: &Value, result: &Value, paths: &[&str]) -> Outcome {
    let below = format!("{place}/");
    if paths.contains(&place) {
        return Ok(());
    }
    if !paths.iter().any(|path| path.starts_with(&below)) {
        prop_assert_eq!(from.to_string(), result.to_string(), "{}", place);
        return Ok(());
    }
    match (from, result) {
        (Value::Object(from), Value::Object(result)) => {
            for (key, from) in from {
                let place = pointer::join(place, key);
                if let Some(result) = result.get(key) {
                    untouched(&place, from, result, paths)?;
                }
            }
        }
        (Value::Array(from), Value::Array(result)) if from.len() == result.len() => {
            let is_moved = paths.iter().any(|path| {
                path.strip_prefix(&below)
                    .is_some_and(|rest| !rest.contains('/'))
            });
            for (index, (from, result)) in from.iter().zip(result).enumerate().filter(|_| !is_moved)
            {
                untouched(&format!("{place}/{index}"), from, result, paths)?;
            }
        }
        _ => {}
    }
    Ok(())
}
