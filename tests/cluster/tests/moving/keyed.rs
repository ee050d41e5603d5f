//! The keys of the digests: one follows another, and they are lost.

use std::time::Duration;

use serde_json::{Value, json};

use super::replay::apply;
use super::{OTHER, Stage, VALUE, config_map, get, served_as};
use crate::policies::{admin, eventually};

const KEYS: &str = "portcullis-relocation-keys";
/// What was read of them counts for 10 s.
const KNOWN: Duration = Duration::from_secs(11);

fn map(name: &str, value: &str) -> String {
    config_map(name, json!({"PASSWORD": value}))
}

/// A placeholder, and the version of what holds it.
fn held(namespace: &str, name: &str) -> (Value, Value) {
    let found = get(namespace, "configmap", name);
    let placeholder = found["data"]["PASSWORD"].clone();
    assert!(
        placeholder.to_string().contains("moved-secret:v1:"),
        "{placeholder}"
    );
    (placeholder, found["metadata"]["resourceVersion"].clone())
}

#[test]
fn keys_follow_one_another_and_no_value_is_lost_with_them() {
    let mut stage = Stage::new();
    let namespace = &stage.enrolled("keyed");
    apply(namespace, &map("app", VALUE)).passed();
    served_as(namespace, "app", VALUE);
    let before = held(namespace, "app");
    follows(&stage, namespace, &before);
    is_dropped(&stage, namespace, &before);
    is_lost(&mut stage, namespace);
}

/// What was made with the former key is recognised, and nothing is written.
fn follows(stage: &Stage, namespace: &str, before: &(Value, Value)) {
    let said = stage.secrets(&["rotate-keys"]).expect("rotated");
    assert!(said.contains("a new key"), "{said}");
    let home = stage.installation.home.name();
    let keys = get(home, "secret", KEYS);
    let names: Vec<&String> = keys["data"].as_object().expect("keys").keys().collect();
    assert_eq!((names.len(), names[0].as_str()), (2, "current"));
    assert!(names[1].starts_with("former-"), "{names:?}");
    apply(namespace, &map("app", VALUE)).passed();
    assert_eq!(&held(namespace, "app"), before);
    apply(namespace, &map("later", OTHER)).passed();
    served_as(namespace, "later", OTHER);
}

/// Placeholders of a key that is gone stand, and the same value gets another one.
fn is_dropped(stage: &Stage, namespace: &str, before: &(Value, Value)) {
    let drop_former = || stage.secrets(&["rotate-keys", "--drop-former"]);
    let said = drop_former().expect("dropped");
    assert!(
        said.contains(&format!("ConfigMap {namespace}/app\n")),
        "{said}"
    );
    assert!(!said.contains(&format!("{namespace}/later")), "{said}");
    assert_eq!(drop_former().expect("none"), "there is no former key\n");
    std::thread::sleep(KNOWN);
    served_as(namespace, "app", VALUE);
    assert_eq!(&held(namespace, "app"), before);
    apply(namespace, &map("app", VALUE)).passed();
    assert_ne!(&held(namespace, "app").0, &before.0);
    served_as(namespace, "app", VALUE);
}

/// Whoever knows them goes on; who starts makes others.
fn is_lost(stage: &mut Stage, namespace: &str) {
    let home = stage.installation.home.name().to_owned();
    let delete = ["delete", "secret", KEYS, "-n", &home];
    admin(&delete, "").ok().expect("deleted");
    std::thread::sleep(KNOWN);
    apply(namespace, &map("meanwhile", OTHER)).passed();
    served_as(namespace, "meanwhile", OTHER);
    let refused = stage.secrets(&["rotate-keys"]).expect_err("there are none");
    assert!(refused.contains("there is no Secret"), "{refused}");
    for name in ["replica-0", "replica-1"] {
        stage.restart(name);
    }
    stage.serving = None;
    stage.serving = Some(stage.serve_too());
    let made = || get(&home, "secret", KEYS);
    eventually("others are made", made, |keys| {
        keys["data"]["current"].is_string()
    });
    for (name, value) in [("app", VALUE), ("later", OTHER), ("meanwhile", OTHER)] {
        let before = held(namespace, name);
        served_as(namespace, name, value);
        let again = || super::kubectl(namespace, &["apply", "-f", "-"], &map(name, value));
        eventually("applied", again, |said| said.code == 0);
        assert_ne!(held(namespace, name).0, before.0);
        served_as(namespace, name, value);
    }
}
