//! RFC 6902 patches: applying a guest's, and the difference of two objects.
//!
//! Held against a second implementation by `tests/it/mutation.rs`. Narrower
//! than the RFC, on purpose: `copy` and `move` are left out, no operation adds,
//! removes or replaces the whole object, and none changes what identifies it.
//!
//! Numbers: 1 and 1.0 are two values to [`diff()`], as they are to the API
//! server, which refuses 1.0 for an integer field; 0.0 and -0.0 are one. A
//! `test` compares by value, as the RFC says (4.6): there 1 is 1.0.

mod diff;

use portcullis_contract::PatchOperation;
use serde_json::{Number, Value};

pub use diff::diff;

/// Members that identify an object: no patch may touch them.
const IDENTITY: [&str; 9] = [
    "/apiVersion",
    "/kind",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
    "/metadata/generateName",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/resourceVersion",
    "/metadata/uid",
];

/// Why a patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` {problem}")]
pub struct Error {
    path: String,
    problem: &'static str,
}

/// Applies `patch` to `object`, all of it or nothing.
///
/// # Errors
///
/// The first operation that does not apply, or that would change what
/// identifies the object.
pub fn apply(object: &Value, patch: &[PatchOperation]) -> Result<Value, Error> {
    let mut patched = object.clone();
    for operation in patch {
        apply_one(&mut patched, operation)?;
    }
    for path in IDENTITY {
        if object.pointer(path) != patched.pointer(path) {
            let problem = "identifies the object and must stay as it is";
            return Err(Error {
                path: path.to_owned(),
                problem,
            });
        }
    }
    Ok(patched)
}

fn apply_one(object: &mut Value, operation: &PatchOperation) -> Result<(), Error> {
    match operation {
        PatchOperation::Add { path, value } => add(object, path, value.clone()),
        PatchOperation::Remove { path } => remove(object, path).map(|_| ()),
        PatchOperation::Replace { path, value } => {
            let place = object.pointer_mut(path).filter(|_| is_pointer(path, false));
            *place.ok_or_else(|| fault(path, "is not there to be replaced"))? = value.clone();
            Ok(())
        }
        PatchOperation::Test { path, value } => match object.pointer(path) {
            Some(found) if is_pointer(path, true) && is_same(found, value) => Ok(()),
            _ => Err(fault(path, "is not what the patch tests for")),
        },
    }
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), Error> {
    let (parent, last) = split(path)?;
    let missing = || fault(path, "cannot be added: what should hold it is not there");
    match object.pointer_mut(parent).ok_or_else(missing)? {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(list) => {
            let index = if last == "-" {
                Some(list.len())
            } else {
                index(&last)
            };
            match index.filter(|index| *index <= list.len()) {
                Some(index) => list.insert(index, value),
                None => return Err(fault(path, "is past the end of the list")),
            }
        }
        _ => {
            return Err(fault(
                path,
                "cannot be added: what should hold it is no map or list",
            ));
        }
    }
    Ok(())
}

fn remove(object: &mut Value, path: &str) -> Result<Value, Error> {
    let (parent, last) = split(path)?;
    let removed = match object.pointer_mut(parent) {
        Some(Value::Object(map)) => map.remove(&last),
        Some(Value::Array(list)) => index(&last)
            .filter(|index| *index < list.len())
            .map(|index| list.remove(index)),
        _ => None,
    };
    removed.ok_or_else(|| fault(path, "is not there to be removed"))
}

/// The parent of a pointer, and its last token, unescaped.
fn split(path: &str) -> Result<(&str, String), Error> {
    let (parent, last) = path
        .rsplit_once('/')
        .filter(|_| is_pointer(path, false))
        .ok_or_else(|| {
            let problem = "is no JSON Pointer to a member: it must start with `/`, \
                           and a `~` in it be written `~0`";
            fault(path, problem)
        })?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

/// Whether this is a JSON Pointer (RFC 6901, section 3); to the whole object
/// only where that is allowed.
fn is_pointer(path: &str, whole: bool) -> bool {
    let mut escapes = path.split('~').skip(1);
    let is_rooted = path.starts_with('/') || (whole && path.is_empty());
    is_rooted && escapes.all(|rest| rest.starts_with(['0', '1']))
}

/// Equal as `test` means it (RFC 6902, 4.6): numbers by their value.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => is_same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(key, value)| other.get(key).is_some_and(|found| is_same(value, found));
            one.len() == other.len() && one.iter().all(has)
        }
        (one, other) => one == other,
    }
}

