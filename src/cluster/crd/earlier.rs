//! What was stored under an earlier definition stays valid under this one: a
//! test of the schemas alone (docs/api.md says the rules).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::definitions;

/// As the first release had them.
const FIRST: &str = include_str!("../../../tests/data/crd/v1alpha1-first.yaml");

/// What an object could be stored with under `old` that `new` refuses or
/// forgets: one line each.
fn losses(place: &str, old: &Value, new: &Value) -> Vec<String> {
    let mut lost = vec![];
    let mut say = |what: &str| lost.push(format!("{place}: {what}"));
    if old["type"] != new["type"] {
        say("another type");
    }
    let set = |schema: &Value, member: &str| -> BTreeSet<String> {
        let items = schema[member].as_array().into_iter().flatten();
        items.map(Value::to_string).collect()
    };
    if !set(new, "required").is_subset(&set(old, "required")) {
        say("more is required");
    }
    let (known, allowed) = (set(old, "enum"), set(new, "enum"));
    if !allowed.is_empty() && (known.is_empty() || !known.is_subset(&allowed)) {
        say("fewer words are allowed");
    }
    if !set(new, "x-kubernetes-validations").is_subset(&set(old, "x-kubernetes-validations")) {
        say("another rule");
    }
    for member in ["pattern", "format"] {
        if !new[member].is_null() && old[member] != new[member] {
            say(member);
        }
    }
    for (member, is_least) in [
        ("maxItems", false),
        ("maxLength", false),
        ("maximum", false),
        ("maxProperties", false),
        ("minItems", true),
        ("minLength", true),
        ("minimum", true),
    ] {
        let (before, after) = (old[member].as_f64(), new[member].as_f64());
        let is_narrower = match (before, after) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(before), Some(after)) if is_least => after > before,
            (Some(before), Some(after)) => after < before,
        };
        if is_narrower {
            say(member);
        }
    }
    for (name, inner) in old["properties"].as_object().into_iter().flatten() {
        match new["properties"].get(name) {
            Some(after) => lost.extend(losses(&format!("{place}/{name}"), inner, after)),
            None => lost.push(format!("{place}/{name}: is gone")),
        }
    }
    for inner in ["items", "additionalProperties"] {
        if old[inner].is_object() && new[inner].is_object() {
            lost.extend(losses(&format!("{place}/*"), &old[inner], &new[inner]));
        }
    }
    lost
}

fn schema(definition: &Value) -> &Value {
    let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema");
    schema.expect("a schema")
}

fn first() -> Vec<Value> {
    let stream = portcullis_manifest::read(FIRST.as_bytes());
    assert!(stream.broken.is_empty(), "it can be read");
    stream.objects.into_iter().map(|one| one.value).collect()
}

#[test]
fn what_was_stored_under_the_first_definitions_is_valid_under_these() {
    let (first, now) = (first(), definitions());
    assert_eq!(first.len(), 2);
    for old in &first {
        let name = &old["metadata"]["name"];
        let same = now.iter().find(|new| new["metadata"]["name"] == *name);
        let new = same.expect("the kind is still there");
        assert_eq!(old["spec"]["scope"], new["spec"]["scope"]);
        let lost = losses("", schema(old), schema(new));
        assert!(lost.is_empty(), "{name}: {lost:#?}");
    }
}

#[test]
fn what_is_narrowed_or_taken_out_is_found() {
    let definition = &first()[0];
    let spec = "/properties/spec";
    for (place, member, value, said) in [
        (spec, "required", json!(["program", "novel"]), "required"),
        (spec, "type", json!("string"), "another type"),
        (
            "/properties/spec/properties/failurePolicy",
            "enum",
            json!(["Fail"]),
            "fewer words",
        ),
        (
            "/properties/spec/properties/overrides",
            "maxItems",
            json!(1),
            "maxItems",
        ),
        (
            "/properties/spec/properties/overrides",
            "minItems",
            json!(1),
            "minItems",
        ),
        (
            spec,
            "x-kubernetes-validations",
            json!([{"rule": "false"}]),
            "another rule",
        ),
    ] {
        let old = schema(definition).clone();
        let mut new = old.clone();
        new.pointer_mut(place).expect(place)[member] = value;
        let lost = losses("", &old, &new);
        assert!(
            lost.len() == 1 && lost[0].contains(said),
            "{place}: {lost:?}"
        );
    }
    let old = schema(definition).clone();
    let mut new = old.clone();
    let members = new.pointer_mut("/properties/spec/properties");
    let members = members.and_then(Value::as_object_mut).expect("members");
    members.remove("overrides");
    assert_eq!(losses("", &old, &new), ["/spec/overrides: is gone"]);
}
