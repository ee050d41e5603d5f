//! RFC 6902 patches: applying a guest's, and the difference of two objects.

use portcullis_contract::{PatchOperation, pointer};
use serde_json::Value;

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
            let place = object.pointer_mut(path).filter(|_| is_pointer(path));
            *place.ok_or_else(|| fault(path, "is not there to be replaced"))? = value.clone();
            Ok(())
        }
        PatchOperation::Test { path, value } => match object.pointer(path) {
            Some(found) if found == value => Ok(()),
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
        .filter(|_| is_pointer(path))
        .ok_or_else(|| {
            fault(
                path,
                "is no JSON Pointer to a member: it must start with `/`",
            )
        })?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn is_pointer(path: &str) -> bool {
    path.starts_with('/')
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

/// The operations that turn `from` into `to`. Empty if they are equal.
///
/// Guarantees: `apply(from, diff(from, to)) == to`, and only places that
/// differ are named. Lists of equal length are compared element by element;
/// of others the common start and end are kept and the middle is replaced.
pub fn diff(from: &Value, to: &Value) -> Vec<PatchOperation> {
    let mut operations = Vec::new();
    diff_at("", from, to, &mut operations);
    operations
}

fn diff_at(path: &str, from: &Value, to: &Value, out: &mut Vec<PatchOperation>) {
    match (from, to) {
        (Value::Object(from), Value::Object(to)) => diff_maps(path, from, to, out),
        (Value::Array(from), Value::Array(to)) => diff_lists(path, from, to, out),
        (from, to) if from == to => {}
        (_, to) => out.push(PatchOperation::Replace {
            path: path.into(),
            value: to.clone(),
        }),
    }
}

type Map = serde_json::Map<String, Value>;

fn diff_maps(path: &str, from: &Map, to: &Map, out: &mut Vec<PatchOperation>) {
    for (key, old) in from {
        let place = || pointer::join(path, key);
        match to.get(key) {
            None => out.push(PatchOperation::Remove { path: place() }),
            Some(new) if old != new => diff_at(&place(), old, new, out),
            Some(_) => {}
        }
    }
    for (key, new) in to {
        if !from.contains_key(key) {
            let path = pointer::join(path, key);
            out.push(PatchOperation::Add {
                path,
                value: new.clone(),
            });
        }
    }
}

fn diff_lists(path: &str, from: &[Value], to: &[Value], out: &mut Vec<PatchOperation>) {
    let place = |index: usize| format!("{path}/{index}");
    if from.len() == to.len() {
        for (index, (old, new)) in from.iter().zip(to).enumerate() {
            if old != new {
                diff_at(&place(index), old, new, out);
            }
        }
        return;
    }
    let start = from
        .iter()
        .zip(to)
        .take_while(|(old, new)| old == new)
        .count();
    let ends = from[start..].iter().rev().zip(to[start..].iter().rev());
    let end = ends.take_while(|(old, new)| old == new).count();
    for index in (start..from.len() - end).rev() {
        out.push(PatchOperation::Remove { path: place(index) });
    }
    for (index, value) in to.iter().enumerate().take(to.len() - end).skip(start) {
        out.push(PatchOperation::Add {
            path: place(index),
            value: value.clone(),
        });
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
        ] {
            assert!(
                apply(&object, std::slice::from_ref(&patch)).is_err(),
                "{patch:?}"
            );
        }
    }
}
