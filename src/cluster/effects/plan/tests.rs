use portcullis_contract::{Effect, EffectMode};
use serde_json::json;

use super::*;
use crate::policy::FailurePolicy;
use crate::policy::effect::object::stamped;

const KIND: &str = "networkpolicies.networking.k8s.io";

fn wanted(name: &str, spec: &Value) -> Wanted {
    let object = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": name}, "spec": spec});
    Wanted {
        policy: "net".parse().expect("a name"),
        failure_policy: FailurePolicy::Fail,
        namespace: "shop".into(),
        effect: Effect {
            mode: EffectMode::Apply,
            ..Effect::eventual(KIND, object)
        },
    }
}

fn existing(wanted: &Wanted) -> Existing {
    Existing::new(KIND, &Resource::of(&wanted.effect), stamped(wanted))
}

fn answer(wanted: &[&Wanted]) -> Vec<Answer> {
    vec![Answer {
        policy: "net".parse().expect("a name"),
        wanted: wanted.iter().map(|one| (*one).clone()).collect(),
    }]
}

fn nothing_covers(_: &Wanted) -> bool {
    false
}

#[test]
fn what_is_missing_is_made_and_what_is_there_left() {
    let closed = wanted("closed", &json!({"podSelector": {}}));
    let made = plan(&answer(&[&closed]), &[], nothing_covers);
    assert!(
        matches!(
            made.as_slice(),
            [Act::Ensure {
                is_repair: false,
                ..
            }]
        ),
        "{made:?}"
    );
    assert_eq!(
        plan(&answer(&[&closed]), &[existing(&closed)], nothing_covers),
        []
    );
}

#[test]
fn what_nobody_wants_goes_unless_somebody_changed_it() {
    let closed = existing(&wanted("closed", &json!({"podSelector": {}})));
    let gone = plan(&answer(&[]), std::slice::from_ref(&closed), nothing_covers);
    assert_eq!(gone, [Act::Remove(Box::new(closed.clone()))]);
    let mut changed = closed;
    changed.object["spec"]["ingress"] = json!([{}]);
    let left = plan(&answer(&[]), std::slice::from_ref(&changed), nothing_covers);
    assert_eq!(left, [Act::Leave(Box::new(changed))]);
}

#[test]
fn a_policy_that_did_not_answer_loses_nothing() {
    let closed = existing(&wanted("closed", &json!({"podSelector": {}})));
    assert_eq!(plan(&[], std::slice::from_ref(&closed), nothing_covers), []);
    let mut of_another = answer(&[]);
    of_another[0].policy = "other".parse().expect("a name");
    assert_eq!(plan(&of_another, &[closed], nothing_covers), []);
}

#[test]
fn what_a_policy_that_fails_made_is_its_own_until_it_answers() {
    let mut closed = existing(&wanted("closed", &json!({"podSelector": {}})));
    let failing = |policy: &str, silence: Silence| Asked {
        answers: vec![],
        silent: BTreeMap::from([(policy.parse().expect("a name"), silence)]),
    };
    let broken = failing("net", Silence::Broken("too slow".into()));
    assert_eq!(broken.failure(&closed), Some("too slow"));
    let denied = failing("net", Silence::Denied("no".into()));
    assert_eq!(denied.failure(&closed), None);
    let of_another = failing("other", Silence::Broken("too slow".into()));
    assert_eq!(of_another.failure(&closed), None);
    closed.object["metadata"]["annotations"] = json!({});
    assert_eq!(broken.failure(&closed), None, "it is nobody's");
}

#[test]
fn what_is_covered_is_withdrawn_and_not_made() {
    let closed = wanted("closed", &json!({"podSelector": {}}));
    assert_eq!(plan(&answer(&[&closed]), &[], |_| true), []);
    let there = existing(&closed);
    let withdrawn = plan(&answer(&[&closed]), std::slice::from_ref(&there), |_| true);
    assert_eq!(withdrawn, [Act::Remove(Box::new(there))]);
}

#[test]
fn drift_is_a_repair_and_another_wish_is_none() {
    let closed = wanted("closed", &json!({"podSelector": {}}));
    let mut drifted = existing(&closed);
    drifted.object["spec"]["ingress"] = json!([{}]);
    let repaired = plan(&answer(&[&closed]), &[drifted], nothing_covers);
    assert!(
        matches!(
            repaired.as_slice(),
            [Act::Ensure {
                is_repair: true,
                ..
            }]
        ),
        "{repaired:?}"
    );
    let before = existing(&wanted(
        "closed",
        &json!({"podSelector": {}, "egress": [{}]}),
    ));
    let changed = plan(&answer(&[&closed]), &[before], nothing_covers);
    assert!(
        matches!(
            changed.as_slice(),
            [Act::Ensure {
                is_repair: false,
                ..
            }]
        ),
        "{changed:?}"
    );
}

#[test]
fn a_name_that_changed_is_two_objects() {
    let (old, new) = (wanted("old", &json!({})), wanted("new", &json!({})));
    let acts = plan(&answer(&[&new]), &[existing(&old)], nothing_covers);
    assert!(
        matches!(acts.as_slice(), [Act::Remove(gone), Act::Ensure { .. }] if gone.name() == "old"),
        "{acts:?}"
    );
}
