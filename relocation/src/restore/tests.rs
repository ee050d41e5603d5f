use serde_json::json;

use super::*;
use crate::digest::Keyring;
use crate::names::{self, Half};
use crate::promotion::tests::world;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn put_back(restoration: &Restoration) -> &Value {
    restoration.object.as_ref().unwrap().expose()
}

#[test]
fn values_go_back_to_data_and_to_the_copies() {
    let mut world = world(json!({"user": "app"}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.moves(&Field::binary("p12"), &[0, 255], 2);
    let copy = json!({"data": world.object()["data"]}).to_string();
    world.object()["metadata"]["annotations"] = json!({LAST_APPLIED: copy, "a": "b"});
    let restoration = plan(&world.input(), false).unwrap();
    let object = put_back(&restoration);
    assert_eq!(
        object["data"],
        json!({"user": "app", "password": "hunter22"})
    );
    assert_eq!(object["binaryData"], json!({"p12": "AP8="}));
    assert_eq!(object["metadata"]["resourceVersion"], "70");
    assert_eq!(object["metadata"]["labels"], json!({}));
    let copy = object["metadata"]["annotations"][LAST_APPLIED]
        .as_str()
        .unwrap();
    let copy: Value = serde_json::from_str(copy).unwrap();
    assert_eq!(copy["data"], object["data"]);
    assert_eq!(
        (restoration.recreate, &restoration.problems[..]),
        (false, &[][..])
    );
    assert!(!format!("{restoration:?}").contains("hunter"));
}

#[test]
fn a_copy_that_holds_something_else_keeps_it() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    let copy = json!({"data": {"password": "moved-secret:v1:other"}}).to_string();
    world.object()["metadata"]["annotations"] = json!({LAST_APPLIED: copy});
    let restoration = plan(&world.input(), false).unwrap();
    assert_eq!(
        put_back(&restoration)["metadata"]["annotations"][LAST_APPLIED],
        *copy
    );
}

#[test]
fn what_dangles_stays_and_is_told() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.moves(&Field::text("token"), b"tok-12345", 2);
    world.staged.remove(&names::staged(1));
    let restoration = plan(&world.input(), true).unwrap();
    let object = put_back(&restoration);
    assert_eq!(object["data"]["token"], "tok-12345");
    assert_eq!(
        object["data"]["password"],
        world.object()["data"]["password"]
    );
    assert!(matches!(
        restoration.problems[..],
        [Problem::Dangling { .. }]
    ));
    // What was served for it will do.
    let mut world = world_served();
    world.staged.clear();
    let restoration = plan(&world.input(), false).unwrap();
    assert_eq!(put_back(&restoration)["data"]["password"], "hunter22");
}

fn world_served() -> crate::promotion::tests::World {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.promoted();
    world
}

#[test]
fn without_the_keys_somebody_has_to_trust_what_is_there() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.keyring = Keyring::new(&[9; 32], &[]).unwrap();
    let restoration = plan(&world.input(), false).unwrap();
    assert_eq!(restoration.object, None);
    assert!(matches!(
        restoration.problems[..],
        [Problem::Unverified { .. }]
    ));
    let restoration = plan(&world.input(), true).unwrap();
    assert_eq!(put_back(&restoration)["data"]["password"], "hunter22");
}

#[test]
fn an_immutable_config_map_has_to_be_created_again() {
    let mut world = world_served();
    world.object()["immutable"] = true.into();
    assert!(plan(&world.input(), false).unwrap().recreate);
}

#[test]
fn nothing_to_put_back_is_no_write() {
    let mut world = world(json!({"user": "app"}));
    assert_eq!(plan(&world.input(), false).unwrap().object, None);
    world.config_map = None;
    assert_eq!(plan(&world.input(), false).unwrap().object, None);
}

#[test]
fn a_serving_secret_may_go_once_nobody_needs_it() {
    let mut world = world_served();
    let moved = world.object().clone();
    let plain = json!({"data": {"password": "hunter22"}});
    let held = &world.serving[&Half::Text];
    let unneeded =
        |map: &Value, pods, age: i64| is_unneeded((held, 10_000 - age), map, pods, 10_000);
    assert!(unneeded(&plain, false, 3601));
    assert!(!unneeded(&plain, false, 3600));
    assert!(!unneeded(&plain, true, 3601));
    assert!(!unneeded(&moved, false, 3601));
    let mut foreign = held.clone();
    foreign.ours = false;
    assert!(!is_unneeded((&foreign, 0), &plain, false, 10_000));
}
