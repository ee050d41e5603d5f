//! The difference of two objects, as a patch.

use portcullis_contract::{PatchOperation, pointer};
use serde_json::{Map, Value};

/// Lists are aligned if the part that differs has at most this many pairs of
/// elements: the cost is their product.
const MOST_PAIRS: usize = 4_096;

/// The operations that turn `from` into `to`. Empty if they are equal.
///
/// Guarantees: `apply(from, diff(from, to)) == to`, and only places that
/// differ are named: a map or a list that is one before and after is never
/// replaced whole. Elements of lists that are equal, or have one `name`, are
/// taken for the same, wherever they moved to without passing each other; what
/// lies between such elements is compared in order.
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

type Object = Map<String, Value>;

fn diff_maps(path: &str, from: &Object, to: &Object, out: &mut Vec<PatchOperation>) {
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

/// From start to end: whatever lies before an index is as it should be, so
/// that the index is that of `to`.
fn diff_lists(path: &str, from: &[Value], to: &[Value], out: &mut Vec<PatchOperation>) {
    let pairs = from.iter().zip(to);
    let start = pairs.take_while(|(old, new)| old == new).count();
    let ends = from[start..].iter().rev().zip(to[start..].iter().rev());
    let end = ends.take_while(|(old, new)| old == new).count();
    let (from, to) = (&from[..from.len() - end], &to[..to.len() - end]);
    let (mut old, mut new) = (start, start);
    for (next_old, next_new) in align(&from[start..], &to[start..]) {
        let (next_old, next_new) = (start + next_old, start + next_new);
        diff_run(path, new, &from[old..next_old], &to[new..next_new], out);
        diff_at(&place(path, next_new), &from[next_old], &to[next_new], out);
        (old, new) = (next_old + 1, next_new + 1);
    }
    diff_run(path, new, &from[old..], &to[new..], out);
}

fn place(path: &str, index: usize) -> String {
    format!("{path}/{index}")
}

/// Elements that have no counterpart, compared in order: `from` stands at
/// `index`, and `to` is to stand there.
fn diff_run(path: &str, index: usize, from: &[Value], to: &[Value], out: &mut Vec<PatchOperation>) {
    let common = from.len().min(to.len());
    for (offset, (old, new)) in from.iter().zip(to).enumerate() {
        diff_at(&place(path, index + offset), old, new, out);
    }
    for _ in common..from.len() {
        let path = place(path, index + common);
        out.push(PatchOperation::Remove { path });
    }
    for (offset, value) in to.iter().enumerate().skip(common) {
        out.push(PatchOperation::Add {
            path: place(path, index + offset),
            value: value.clone(),
        });
    }
}

/// The pairs of elements that are the same, in order: of all ways to pair
/// them without crossing the one of greatest likeness. None if the lists are
/// too long for it.
fn align(from: &[Value], to: &[Value]) -> Vec<(usize, usize)> {
    let width = to.len() + 1;
    if from.len().saturating_mul(to.len()) > MOST_PAIRS {
        return Vec::new();
    }
    let mut alike = vec![0; (from.len() + 1) * width];
    let mut best = alike.clone();
    for old in (0..from.len()).rev() {
        for new in (0..to.len()).rev() {
            let at = old * width + new;
            alike[at] = likeness(&from[old], &to[new]);
            let paired = alike[at] + best[at + width + 1];
            best[at] = paired.max(best[at + width]).max(best[at + 1]);
        }
    }
    let (mut old, mut new, mut pairs) = (0, 0, Vec::new());
    while old < from.len() && new < to.len() {
        let at = old * width + new;
        if alike[at] > 0 && best[at] == alike[at] + best[at + width + 1] {
            pairs.push((old, new));
            (old, new) = (old + 1, new + 1);
        } else if best[at] == best[at + width] {
            old += 1;
        } else {
            new += 1;
        }
    }
    pairs
}

/// 3 for equal elements, 2 for maps with the same `name` (containers, ports,
/// variables and volumes are told apart by it), else 0.
fn likeness(old: &Value, new: &Value) -> u32 {
    let name = |value: &Value| value.get("name").and_then(Value::as_str).map(str::to_owned);
    if old == new {
        3
    } else if name(old).is_some() && name(old) == name(new) {
        2
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_that_grows_or_shrinks_names_only_what_differs() {
        let app = json!({"name": "app", "image": "a", "ports": [1.5]});
        let mut limited = app.clone();
        limited["resources"] = json!({});
        let (sidecar, other) = (json!({"name": "sidecar"}), json!({"name": "other"}));
        let add = |at: &str, value: &Value| json!({"op": "add", "path": at, "value": value});
        let remove = |at: &str| json!({"op": "remove", "path": at});
        let resources = |at: &str| add(&format!("/{at}/resources"), &json!({}));
        for (from, to, expected) in [
            (
                json!([app]),
                json!([limited, sidecar]),
                vec![resources("0"), add("/1", &sidecar)],
            ),
            (
                json!([app]),
                json!([sidecar, limited]),
                vec![add("/0", &sidecar), resources("1")],
            ),
            (
                json!([other, app]),
                json!([limited]),
                vec![remove("/0"), resources("0")],
            ),
            (
                json!([1, 2, 3]),
                json!([2, 3, 4]),
                vec![remove("/0"), add("/2", &json!(4))],
            ),
            (
                json!([1, 1, 1]),
                json!([1]),
                vec![remove("/1"), remove("/1")],
            ),
        ] {
            assert_eq!(json!(diff(&from, &to)), json!(expected), "{from} -> {to}");
        }
    }

    #[test]
    fn lists_too_long_to_align_are_compared_in_order() {
        let from: Vec<usize> = (0..100).collect();
        let to: Vec<usize> = (1000..1101).collect();
        let (from, to) = (json!(from), json!(to));
        let patch = diff(&from, &to);
        assert_eq!(patch.len(), 101);
        assert_eq!(
            super::super::apply(
                &json!({"l": from}),
                &diff(&json!({"l": from}), &json!({"l": to}))
            ),
            Ok(json!({"l": to}))
        );
    }
}
