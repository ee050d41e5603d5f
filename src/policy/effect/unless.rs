//! What makes an effect needless.

use portcullis_contract::{Condition, Test, Unless};
use serde_json::Value;

use super::object;
use crate::policy::matching::selects_labels;

/// Whether an object of the resource makes the effect needless: it fulfils all
/// conditions, and is not one that Portcullis itself made.
pub fn holds(unless: &Unless, object: &Value) -> bool {
    object::policy_of(object).is_none() && fulfils(unless, object)
}

/// Whether an object of the resource fulfils all conditions, whoever made it.
pub fn fulfils(unless: &Unless, object: &Value) -> bool {
    unless.holds.iter().all(|one| is_met(one, object))
}

fn is_met(condition: &Condition, object: &Value) -> bool {
    let value = object.pointer(&condition.path).unwrap_or(&Value::Null);
    match &condition.is {
        Test::Present => !value.is_null(),
        Test::OneOf(values) => values.contains(value),
        Test::Contains(element) => match value {
            Value::Null => true,
            value => value.as_array().is_some_and(|list| list.contains(element)),
        },
        Test::Selecting(labels) => serde_json::from_value(value.clone())
            .is_ok_and(|selector| selects_labels(&selector, labels)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unless(holds: Value) -> Unless {
        let unless = json!({"apiVersion": "a/v1", "resource": "things", "holds": holds});
        serde_json::from_value(unless).expect("alternatives")
    }

    #[test]
    fn every_condition_has_to_hold() {
        let closed = unless(json!([
            {"path": "/spec/podSelector", "is": {"oneOf": [{}]}},
            {"path": "/spec/policyTypes", "is": {"contains": "Ingress"}},
        ]));
        for (spec, expected) in [
            (json!({"podSelector": {}, "policyTypes": ["Ingress"]}), true),
            (json!({"podSelector": {}}), true),
            (json!({"podSelector": {}, "policyTypes": ["Egress"]}), false),
            (json!({"podSelector": {}, "policyTypes": "Ingress"}), false),
            (
                json!({"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"]}),
                false,
            ),
            (json!({}), false),
        ] {
            assert_eq!(holds(&closed, &json!({"spec": spec})), expected, "{spec}");
        }
    }

    #[test]
    fn labels_are_selected_as_the_api_server_does() {
        let selected = unless(json!([{"path": "/spec/subject/namespaces",
            "is": {"selecting": {"team": "a"}}}]));
        for (selector, expected) in [
            (json!({}), true),
            (json!({"matchLabels": {"team": "a"}}), true),
            (json!({"matchLabels": {"team": "b"}}), false),
            (
                json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]}),
                true,
            ),
            (Value::Null, false),
        ] {
            let object = json!({"spec": {"subject": {"namespaces": selector}}});
            assert_eq!(holds(&selected, &object), expected, "{object}");
        }
    }

    #[test]
    fn what_portcullis_made_covers_nothing() {
        let any = unless(json!([{"path": "/spec", "is": "present"}]));
        let mut object = json!({"spec": {}});
        assert!(holds(&any, &object));
        object["metadata"] = json!({"labels": {object::MANAGED_BY: object::MANAGER},
            "annotations": {object::POLICY: "net"}});
        assert!(!holds(&any, &object));
    }
}
