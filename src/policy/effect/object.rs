//! Objects that Portcullis makes for policies: what marks them, and what is to
//! be done about one, given what is there.
//!
//! Invariant: an object without our marks is never changed or removed, nor is
//! one that somebody changed removed.

use portcullis_contract::{EffectMode, pointer};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Wanted;

/// Marks what Portcullis makes (Kubernetes: "Recommended Labels").
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`], and the field manager of what is written.
pub const MANAGER: &str = "portcullis";
/// The annotation that names the policy which wanted the object.
pub const POLICY: &str = "portcullis.dev/policy";
/// The annotation that holds the digest of what was written.
pub const DIGEST: &str = "portcullis.dev/digest";

/// What is to be done so that a wanted object is there as wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Nothing: it is.
    Nothing,
    /// To create it.
    Create(Value),
    /// To change the one that is there by this JSON patch, which fails if it
    /// changed meanwhile.
    Replace {
        /// RFC 6902.
        patch: Value,
        /// Whether somebody else changed it; else the policy wants another.
        is_repair: bool,
    },
    /// Nothing can be: an object of that name is not ours.
    Foreign,
}

/// The step for what is there, as the API server gives it.
pub fn step(wanted: &Wanted, there: Option<&Value>) -> Step {
    let stamped = stamped(wanted);
    let Some(there) = there else {
        return Step::Create(stamped);
    };
    if !is_of(there, wanted.policy.as_str()) {
        return Step::Foreign;
    }
    if wanted.effect.mode == EffectMode::Create || is_as(there, &stamped) {
        return Step::Nothing;
    }
    Step::Replace {
        patch: replacing(there, &stamped),
        is_repair: !is_untouched(there),
    }
}

/// The object as it is written: in its namespace, with our marks.
pub fn stamped(wanted: &Wanted) -> Value {
    let mut object = wanted.effect.object.clone();
    let digest = digest(&object);
    let metadata = &mut object["metadata"];
    metadata["namespace"] = wanted.namespace.clone().into();
    metadata["labels"][MANAGED_BY] = MANAGER.into();
    metadata["annotations"][POLICY] = wanted.policy.as_str().into();
    metadata["annotations"][DIGEST] = digest.into();
    object
}

/// Whether Portcullis made it for this policy.
pub fn is_of(object: &Value, policy: &str) -> bool {
    label(object, MANAGED_BY) == Some(MANAGER) && annotation(object, POLICY) == Some(policy)
}

/// Whether it holds what was written last.
pub fn is_untouched(object: &Value) -> bool {
    annotation(object, DIGEST) == Some(digest(object).as_str())
}

/// The policy that an object of ours was made for.
pub fn policy_of(object: &Value) -> Option<&str> {
    let is_ours = label(object, MANAGED_BY) == Some(MANAGER);
    annotation(object, POLICY).filter(|_| is_ours)
}

fn label<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    object["metadata"]["labels"][key].as_str()
}

fn annotation<'o>(object: &'o Value, key: &str) -> Option<&'o str> {
    object["metadata"]["annotations"][key].as_str()
}

/// Whether it holds what it should, with all labels and annotations that it
/// should have; others may have added some.
fn is_as(there: &Value, stamped: &Value) -> bool {
    let has_all = |member: &str| {
        let wanted = stamped["metadata"][member].as_object();
        let has = |(key, value): (&String, &Value)| there["metadata"][member][key] == *value;
        wanted.into_iter().flatten().all(has)
    };
    content(there) == content(stamped) && has_all("labels") && has_all("annotations")
}

/// What an object holds besides what it is.
fn content(object: &Value) -> Map<String, Value> {
    let members = object.as_object().into_iter().flatten();
    let is_content = |name: &str| !matches!(name, "apiVersion" | "kind" | "metadata" | "status");
    members
        .filter(|(name, _)| is_content(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// SHA-256 of what it holds, the first 16 bytes in hexadecimal. The members of
/// an object have one order here.
fn digest(object: &Value) -> String {
    let digest = Sha256::digest(Value::from(content(object)).to_string());
    digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn replacing(there: &Value, stamped: &Value) -> Value {
    let version = &there["metadata"]["resourceVersion"];
    let mut patch = vec![json!({"op": "test", "path": "/metadata/resourceVersion",
        "value": version})];
    let (before, after) = (content(there), content(stamped));
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        patch.push(json!({"op": "remove", "path": pointer::join("", name)}));
    }
    for (name, value) in after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
    {
        patch.push(json!({"op": "add", "path": pointer::join("", name), "value": value}));
    }
    // It is ours, so that both maps are there.
    for member in ["labels", "annotations"] {
        let wanted = stamped["metadata"][member].as_object();
        for (key, value) in wanted.into_iter().flatten() {
            if there["metadata"][member][key] != *value {
                let path = pointer::join(&format!("/metadata/{member}"), key);
                patch.push(json!({"op": "add", "path": path, "value": value}));
            }
        }
    }
    Value::from(patch)
}

#[cfg(test)]
mod tests {
    use portcullis_contract::{Effect, PatchOperation};

    use super::*;
    use crate::policy::{FailurePolicy, patch};

    fn wanted(spec: Value, mode: EffectMode) -> Wanted {
        let object = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": "default", "labels": {"tier": "base"}}, "spec": spec});
        let effect = Effect::required("networkpolicies.networking.k8s.io", object);
        Wanted {
            policy: "net".parse().expect("a name"),
            failure_policy: FailurePolicy::Fail,
            namespace: "shop".into(),
            effect: Effect { mode, ..effect },
        }
    }

    /// As the API server would give it.
    fn stored(wanted: &Wanted) -> Value {
        let mut object = stamped(wanted);
        object["metadata"]["resourceVersion"] = "7".into();
        object["metadata"]["uid"] = "u".into();
        object
    }

    fn closed() -> Value {
        json!({"podSelector": {}, "policyTypes": ["Ingress"]})
    }

    #[test]
    fn what_is_missing_is_created_with_our_marks() {
        let wanted = wanted(closed(), EffectMode::Create);
        let Step::Create(object) = step(&wanted, None) else {
            panic!("not created");
        };
        assert_eq!(object["metadata"]["namespace"], "shop");
        assert_eq!(object["metadata"]["labels"]["tier"], "base");
        assert!(is_of(&object, "net") && is_untouched(&object));
        assert_eq!(step(&wanted, Some(&stored(&wanted))), Step::Nothing);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let wanted = wanted(closed(), EffectMode::Apply);
        let mut unmarked = stored(&wanted);
        unmarked["metadata"]["labels"] = json!({"tier": "base"});
        let mut of_another = stored(&wanted);
        of_another["metadata"]["annotations"][POLICY] = "other".into();
        for there in [
            unmarked,
            of_another,
            json!({"metadata": {"name": "default"}}),
        ] {
            assert_eq!(step(&wanted, Some(&there)), Step::Foreign, "{there}");
        }
    }

    #[test]
    fn what_somebody_changed_is_brought_back_where_that_is_asked_for() {
        let apply = wanted(closed(), EffectMode::Apply);
        let mut there = stored(&apply);
        there["spec"]["ingress"] = json!([{}]);
        there["extra"] = json!(1);
        there["metadata"]["labels"]["theirs"] = "stays".into();
        assert!(!is_untouched(&there));
        let Step::Replace { patch, is_repair } = step(&apply, Some(&there)) else {
            panic!("not replaced");
        };
        assert!(is_repair);
        let operations: Vec<PatchOperation> = serde_json::from_value(patch).expect("a patch");
        let after = patch::apply(&there, &operations).expect("it applies");
        let mut expected = stored(&apply);
        expected["metadata"]["labels"]["theirs"] = "stays".into();
        assert_eq!(after, expected);
        let create = wanted(closed(), EffectMode::Create);
        assert_eq!(step(&create, Some(&there)), Step::Nothing);
    }

    #[test]
    fn another_wish_is_no_repair() {
        let before = stored(&wanted(closed(), EffectMode::Apply));
        let full = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
        let full = wanted(full, EffectMode::Apply);
        let Step::Replace { is_repair, .. } = step(&full, Some(&before)) else {
            panic!("not replaced");
        };
        assert!(!is_repair);
    }

    #[test]
    fn a_change_between_look_and_write_fails_the_patch() {
        let apply = wanted(closed(), EffectMode::Apply);
        let mut there = stored(&apply);
        there["spec"]["ingress"] = json!([{}]);
        let Step::Replace { patch, .. } = step(&apply, Some(&there)) else {
            panic!("not replaced");
        };
        there["metadata"]["resourceVersion"] = "8".into();
        let operations: Vec<PatchOperation> = serde_json::from_value(patch).expect("a patch");
        assert!(patch::apply(&there, &operations).is_err());
    }
}
