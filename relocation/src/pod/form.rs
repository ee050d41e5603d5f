//! The shapes of references in a pod, as the API has them.

use serde_json::{Map, Value, json};

use crate::names::{self, Half};

/// The lists of containers.
pub(super) const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// The order in which serving Secrets follow their ConfigMap.
pub(super) const HALVES: [Half; 2] = [Half::Text, Half::Binary];

/// A list, empty where there is none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The element of a list with this name.
pub(super) fn named<'a>(elements: &'a Value, name: &Value) -> Option<&'a Value> {
    list(elements).iter().find(|one| one["name"] == *name)
}

/// The text of a field, empty where there is none, as the API has it.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// The ConfigMap or Secret that a reference names.
pub(super) fn name(reference: &Value) -> &str {
    text(reference, "name")
}

/// Whether what a reference names may be missing.
pub(super) fn is_optional(reference: &Value) -> bool {
    reference["optional"] == true
}

/// Whether a field is there.
pub(super) fn has(value: &Value, field: &str) -> bool {
    !value[field].is_null()
}

/// Whether a Secret of this name serves that half of a ConfigMap.
pub(super) fn serves(secret: &str, config_map: &str, half: Half) -> bool {
    names::is_reserved(secret) && secret == names::serving(config_map, half)
}

/// An object out of those fields that are not null.
pub(super) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let there = fields.into_iter().filter(|(_, value)| !value.is_null());
    let there = there.map(|(name, value)| (name.to_owned(), value));
    Value::Object(there.collect::<Map<_, _>>())
}

/// A reference to a whole serving Secret.
pub(super) fn serving(config_map: &str, half: Half, is_optional: bool) -> Value {
    object([
        ("name", json!(names::serving(config_map, half))),
        (
            "optional",
            if is_optional {
                json!(true)
            } else {
                Value::Null
            },
        ),
    ])
}
