//! Values of Secrets and ConfigMaps: where they are, and the object without.

use serde_json::Value;

/// Whether values of Secrets and ConfigMaps are blanked in what a guest sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redaction {
    /// Keys are shown, values are empty strings: the default.
    Blank,
    /// The policy has the grant `values`.
    None,
}

/// Members of Secrets and ConfigMaps that hold values.
const VALUE_MEMBERS: [&str; 3] = ["data", "binaryData", "stringData"];

/// Whether this is a Secret or a ConfigMap.
pub fn holds_values(object: &Value) -> bool {
    object.get("apiVersion").and_then(Value::as_str) == Some("v1")
        && matches!(
            object.get("kind").and_then(Value::as_str),
            Some("ConfigMap" | "Secret")
        )
}

/// The object with every value empty. Annotations lose theirs too: several
/// tools keep a copy of the whole object in one (`last-applied-configuration`
/// of kubectl, `objectset.rio.cattle.io/applied`, `kapp.k14s.io/original`).
pub(crate) fn blanked(object: &Value) -> Value {
    // Values can be most of the object: they are never copied.
    let Value::Object(members) = object else {
        return object.clone();
    };
    let copy = |(name, value): (&String, &Value)| {
        let value = match name.as_str() {
            name if VALUE_MEMBERS.contains(&name) => blank(value),
            "metadata" => without_annotations(value),
            _ => value.clone(),
        };
        (name.clone(), value)
    };
    Value::Object(members.iter().map(copy).collect())
}

fn without_annotations(metadata: &Value) -> Value {
    let Value::Object(members) = metadata else {
        return metadata.clone();
    };
    let copy = |(name, value): (&String, &Value)| {
        let value = match name.as_str() {
            "annotations" => blank(value),
            _ => value.clone(),
        };
        (name.clone(), value)
    };
    Value::Object(members.iter().map(copy).collect())
}

/// The same shape with empty values.
fn blank(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let blanks = map.iter().map(|(key, value)| (key.clone(), blank(value)));
            Value::Object(blanks.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(blank).collect()),
        Value::Null => Value::Null,
        _ => Value::String(String::new()),
    }
}

/// The texts that a policy without the grant is not shown: what
/// [`Redaction::Blank`] blanks. None of any other kind of object.
pub fn values(object: &Value) -> Vec<&str> {
    let mut values = Vec::new();
    if holds_values(object) {
        for member in VALUE_MEMBERS {
            texts(object.get(member), &mut values);
        }
        texts(object.pointer("/metadata/annotations"), &mut values);
    }
    values
}

fn texts<'a>(value: Option<&'a Value>, out: &mut Vec<&'a str>) {
    match value {
        Some(Value::String(text)) => out.push(text),
        Some(Value::Object(map)) => map.values().for_each(|value| texts(Some(value), out)),
        Some(Value::Array(list)) => list.iter().for_each(|value| texts(Some(value), out)),
        _ => {}
    }
}
