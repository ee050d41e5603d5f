//! From a JSON schema to the structural schemas that the API server takes.
//!
//! It refuses references, unions and null, and has words of its own for sets
//! and for free-form members (Kubernetes: "Specifying a structural schema").

use serde_json::{Map, Value, json};

/// Rewrites a schema and all that is in it.
pub(super) fn rewrite(schema: &mut Value) {
    // `true`: anything.
    if !schema.is_object() {
        *schema = json!({});
    }
    let Value::Object(members) = schema else {
        return;
    };
    members.remove("title");
    members.remove("nullable");
    join_lines(members);
    merge(members);
    leave_out_empty_lists(members);
    collect_values(members);
    name_sets(members);
    bound_numbers(members);
    open(members);
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = members.get_mut(inner) {
            rewrite(inner);
        }
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.values_mut().for_each(rewrite);
    }
}

/// A description is one line; only variants of an enum get lines of their own.
fn join_lines(members: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = members.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// An absent list is an empty one, and stays absent.
fn leave_out_empty_lists(members: &mut Map<String, Value>) {
    if members.get("default") == Some(&json!([])) {
        members.remove("default");
    }
}

/// A lone schema of `allOf` or `anyOf` (null apart) becomes part of what is
/// around it, which has the description.
fn merge(members: &mut Map<String, Value>) {
    for union in ["allOf", "anyOf"] {
        let Some(Value::Array(alternatives)) = members.remove(union) else {
            continue;
        };
        let is_null = |schema: &Value| schema["enum"] == json!([null]) || schema["type"] == "null";
        let others = alternatives.into_iter().filter(|schema| !is_null(schema));
        for (name, value) in others.filter_map(into_members).flatten() {
            members.entry(name).or_insert(value);
        }
    }
    members.remove("title");
    members.remove("nullable");
}

fn into_members(schema: Value) -> Option<Map<String, Value>> {
    match schema {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Variants of an enum, each with a description, become one list of values;
/// the descriptions go into that of the whole.
fn collect_values(members: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = members.remove("oneOf") else {
        return;
    };
    let mut values = Vec::new();
    let mut text = String::new();
    for variant in &variants {
        let listed = variant["enum"].as_array().cloned().unwrap_or_default();
        let named = variant.get("const").cloned();
        let of_variant: Vec<Value> = listed.into_iter().chain(named).collect();
        if let (Some(value), Some(says)) = (of_variant.first(), variant["description"].as_str()) {
            let value = value.as_str().unwrap_or_default();
            let says = says.replace('\n', " ");
            text.push_str(&format!("\n{value}: {says}"));
        }
        values.extend(of_variant);
    }
    let whole = members.get("description").and_then(Value::as_str);
    let description = format!("{}{text}", whole.unwrap_or_default());
    members.insert("description".into(), Value::from(description.trim_start()));
    members.insert("type".into(), "string".into());
    members.insert("enum".into(), values.into());
}

fn name_sets(members: &mut Map<String, Value>) {
    if members.remove("uniqueItems").is_some() {
        members.insert("x-kubernetes-list-type".into(), "set".into());
    }
}

/// The API server knows `int32` and `int64` only.
fn bound_numbers(members: &mut Map<String, Value>) {
    let format = members.get("format").and_then(Value::as_str);
    if format.is_some_and(|format| format.starts_with("uint")) {
        members.remove("format");
    }
}

/// Unknown members are pruned unless an object is free-form.
fn open(members: &mut Map<String, Value>) {
    match members.get("additionalProperties") {
        Some(Value::Bool(true)) => {
            members.remove("additionalProperties");
            members.insert("x-kubernetes-preserve-unknown-fields".into(), true.into());
        }
        Some(Value::Bool(false)) => {
            members.remove("additionalProperties");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(mut schema: Value) -> Value {
        rewrite(&mut schema);
        schema
    }

    #[test]
    fn variants_become_values() {
        let schema = json!({"description": "What.", "oneOf": [
            {"type": "string", "enum": ["A"], "description": "One."},
            {"type": "string", "const": "B", "description": "Two."}]});
        let expected = json!({"description": "What.\nA: One.\nB: Two.", "type": "string",
            "enum": ["A", "B"]});
        assert_eq!(rewritten(schema), expected);
    }

    #[test]
    fn optional_members_are_as_if_they_were_there() {
        let schema = json!({"properties": {"a": {"description": "Mine.", "anyOf": [
            {"type": "object", "description": "Theirs.", "additionalProperties": false},
            {"type": "null"}]}}});
        let expected = json!({"properties": {"a": {"description": "Mine.", "type": "object"}}});
        assert_eq!(rewritten(schema), expected);
    }

    #[test]
    fn sets_and_free_objects_have_their_own_words() {
        let schema = json!({"type": "array", "uniqueItems": true,
            "items": {"type": "object", "additionalProperties": true}});
        let expected = json!({"type": "array", "x-kubernetes-list-type": "set",
            "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
        assert_eq!(rewritten(schema), expected);
    }
}
