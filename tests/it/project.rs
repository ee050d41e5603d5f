//! What holds of the project itself.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_contract::reads::Reads as Projection;
use portcullis_contract::{Redaction, Request};
use portcullis_sdk::{Reads, Text};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::root;

#[test]
fn no_policy_is_linked_into_the_binary() {
    let mut tree = std::process::Command::new(env!("CARGO"));
    tree.args([
        "tree",
        "--package",
        "portcullis",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]);
    let output = tree
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo");
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(tree.contains("wasmtime v48"), "{tree}");
    let policies = tree.lines().filter(|line| line.contains("/policies/"));
    assert_eq!(policies.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let documents = [
        "README.md",
        "docs/architecture.md",
        "docs/cluster.md",
        "docs/decisions.md",
        "docs/policies/README.md",
        "docs/writing-a-policy.md",
        "certs/README.md",
        "pack/README.md",
    ];
    for document in documents {
        let text = std::fs::read_to_string(root().join(document)).expect(document);
        let folder = root().join(document).parent().expect("a folder").to_owned();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let is_relative = !link.contains("://") && !link.starts_with('#');
            assert!(
                !is_relative || folder.join(link).exists(),
                "{document}: {link}"
            );
        }
    }
}

#[test]
fn the_readme_stays_short() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    assert!(readme.lines().count() < 150);
}

/// Everything that a struct of an author may do.
#[derive(Debug, PartialEq, Reads, Deserialize)]
struct Whole<'a> {
    #[serde(borrow)]
    object: Object<'a>,
}

#[derive(Debug, PartialEq, Reads, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow, default)]
    snake_case: Option<Text<'a>>,
    #[serde(rename = "a.b/c", default)]
    renamed: Option<u8>,
    #[serde(default)]
    list: Vec<Inner>,
    #[serde(default)]
    map: BTreeMap<String, Inner>,
    #[serde(default)]
    boxed: Option<Box<Inner>>,
    #[serde(flatten)]
    flat: Flat,
    #[serde(skip)]
    skipped: u8,
}

#[derive(Debug, PartialEq, Reads, Deserialize)]
struct Inner {
    #[serde(default, alias = "other")]
    number: i64,
    #[serde(default)]
    whole: Value,
}

#[derive(Debug, PartialEq, Reads, Deserialize)]
struct Flat {
    #[serde(default)]
    flag: bool,
    #[serde(default)]
    nested: BTreeMap<String, Vec<String>>,
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\"\\\\\u{e9}]{0,6}".prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("number".to_owned()),
        Just("other".to_owned()),
        Just("whole".to_owned()),
        Just("flag".to_owned()),
        "[a-z.]{1,4}",
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn inner() -> impl Strategy<Value = Value> {
    let number = prop_oneof![Just("number"), Just("other"), Just("strange")];
    (number, any::<i32>(), anything(), anything())
        .prop_map(|(name, number, whole, extra)| json!({name: number, "whole": whole, "x": extra}))
}

/// Objects of the right shape and more, or nearly so.
fn object() -> impl Strategy<Value = Value> {
    let lists = prop::collection::vec(inner(), 0..3);
    let maps = prop::collection::btree_map("[a-z./]{1,5}", inner(), 0..3);
    let nested = prop::collection::btree_map(
        "[a-z]{1,3}",
        prop::collection::vec("[a-z]{0,3}", 0..3),
        0..3,
    );
    let shaped = (
        "[a-z\"\n]{0,6}",
        any::<u8>(),
        lists,
        maps,
        any::<bool>(),
        nested,
        inner(),
        anything(),
    );
    let shaped = shaped.prop_map(|(text, number, list, map, flag, nested, boxed, extra)| {
        json!({"snakeCase": text, "a.b/c": number, "list": list, "map": map, "boxed": boxed,
            "flag": flag, "nested": nested, "extra": extra, "skipped": extra})
    });
    let shaped = shaped.boxed();
    let spoilt = (
        shaped.clone(),
        "(snakeCase|list|map|boxed|flag|nested)",
        anything(),
    )
        .prop_map(|(mut object, name, other)| {
            object[name] = other;
            object
        });
    prop_oneof![4 => shaped, 1 => spoilt, 1 => anything()]
}

/// serde takes a list for a struct, member by member; the API server takes
/// neither, and a projection refuses it.
fn has_list_for_struct(object: &Value) -> bool {
    let members = |name: &str| match &object[name] {
        Value::Object(map) => map.values().collect(),
        Value::Array(list) => list.iter().collect(),
        _ => vec![],
    };
    let inner = [members("list"), members("map"), vec![&object["boxed"]]].concat();
    object.is_array() || inner.into_iter().any(Value::is_array)
}

proptest! {
    #[test]
    fn a_projection_deserializes_like_the_whole(object in object(), extra in anything()) {
        if has_list_for_struct(&object) {
            return Ok(());
        }
        let mut reads = BTreeSet::new();
        Whole::reads("", &mut reads);
        let reads = Projection::parse(reads.iter().map(String::as_str)).expect("reads");
        let whole = json!({"object": object, "operation": extra});
        let admission: &Map<String, Value> = whole.as_object().expect("a map");
        let projected = reads.project(&Request::new(admission, &Value::Null), Redaction::None);
        let whole = whole.to_string();
        let from_whole = serde_json::from_str::<Whole<'_>>(&whole).ok();
        let from_projection = serde_json::from_str::<Whole<'_>>(&projected).ok();
        prop_assert_eq!(from_whole, from_projection);
    }
}
