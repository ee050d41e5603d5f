use portcullis_contract::Level;
use serde_json::json;

use super::*;
use crate::finding::Place;
use crate::policy::action::Action;

fn object(kind: &str, name: &str, owner: Option<(&str, &str)>) -> Value {
    let owners = owner.map(|(kind, name)| {
        json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name,
            "controller": true}])
    });
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop",
        "uid": name, "ownerReferences": owners}})
}

fn finding(object: &Value, code: &str, container: &str) -> Finding {
    let object = crate::judge::identity(object);
    Finding {
        policy: "p".into(),
        code: code.into(),
        level: Level::Error,
        action: Action::Deny,
        message: "it is bad".into(),
        remedy: "mend it".into(),
        place: Place::default(),
        fingerprint: fingerprint("p", code, &object, Some(container)),
        object,
        path: "/spec/containers/0/image".into(),
        container: Some(container.into()),
        within: None,
        fix: None,
        has_fix: false,
        creates: None,
        exemption: None,
        excerpt: None,
    }
}

/// A Deployment, its ReplicaSet and Pods; what each has.
fn found(has: &[(&str, &[&str])]) -> Found {
    let mut found = Found::default();
    for (kind, names) in has {
        for name in *names {
            let owner = match *kind {
                "Pod" => Some(("ReplicaSet", "web-1")),
                "ReplicaSet" => Some(("Deployment", "web")),
                _ => None,
            };
            let object = object(kind, name, owner);
            let owner = Owner::of(&object);
            found.learn(&object, owner.as_ref());
            found.add(finding(&object, "c", "a"), name, owner.as_ref());
        }
    }
    found
}

fn told(found: Found) -> Vec<String> {
    let findings = found.finish().0.into_iter();
    findings
        .map(|finding| format!("{}: {}", finding.object, finding.message))
        .collect()
}

#[test]
fn what_the_owner_has_is_told_of_it_alone() {
    let all = found(&[
        ("Pod", &["web-1-a", "web-1-b"]),
        ("ReplicaSet", &["web-1"]),
        ("Deployment", &["web"]),
    ]);
    assert!(all.unknown().is_empty());
    assert_eq!(told(all), ["Deployment shop/web: it is bad"]);
}

#[test]
fn what_the_owner_has_not_is_told_once_at_the_topmost() {
    let mut pods = found(&[("Pod", &["web-1-b", "web-1-a", "web-1-c"])]);
    let replicas = object("ReplicaSet", "web-1", Some(("Deployment", "web")));
    pods.learn(&replicas, Owner::of(&replicas).as_ref());
    assert!(pods.unknown().is_empty());
    let (findings, uids) = pods.finish();
    assert_eq!(findings.len(), 1);
    assert_eq!(uids.values().collect::<Vec<_>>(), ["web"]);
    let one = &findings[0];
    assert_eq!(
        (one.object.to_string().as_str(), one.path.as_str()),
        ("Deployment shop/web", "")
    );
    assert_eq!(
        one.message,
        "it is bad; found in spec.containers[0].image of Pod `web-1-a` and 2 more, which it \
         controls"
    );
}

#[test]
fn an_owner_that_nobody_listed_is_asked_for_and_else_is_the_topmost() {
    let mut pods = found(&[("Pod", &["web-1-a"])]);
    let unknown = pods.unknown();
    assert_eq!(unknown[0].0.name, "web-1");
    assert_eq!(unknown[0].1.as_deref(), Some("shop"));
    pods.know("web-1", None);
    assert!(pods.unknown().is_empty());
    assert!(told(pods)[0].starts_with("ReplicaSet shop/web-1: "));
}

#[test]
fn another_finding_of_the_same_pod_is_not_lost() {
    let mut all = found(&[("Deployment", &["web"])]);
    let pod = object("Pod", "web-1-a", Some(("Deployment", "web")));
    let owner = Owner::of(&pod);
    for (code, container) in [("c", "a"), ("c", "sidecar"), ("d", "a")] {
        all.add(finding(&pod, code, container), "web-1-a", owner.as_ref());
    }
    assert_eq!(told(all).len(), 3);
}

#[test]
fn kinds_are_merged_in_any_order() {
    let parts = || {
        [
            found(&[("Pod", &["web-1-b"])]),
            found(&[("Deployment", &["other"])]),
            found(&[("ReplicaSet", &["web-1"])]),
            found(&[("Pod", &["web-1-a"])]),
        ]
    };
    let merge = |parts: Vec<Found>| {
        let mut all = Found::default();
        parts.into_iter().for_each(|part| all.merge(part));
        let mut told = told(all);
        told.sort();
        told
    };
    let forwards = merge(parts().into_iter().collect());
    let backwards = merge(parts().into_iter().rev().collect());
    assert_eq!(forwards, backwards);
    assert_eq!(forwards.len(), 2, "{forwards:?}");
}

#[test]
fn who_owns_himself_hides_nothing() {
    let mut found = Found::default();
    let owned = [
        ("ReplicaSet", "a", "b"),
        ("ReplicaSet", "b", "a"),
        ("Pod", "c", "c"),
    ];
    for (kind, name, owner) in owned {
        let object = object(kind, name, Some((kind, owner)));
        let owner = Owner::of(&object);
        found.learn(&object, owner.as_ref());
        found.add(finding(&object, "c", name), name, owner.as_ref());
    }
    assert_eq!(told(found).len(), 3);
}

#[test]
fn only_what_controllers_make_is_told_of_an_owner() {
    let owner = Some(("Cluster", "db"));
    assert!(Owner::of(&object("StatefulSet", "db", owner)).is_none());
    assert!(Owner::of(&object("Pod", "db-0", owner)).is_some());
    assert!(Owner::of(&object("Pod", "static", Some(("Node", "n")))).is_none());
    let mut shared = object("Pod", "a", owner);
    shared["metadata"]["ownerReferences"][0]["controller"] = json!(false);
    assert!(Owner::of(&shared).is_none());
}

#[test]
fn a_replica_set_of_nothing_is_the_past_of_its_owner() {
    let mut past = object("ReplicaSet", "web-0", Some(("Deployment", "web")));
    past["spec"] = json!({"replicas": 0});
    assert!(is_history(&past));
    past["spec"]["replicas"] = json!(1);
    assert!(!is_history(&past));
    let mut own = object("ReplicaSet", "own", None);
    own["spec"] = json!({"replicas": 0});
    assert!(!is_history(&own));
}
