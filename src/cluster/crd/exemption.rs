//! The definition of the resource `PolicyExemption`.

use serde_json::{Value, json};

use super::rules::{Rule, rule, selector};
use super::{Names, defined, of, placed};
use crate::cluster::exemptions::{PLURAL, status::Status};
use crate::policy::exemption::{ANY_CODE, KIND, NO_REASON, Spec, selector::NO_WILDCARD};

/// As `portcullis crd` prints it.
pub(super) fn definition() -> Value {
    let names = Names {
        kind: KIND,
        plural: PLURAL,
        short: "pex",
        scope: "Namespaced",
    };
    defined(&names, &placed(bare(), rules()), &columns())
}

/// What `kubectl get` shows; what has a priority only with `-o wide`.
fn columns() -> Value {
    let in_force = ".status.conditions[?(@.type==\"InForce\")]";
    json!([
        {"name": "Policy", "type": "string", "jsonPath": ".spec.policy"},
        {"name": "Codes", "type": "string", "jsonPath": ".spec.codes"},
        // As it is written: kubectl shows a date as an age, which this has not.
        {"name": "Expires", "type": "string", "jsonPath": ".spec.expires"},
        {"name": "Used", "type": "integer", "jsonPath": ".status.objects",
         "description": "How many objects the last audit found that need it"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "In force", "type": "string", "priority": 1,
         "jsonPath": format!("{in_force}.status")},
        {"name": "Reason", "type": "string", "priority": 1, "jsonPath": ".spec.reason"},
        {"name": "Message", "type": "string", "priority": 1,
         "jsonPath": format!("{in_force}.message")},
    ])
}

fn bare() -> Value {
    json!({
        "type": "object",
        "description": "What a policy finds in this namespace and is forgiven for a while.",
        "required": ["spec"],
        "properties": {"spec": of::<Spec>(), "status": of::<Status>()},
    })
}

/// What the parser refuses besides, with its words.
fn rules() -> Vec<Rule> {
    const SPEC: &str = "/properties/spec/properties";
    let at = |member: &str| format!("{SPEC}/{member}");
    let mut rules = vec![
        (at("policy"), "minLength", json!(1)),
        (at("policy"), "maxLength", json!(253)),
        (at("codes"), "minItems", json!(1)),
        (at("codes"), "maxItems", json!(64)),
        (at("codes/items"), "maxLength", json!(64)),
        (
            at("codes"),
            "x-kubernetes-validations",
            json!([rule("!('*' in self)", ANY_CODE)]),
        ),
        (at("reason"), "maxLength", json!(1_024)),
        (
            at("reason"),
            "x-kubernetes-validations",
            json!([rule("self.matches('[^ \\\\t\\\\n\\\\r]')", NO_REASON)]),
        ),
    ];
    for member in ["apiGroups", "kinds", "names"] {
        let list = at(&format!("selector/properties/{member}"));
        rules.extend([
            (list.clone(), "maxItems", json!(64)),
            (format!("{list}/items"), "maxLength", json!(253)),
            (
                list,
                "x-kubernetes-validations",
                json!([rule("self.all(one, !one.contains('*'))", NO_WILDCARD)]),
            ),
        ]);
    }
    let labels = at("selector/properties/labelSelector");
    rules.extend(selector(&labels));
    // A misspelt member would be pruned, and the selector select more than was
    // meant. So it is kept, and the parser refuses it.
    let open = |place: String| (place, "x-kubernetes-preserve-unknown-fields", json!(true));
    rules.extend([open(at("selector")), open(labels)]);
    let conditions = "/properties/status/properties/conditions".to_owned();
    rules.extend([
        (conditions.clone(), "x-kubernetes-list-type", json!("map")),
        (conditions, "x-kubernetes-list-map-keys", json!(["type"])),
    ]);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_place_in_a_structural_schema() {
        super::super::tests::look_at(&bare(), rules());
    }

    #[test]
    fn what_has_to_be_there_is_required() {
        let spec = of::<Spec>();
        let required = json!(["policy", "codes", "selector", "reason", "expires"]);
        assert_eq!(spec["required"], required);
        assert_eq!(spec["properties"]["expires"]["format"], "date-time");
    }
}
