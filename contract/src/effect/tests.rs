use serde_json::json;

use super::*;

const KIND: &str = "networkpolicies.networking.k8s.io";

fn checked(object: Value) -> Result<(), String> {
    check(&[Effect::required(KIND, object)], &[KIND.to_owned()].into())
}

fn object(metadata: Value) -> Value {
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": metadata, "spec": {"podSelector": {}}})
}

#[test]
fn an_effect_names_one_object_of_its_kind() {
    assert_eq!(checked(object(json!({"name": "a", "labels": {}}))), Ok(()));
    for (object, problem) in [
        (json!({"kind": "NetworkPolicy"}), "of another group"),
        (json!({"apiVersion": "v1"}), "of another group"),
        (json!({"apiVersion": "networking.k8s.io/v1"}), "no `kind`"),
        (object(json!({})), "no name"),
        (object(json!({"name": "../secrets"})), "no name"),
        (object(json!({"name": "A"})), "no name"),
        (object(json!({"name": "a", "namespace": "b"})), "the host's"),
        (object(json!({"name": "a", "finalizers": []})), "the host's"),
    ] {
        let error = checked(object.clone()).expect_err("refused");
        assert!(error.contains(problem), "{object}: {error}");
    }
}

#[test]
fn effects_are_bounded() {
    let effect = Effect::required(KIND, object(json!({"name": "a"})));
    let declared = [KIND.to_owned()].into();
    assert!(check(&vec![effect.clone(); MAX_EFFECTS + 1], &declared).is_err());
    assert!(check(&[effect], &BTreeSet::new()).is_err());
    let mut large = object(json!({"name": "a"}));
    large["spec"]["x"] = "x".repeat(MAX_EFFECT_BYTES).into();
    assert!(checked(large).expect_err("refused").contains("bytes"));
}

#[test]
fn an_effect_of_an_older_guest_is_created_and_never_changed() {
    let old = json!({"kind": "secrets", "required": true, "object": {}});
    let effect: Effect = serde_json::from_value(old.clone()).expect("reads");
    assert_eq!(effect.mode, EffectMode::Create);
    assert_eq!(serde_json::to_value(&effect).expect("writes"), old);
}
