//! The definitions of the resources `WasmPolicy` and `PolicyExemption`, made of
//! the types that files are read with, so that a cluster and a file take the
//! same documents.

#[cfg(test)]
mod earlier;
mod exemption;
mod relocation;
mod rules;
mod structural;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::status::Status;
use crate::policy::Spec;
use crate::policy::spec::KIND;
use rules::Rule;

/// The API group.
pub const GROUP: &str = "portcullis.dev";
/// The one version.
pub const VERSION: &str = "v1alpha1";
/// The resource, in its plural form.
pub const PLURAL: &str = "wasmpolicies";

/// The CustomResourceDefinitions, as `portcullis crd` prints them.
pub fn definitions() -> [Value; 3] {
    [
        definition(),
        exemption::definition(),
        relocation::definition(),
    ]
}

/// That of WasmPolicy.
pub fn definition() -> Value {
    let names = Names {
        kind: KIND,
        plural: PLURAL,
        short: "wp",
        scope: "Cluster",
    };
    defined(&names, &schema(), &columns())
}

/// What a kind of ours is called.
struct Names {
    kind: &'static str,
    plural: &'static str,
    /// For `kubectl get`.
    short: &'static str,
    /// `Cluster` or `Namespaced`.
    scope: &'static str,
}

/// The definition of a kind, in the one version.
fn defined(names: &Names, schema: &Value, columns: &Value) -> Value {
    let (kind, plural) = (names.kind, names.plural);
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{GROUP}")},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind,
                "listKind": format!("{kind}List"),
                "plural": plural,
                "singular": kind.to_ascii_lowercase(),
                "shortNames": [names.short],
                "categories": ["portcullis"],
            },
            "scope": names.scope,
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": schema},
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
            }],
        },
    })
}

/// What `kubectl get` shows; what has a priority only with `-o wide`.
fn columns() -> Value {
    let condition =
        |of: &str, member: &str| format!(".status.conditions[?(@.type==\"{of}\")].{member}");
    json!([
        {"name": "Program", "type": "string", "jsonPath": ".status.program"},
        {"name": "Action", "type": "string", "jsonPath": ".spec.validationActions"},
        {"name": "Ready", "type": "string", "jsonPath": condition("Loaded", "status")},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Registered", "type": "string", "priority": 1,
         "jsonPath": condition("Registered", "status")},
        {"name": "Failure policy", "type": "string", "priority": 1,
         "jsonPath": ".spec.failurePolicy"},
        {"name": "Message", "type": "string", "priority": 1,
         "jsonPath": condition("Loaded", "message")},
    ])
}

fn schema() -> Value {
    placed(bare(), rules::rules())
}

fn bare() -> Value {
    json!({
        "type": "object",
        "description": "A policy: a WASM program, what it judges and what its findings lead to.",
        "required": ["spec"],
        "properties": {"spec": of::<Spec>(), "status": of::<Status>()},
    })
}

/// A schema with these rules in their places.
fn placed(mut schema: Value, rules: Vec<Rule>) -> Value {
    for (pointer, member, value) in rules {
        // A test of each kind holds that each place is there.
        if let Some(Value::Object(place)) = schema.pointer_mut(&pointer) {
            place.insert(member.to_owned(), value);
        }
    }
    schema
}

/// The schema of a type, in the form that the API server takes.
fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    structural::rewrite(&mut schema);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails for a rule without its place, and for what the API server would refuse.
    pub(super) fn look_at(bare: &Value, rules: Vec<Rule>) {
        for (pointer, member, _) in &rules {
            let place = bare.pointer(pointer);
            assert!(place.is_some_and(Value::is_object), "{pointer}: {member}");
        }
        look("", &placed(bare.clone(), rules));
    }

    /// Fails for what the API server would refuse.
    fn look(pointer: &str, schema: &Value) {
        let members = schema.as_object().expect(pointer);
        for refused in [
            "$ref",
            "anyOf",
            "oneOf",
            "uniqueItems",
            "const",
            "title",
            "nullable",
        ] {
            assert!(!members.contains_key(refused), "{pointer}: {refused}");
        }
        assert!(schema["type"].is_string(), "{pointer}: {schema}");
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            look(&format!("{pointer}/{name}"), member);
        }
        for inner in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(inner) {
                look(&format!("{pointer}/*"), inner);
            }
        }
    }

    #[test]
    fn every_rule_has_its_place_in_a_structural_schema() {
        look_at(&bare(), rules::rules());
    }

    #[test]
    fn defaults_are_those_of_the_parser() {
        let spec = json!({"program": {"builtin": "p"}});
        let parsed: Spec = serde_json::from_value(spec).expect("a spec");
        let schema = of::<Spec>();
        for (member, value) in [
            ("validationActions", json!(parsed.validation_actions)),
            ("failurePolicy", json!(parsed.failure_policy)),
            ("onUpdate", json!(parsed.on_update)),
            ("inherited", json!(parsed.inherited)),
            ("limits", json!(parsed.limits)),
        ] {
            assert_eq!(schema["properties"][member]["default"], value, "{member}");
        }
    }
}
