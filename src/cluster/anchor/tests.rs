use serde_json::{Value, json};

use super::*;

fn anchor(uid: &str) -> OwnerReference {
    let role = json!({"metadata": {"name": "p-installation", "uid": uid}});
    let role: ClusterRole = serde_json::from_value(role).expect("a ClusterRole");
    owner(&role).expect("a name and a uid")
}

fn owned_by(owners: &[(&str, &str, &str)]) -> ObjectMeta {
    let owner = |(kind, name, uid): &(&str, &str, &str)| json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": uid});
    let owners: Vec<Value> = owners.iter().map(owner).collect();
    serde_json::from_value(json!({"ownerReferences": owners})).expect("metadata")
}

fn namespace(uid: &str) -> Namespace {
    serde_json::from_value(json!({"metadata": {"name": "home", "uid": uid}})).expect("one")
}

const OURS: (&str, &str, &str) = ("ClusterRole", "p-installation", "u1");

#[test]
fn an_owner_is_told_by_its_uid_and_an_earlier_one_by_its_name() {
    let now = anchor("u2");
    assert_eq!(now.api_version, "rbac.authorization.k8s.io/v1");
    for (owners, is_owned, is_earlier, is_any) in [
        (&[][..], false, false, false),
        (&[OURS], false, true, true),
        (
            &[("ClusterRole", "p-installation", "u2")],
            true,
            false,
            true,
        ),
        (
            &[OURS, ("ClusterRole", "p-installation", "u2")],
            true,
            false,
            true,
        ),
        (&[("ClusterRole", "other", "u3")], false, false, false),
        (
            &[("Deployment", "p-installation", "u3")],
            false,
            false,
            false,
        ),
    ] {
        let metadata = owned_by(owners);
        assert_eq!(owns(&now, &metadata), is_owned, "{owners:?}");
        assert_eq!(is_of_earlier(&now, &metadata), is_earlier, "{owners:?}");
        assert_eq!(
            is_anchored("p-installation", &metadata),
            is_any,
            "{owners:?}"
        );
    }
}

#[test]
fn owners_of_others_stay_and_earlier_anchors_go() {
    let metadata = owned_by(&[("Deployment", "d", "u0"), OURS]);
    let owners = owners(&anchor("u2"), &metadata);
    let uids: Vec<&str> = owners.iter().map(|one| one.uid.as_str()).collect();
    assert_eq!(uids, ["u0", "u2"]);
}

#[test]
fn the_namespace_owns_the_anchor_unless_argo_keeps_it() {
    let uids = |metadata: &ObjectMeta| {
        let parents = parents(metadata, &namespace("n2"))?;
        Some(parents.into_iter().map(|one| one.uid).collect::<Vec<_>>())
    };
    let new = ObjectMeta::default();
    assert_eq!(uids(&new), Some(vec!["n2".to_owned()]));
    let done = owned_by(&[("Namespace", "home", "n2")]);
    assert_eq!(uids(&done), None);
    let earlier = owned_by(&[("Namespace", "home", "n1")]);
    assert_eq!(uids(&earlier), Some(vec!["n2".to_owned()]));
    for argo in [
        json!({"annotations": {"argocd.argoproj.io/tracking-id": "p:ClusterRole"}}),
        json!({"managedFields": [{"manager": "argocd-controller"}]}),
    ] {
        let argo: ObjectMeta = serde_json::from_value(argo).expect("metadata");
        assert_eq!(uids(&argo), None, "{argo:?}");
        let owner_references = done.owner_references.clone();
        let moved = ObjectMeta {
            owner_references,
            ..argo
        };
        assert_eq!(uids(&moved), Some(vec![]), "taken out again");
    }
}

#[test]
fn what_is_being_removed_says_how_it_comes_back() {
    let gone = Going::Anchor("p-installation".into()).line();
    assert!(
        gone.contains("ClusterRole p-installation") && gone.contains("apply"),
        "{gone}"
    );
    let gone = Standing::Going(Going::Namespace("home".into()));
    assert!(gone.owner().is_none());
    let held = Standing::Held(anchor("u1"));
    assert_eq!(held.owner(), Some(&anchor("u1")));
}
