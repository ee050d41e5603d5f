//! Generated JSON, and edits of it.

use portcullis_contract::pointer;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

/// Keys as objects have them, and such as pointers stumble over.
pub(super) fn key() -> impl Strategy<Value = String> {
    let awkward = [
        "", "a", "b", "c", "a/b", "/", "~", "~1", "~01", "a~b", "0", "01", "1", "-", "name", "é",
        "😀", " ", "\u{0}", "\"", "\\",
    ];
    prop_oneof![9 => select(awkward.to_vec()).prop_map(String::from), 1 => ".{0,4}"]
}

fn leaf() -> impl Strategy<Value = Value> {
    let floats = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        1.5,
        1e21,
        1e300,
        -1e-300,
        5e-324,
        f64::MAX,
        f64::MIN_POSITIVE,
        9_007_199_254_740_993.0,
        18_446_744_073_709_551_615.0,
    ];
    let wholes = [u64::MAX, u64::MAX - 1, 1 << 53, (1 << 53) + 1, 0, 1];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        select(&[i64::MIN, i64::MIN + 1, -1, 0, 1][..]).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        select(wholes.to_vec()).prop_map(Value::from),
        select(floats.to_vec()).prop_map(Value::from),
        any::<f64>()
            .prop_filter("no number of JSON", |float| float.is_finite())
            .prop_map(Value::from),
        key().prop_map(Value::from),
    ]
}

/// Any value, up to four levels deep.
pub(super) fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            btree_map(key(), inner.clone(), 0..5).prop_map(from_map),
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((select(&["a", "b", "c", "d"][..]), inner), 0..5).prop_map(named),
        ]
    })
}

/// A map of any values.
pub(super) fn object() -> impl Strategy<Value = Value> {
    btree_map(key(), value(), 0..5).prop_map(from_map)
}

fn from_map(map: std::collections::BTreeMap<String, Value>) -> Value {
    Value::Object(map.into_iter().collect::<Map<_, _>>())
}

/// A list as containers are: maps with a `name`.
fn named(elements: Vec<(&str, Value)>) -> Value {
    let element = |(name, value)| json!({"name": name, "value": value});
    elements.into_iter().map(element).collect()
}

/// One change of an object, by someone who knows nothing of patches.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Replace(Value),
    Insert(String, Index, Value),
    Remove(Index),
    Move(Index, Index),
}

/// An object, and what some edits make of it; or anything else.
pub(super) fn pair() -> impl Strategy<Value = (Value, Value)> {
    let any_index = any::<Index>;
    let edit = prop_oneof![
        2 => value().prop_map(Edit::Replace),
        3 => (key(), any_index(), value()).prop_map(|(key, at, value)| Edit::Insert(key, at, value)),
        2 => any_index().prop_map(Edit::Remove),
        2 => (any_index(), any_index()).prop_map(|(from, to)| Edit::Move(from, to)),
    ];
    let edits = vec((any_index(), edit), 0..6);
    prop_oneof![
        6 => (object(), edits).prop_map(|(from, edits)| {
            let to = edits.into_iter().fold(from.clone(), edited);
            (from, to)
        }),
        1 => (object(), object()),
    ]
}

fn edited(mut value: Value, (pick, edit): (Index, Edit)) -> Value {
    let places = places(&value);
    let place = pick.get(&places);
    let Some(target) = value.pointer_mut(place) else {
        return value;
    };
    match (edit, target) {
        (Edit::Replace(new), target) if !place.is_empty() => *target = new,
        (Edit::Insert(key, _, new), Value::Object(map)) => {
            map.insert(key, new);
        }
        (Edit::Insert(_, at, new), Value::Array(list)) => {
            list.insert(at.index(list.len() + 1), new)
        }
        (Edit::Remove(at), Value::Object(map)) if !map.is_empty() => {
            let key = map.keys().nth(at.index(map.len())).cloned();
            map.remove(&key.expect("a key"));
        }
        (Edit::Remove(at), Value::Array(list)) if !list.is_empty() => {
            list.remove(at.index(list.len()));
        }
        (Edit::Move(from, to), Value::Array(list)) if !list.is_empty() => {
            let moved = list.remove(from.index(list.len()));
            list.insert(to.index(list.len() + 1), moved);
        }
        _ => {}
    }
    value
}

/// All places of a value, itself last.
pub(super) fn places(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(String::new(), value, &mut found);
    found
}

fn collect(place: String, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(pointer::join(&place, key), value, found);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                collect(format!("{place}/{index}"), value, found);
            }
        }
        _ => {}
    }
    found.push(place);
}
