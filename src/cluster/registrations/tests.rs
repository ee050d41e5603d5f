use std::collections::BTreeSet;

use super::*;
use crate::cluster::state::Away;
use crate::registration::name::Name;
use crate::registration::target::Target;

fn wish() -> Wish {
    Wish {
        registration: Registration {
            name: Name::parse("portcullis").expect("a name"),
            target: Target::new(None, Some("here/portcullis")).expect("a target"),
            ca_bundle: None,
            namespaces: vec![],
            objects: vec![],
        },
        ca_from: None,
        vets: true,
        relocates: false,
    }
}

fn entry(name: &str, policy: &str) -> Value {
    json!({"name": name, "failurePolicy": policy, "rules": [{"resources": ["pods"]}],
        "clientConfig": {"caBundle": "QQ=="}})
}

fn configuration(entries: &[Value]) -> Value {
    json!({"metadata": {"name": "portcullis"}, "webhooks": entries})
}

/// As the API server gives it back.
fn stored(configuration: &Value) -> Value {
    let mut stored = configuration.clone();
    stored["metadata"]["uid"] = "u".into();
    for entry in entries_mut(&mut stored) {
        if entry["rules"][0].get("scope").is_none() {
            entry["rules"][0]["scope"] = "*".into();
        }
        entry["objectSelector"] = json!({});
        entry["clientConfig"]["service"]["port"] = 443.into();
    }
    stored
}

#[test]
fn policies_are_checked_by_an_entry_that_fails_open() {
    let set = PolicySet::new(vec![], BTreeSet::new()).expect("a set");
    let [validating, mutating] = wish().configurations(&set);
    let entry = &entries(&validating)[0];
    assert_eq!(entry["clientConfig"]["service"]["path"], "/policies");
    assert_eq!(entry["failurePolicy"], "Ignore");
    assert_eq!(entry["rules"][0]["resources"], json!(["wasmpolicies"]));
    let exemptions = &entry["rules"][1];
    assert_eq!(exemptions["resources"], json!(["policyexemptions"]));
    assert_eq!(exemptions["scope"], "Namespaced");
    assert_eq!(mutating["webhooks"], json!([]));
    assert_eq!(validating["metadata"].get("annotations"), None);
}

#[test]
fn cert_manager_is_told_by_an_annotation_and_its_field_is_left_alone() {
    let set = PolicySet::new(vec![], BTreeSet::new()).expect("a set");
    let injected = Wish {
        ca_from: Some("here/portcullis".into()),
        ..wish()
    };
    for configuration in injected.configurations(&set) {
        let annotations = &configuration["metadata"]["annotations"];
        assert_eq!(
            annotations["cert-manager.io/inject-ca-from"],
            "here/portcullis"
        );
        for entry in entries(&configuration) {
            assert_eq!(entry["clientConfig"].get("caBundle"), None);
        }
        let mut live = stored(&configuration);
        for entry in entries_mut(&mut live) {
            entry["clientConfig"]["caBundle"] = "aW5qZWN0ZWQ=".into();
        }
        assert!(holds(&configuration, &live));
    }
}

