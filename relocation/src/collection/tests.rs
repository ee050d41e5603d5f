use serde_json::{Value, json};

use super::*;
use crate::names;
use crate::promotion::wanted;

const NOW: i64 = 1_000_000;

fn candidate(number: u64, age: i64) -> Candidate {
    let name = names::staged(number);
    Candidate {
        uid: format!("uid-{name}"),
        name,
        ours: true,
        created: NOW - age,
    }
}

fn naming(number: u64) -> Value {
    let text = format!(
        "moved-secret:v1:{}:{}",
        names::staged(number),
        "0".repeat(76)
    );
    json!({"data": {"password": text}})
}

#[test]
fn what_nothing_names_goes_after_an_hour() {
    let secrets = [
        candidate(1, 3601),
        candidate(2, 3600),
        candidate(3, 9999),
        candidate(4, -5),
    ];
    let go = plan(NOW, &secrets, &wanted(&naming(3)).unwrap());
    assert_eq!(go, [&secrets[0]]);
}

#[test]
fn binary_data_names_too() {
    let text = naming(1)["data"]["password"].as_str().unwrap().to_owned();
    let text = crate::config_map::written(names::Half::Binary, text.as_bytes());
    let secrets = [candidate(1, 9999)];
    let map = json!({"binaryData": {"p12": text}});
    assert_eq!(plan(NOW, &secrets, &wanted(&map).unwrap()).len(), 0);
}

#[test]
fn only_staged_secrets_of_ours_go() {
    let mut foreign = candidate(1, 9999);
    foreign.ours = false;
    let mut serving = candidate(2, 9999);
    serving.name = names::serving("app", names::Half::Text);
    let secrets = [foreign, serving];
    assert_eq!(plan(NOW, &secrets, &BTreeSet::new()).len(), 0);
}

#[test]
fn a_config_map_that_cannot_be_read_names_nothing_and_is_an_error() {
    assert!(wanted(&json!({"data": {"a": 5}})).is_err());
}