fn is_same_number(one: &Number, other: &Number) -> bool {
    match (one.as_i128(), other.as_i128()) {
        (Some(whole), None) => is_whole(other, whole),
        (None, Some(whole)) => is_whole(one, whole),
        _ => one == other,
    }
}

/// Whether a float is exactly this whole number, which fits 65 bits.
fn is_whole(float: &Number, whole: i128) -> bool {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a float past the range becomes its end, which no number of JSON here is"
    )]
    let same = |float: f64| float.fract() == 0.0 && float as i128 == whole;
    float.as_f64().is_some_and(same)
}

/// An array index of RFC 6901: digits without a leading zero.
fn index(token: &str) -> Option<usize> {
    let is_index =
        token == "0" || (!token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit()));
    if is_index { token.parse().ok() } else { None }
}

fn fault(path: &str, problem: &'static str) -> Error {
    Error {
        path: path.to_owned(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_applies_and_gives_the_intended_object() {
        let values = [
            json!({}),
            json!({"a/b": {"~": [1, 2, 3]}, "c": null}),
            json!({"a/b": {"~": [1, 3]}, "c": 1.5}),
            json!({"a/b": {"~": [0, 1, 2, 3]}, "d": [{"x": 1}]}),
            json!({"a/b": [], "d": [{"x": 2}, {"y": 18_446_744_073_709_551_615_u64}]}),
        ];
        for from in &values {
            for to in &values {
                assert_eq!(
                    apply(from, &diff(from, to)).as_ref(),
                    Ok(to),
                    "{from} -> {to}"
                );
            }
            assert!(diff(from, from).is_empty());
        }
    }

    #[test]
    fn a_test_compares_numbers_by_value() {
        let test = |found: &str, wanted: &str| {
            let parse = |text| serde_json::from_str::<Value>(text).expect("JSON");
            let (object, value) = (json!({"n": [parse(found)]}), json!([parse(wanted)]));
            let path = "/n".to_owned();
            apply(&object, &[PatchOperation::Test { path, value }]).is_ok()
        };
        for (one, other) in [("1", "1.0"), ("100", "1e2"), ("0.0", "-0.0"), ("0", "-0.0")] {
            assert!(test(one, other) && test(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("1", "1.5"),
            ("18446744073709551615", "18446744073709551616.0"),
            ("9007199254740993", "9007199254740992.0"),
            ("1", "\"1\""),
            ("1", "1e300"),
        ] {
            assert!(!test(one, other) && !test(other, one), "{one} {other}");
        }
    }

    #[test]
    fn identity_and_places_outside_the_object_are_out_of_reach() {
        let object = json!({"kind": "Pod", "metadata": {"uid": "u"}, "list": [1]});
        let replace = |path: &str| PatchOperation::Replace {
            path: path.into(),
            value: json!("x"),
        };
        let add = |path: &str| PatchOperation::Add {
            path: path.into(),
            value: json!("x"),
        };
        for patch in [
            replace("/kind"),
            replace("/metadata/uid"),
            add("/metadata/name"),
            replace(""),
            add(""),
            add("/list/2"),
            add("/list/01"),
            add("/absent/member"),
            PatchOperation::Remove {
                path: "/absent".into(),
            },
            PatchOperation::Remove {
                path: "/metadata".into(),
            },
            add("list"),
            add("/a~"),
            add("/a~2b"),
        ] {
            assert!(
                apply(&object, std::slice::from_ref(&patch)).is_err(),
                "{patch:?}"
            );
        }
    }
}