#[test]
fn what_fails_closed_starts_open() {
    let asked = configuration(&[entry("a", "Fail"), entry("b", "Ignore")]);
    let policies = |value: &Value| -> Vec<String> {
        let texts = entries(value)
            .iter()
            .map(|entry| entry["failurePolicy"].to_string());
        texts.collect()
    };
    let (open, closed) = (r#""Ignore""#, r#""Fail""#);
    assert_eq!(policies(&staged(&asked, None, Closing::Hold)), [open, open]);
    let half = configuration(&[entry("a", "Ignore"), entry("b", "Ignore")]);
    assert!(waits_to_close(&asked, &half));
    assert_eq!(
        policies(&staged(&asked, Some(&half), Closing::Hold)),
        [open, open]
    );
    assert_eq!(
        policies(&staged(&asked, Some(&half), Closing::Allowed)),
        [closed, open]
    );
    assert!(!waits_to_close(&asked, &asked));
    assert_eq!(
        policies(&staged(&asked, Some(&asked), Closing::Hold)),
        [closed, open]
    );
    assert_eq!(
        policies(&staged(&asked, Some(&asked), Closing::Withheld)),
        [open, open]
    );
    let new = configuration(&[entry("a", "Fail"), entry("c", "Fail")]);
    assert_eq!(
        policies(&staged(&new, Some(&asked), Closing::Hold)),
        [closed, open]
    );
}

#[test]
fn what_the_api_server_adds_is_no_edit() {
    let wanted = configuration(&[entry("a", "Fail")]);
    assert!(holds(&wanted, &stored(&wanted)));
    let none = configuration(&[]);
    let mut live = stored(&none);
    live.as_object_mut().expect("an object").remove("webhooks");
    assert!(holds(&none, &live));
}

#[test]
fn every_edit_that_matters_is_seen() {
    let wanted = configuration(&[entry("a", "Fail")]);
    let edits: [fn(&mut Value); 8] = [
        |live| live["webhooks"][0]["clientConfig"]["caBundle"] = "".into(),
        |live| live["webhooks"][0]["failurePolicy"] = "Ignore".into(),
        |live| live["webhooks"][0]["rules"][0]["resources"] = json!(["services"]),
        |live| live["webhooks"][0]["rules"] = json!([]),
        |live| live["webhooks"][0]["objectSelector"] = json!({"matchLabels": {"a": "b"}}),
        |live| {
            live["webhooks"][0]["matchConditions"] = json!([{"name": "n", "expression": "false"}])
        },
        |live| live["webhooks"] = json!([]),
        |live| {
            let other = entry("other", "Fail");
            live["webhooks"].as_array_mut().expect("a list").push(other);
        },
    ];
    for (index, edit) in edits.iter().enumerate() {
        let mut live = stored(&wanted);
        edit(&mut live);
        assert!(!holds(&wanted, &live), "edit {index}");
    }
}

#[test]
fn our_owner_has_to_be_there_and_others_may_be() {
    let mut wanted = configuration(&[entry("a", "Fail")]);
    let owner = |uid: &str| OwnerReference {
        uid: uid.to_owned(),
        ..OwnerReference::default()
    };
    assert!(holds(&wanted, &stored(&wanted)));
    owned(&mut wanted, &owner("u1"));
    let mut live = stored(&wanted);
    assert!(holds(&wanted, &live));
    let owners = live["metadata"]["ownerReferences"].as_array_mut();
    owners.expect("a list").push(json!({"uid": "u0"}));
    assert!(holds(&wanted, &live), "somebody else's, too");
    live["metadata"]["ownerReferences"] = json!([owner("u0")]);
    assert!(!holds(&wanted, &live), "an earlier one");
    live["metadata"]
        .as_object_mut()
        .expect("a map")
        .remove("ownerReferences");
    assert!(!holds(&wanted, &live), "none");
}

#[test]
fn a_configuration_is_deleted_only_once_and_never_made_again_unasked() {
    let kind = Kind::Validating;
    let mut state = State::default();
    assert_eq!(fate(kind, &state, false), Fate::Apply, "a first start");
    assert_eq!(
        fate(kind, &state, true),
        Fate::Apply,
        "somebody else's, or the state was lost"
    );
    state.registered.insert(kind);
    assert_eq!(fate(kind, &state, true), Fate::Apply);
    assert_eq!(fate(kind, &state, false), Fate::Broken);
    let away = Away {
        how: How::Deleted,
        by: String::new(),
        at: "t".into(),
        other: std::collections::BTreeMap::new(),
    };
    state.registered.clear();
    state.away.insert(kind, away);
    assert_eq!(fate(kind, &state, false), Fate::Away);
    assert_eq!(fate(kind, &state, true), Fate::Delete);
    assert_eq!(
        fate(Kind::Mutating, &state, false),
        Fate::Apply,
        "each for itself"
    );
    let line = away_line(&state);
    assert_eq!(
        line,
        "validating was deleted at t: it stays away until `portcullis resume`"
    );
}

#[test]
fn an_empty_configuration_of_the_manifests_is_as_good_as_none() {
    let of = |metadata: Value| json!({"metadata": metadata});
    assert!(is_blank(&of(json!({"name": "portcullis", "labels": {
        "app.kubernetes.io/managed-by": "Helm"}}))));
    // What we wrote for policies that need no entry is ours.
    let marked = json!({"labels": {"app.kubernetes.io/managed-by": "portcullis"}});
    assert!(!is_blank(&of(marked)));
    let owned = json!({"ownerReferences": [{"name": "portcullis-installation"}]});
    assert!(!is_blank(&of(owned)));
    assert!(!is_blank(&configuration(&[entry("a", "Fail")])));
}

#[test]
fn a_bundle_counts_where_every_entry_has_it() {
    let both = configuration(&[entry("a", "Fail"), entry("b", "Fail")]);
    assert_eq!(bundle_of(&both), Some("QQ=="));
    let mut differs = both.clone();
    differs["webhooks"][1]["clientConfig"]["caBundle"] = "Qg==".into();
    assert_eq!(bundle_of(&differs), None);
    differs["webhooks"][0]["clientConfig"] = json!({});
    differs["webhooks"][1]["clientConfig"] = json!({});
    assert_eq!(bundle_of(&differs), None);
    assert_eq!(bundle_of(&configuration(&[])), None);
}
