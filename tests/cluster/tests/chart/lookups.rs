//! What the chart lets Portcullis look up is what policies in force look up.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_cluster::root;
use serde_json::Value;

use super::rendered::template;

/// Group and resource.
type Kind = (String, String);

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the documents of a profile grant their policies.
fn granted(profile: &Path) -> BTreeSet<Kind> {
    let mut kinds = BTreeSet::new();
    let paths = profile.read_dir().expect("a folder");
    let paths = paths.map(|entry| entry.expect("a file").path());
    for path in paths.filter(|path| path.is_file()) {
        let text_of = std::fs::read(path).expect("readable");
        let document = portcullis_manifest::parse_document(&text_of).expect("a policy");
        let lookups = document["spec"]["lookups"].as_array().into_iter().flatten();
        kinds.extend(lookups.map(|one| (text(&one["apiGroup"]), text(&one["resource"]))));
    }
    kinds
}

/// What Portcullis may list and watch, besides its own kinds and namespaces.
fn watched(values: &[&str]) -> BTreeSet<Kind> {
    let rendered = template(values).ok().expect("it renders");
    let stream = portcullis_manifest::read(rendered.as_bytes());
    let objects = stream.objects.iter().map(|one| &one.value);
    let mut roles = objects
        .filter(|one| one["kind"] == "ClusterRole" && one["metadata"]["name"] == "portcullis");
    let role = roles.next().expect("a role");
    let rules = role["rules"].as_array().expect("rules").iter();
    let is_for_lookups = |rule: &&Value| {
        rule["verbs"] == serde_json::json!(["list", "watch"])
            && rule["apiGroups"][0] != "portcullis.dev"
    };
    let kinds = rules.filter(is_for_lookups).flat_map(|rule| {
        let resources = rule["resources"].as_array().expect("resources").iter();
        resources.map(|one| (text(&rule["apiGroups"][0]), text(one)))
    });
    kinds.collect()
}

#[test]
fn what_policies_of_a_profile_look_up_may_be_watched_and_nothing_else() {
    for profile in ["observe", "starter", "strict"] {
        let granted = granted(&root().join("pack").join(profile));
        assert!(!granted.is_empty());
        assert_eq!(watched(&[&format!("profile={profile}")]), granted);
    }
    assert_eq!(watched(&["profile=none"]), BTreeSet::new());
}

#[test]
fn what_own_policies_look_up_is_added_by_a_value() {
    let added = [
        "profile=none",
        "rbac.lookups[0].resource=secrets",
        "rbac.lookups[1].apiGroup=cert-manager.io,rbac.lookups[1].resource=certificates",
    ];
    let expected = [("", "secrets"), ("cert-manager.io", "certificates")];
    let expected = expected.map(|(group, resource)| (group.to_owned(), resource.to_owned()));
    assert_eq!(watched(&added), BTreeSet::from(expected));
}
