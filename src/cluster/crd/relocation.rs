//! The definition of the resource `Relocation`.

use serde_json::{Value, json};

use super::rules::Rule;
use super::{Names, defined, of, placed};
use crate::cluster::relocation::resource::{KIND, PLURAL, Spec, Status};

/// As `portcullis crd` prints it.
pub(super) fn definition() -> Value {
    let names = Names {
        kind: KIND,
        plural: PLURAL,
        short: "reloc",
        scope: "Namespaced",
    };
    defined(&names, &placed(bare(), rules()), &columns())
}

/// What `kubectl get` shows; what has a priority only with `-o wide`.
fn columns() -> Value {
    json!([
        {"name": "Stage", "type": "string", "jsonPath": ".spec.stage"},
        {"name": "Keys", "type": "string", "jsonPath": ".status.keys"},
        {"name": "State", "type": "string", "jsonPath": ".status.state"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Secrets", "type": "string", "priority": 1, "jsonPath": ".status.secrets"},
        {"name": "Used by", "type": "string", "priority": 1, "jsonPath": ".status.usedBy"},
        {"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.message"},
    ])
}

fn bare() -> Value {
    json!({
        "type": "object",
        "description": "How far the secrets of the ConfigMap of the same name have moved.",
        "required": ["spec"],
        "properties": {"spec": of::<Spec>(), "status": of::<Status>()},
    })
}

fn rules() -> Vec<Rule> {
    const KEYS: &str = "/properties/spec/properties/keys";
    vec![
        (KEYS.to_owned(), "maxItems", json!(64)),
        (format!("{KEYS}/items"), "maxLength", json!(253)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_place_in_a_structural_schema() {
        super::super::tests::look_at(&bare(), rules());
    }
}
