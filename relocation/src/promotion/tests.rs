//! Promotion on a storage that is a map.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::*;
use crate::digest::{Issue, Place, Write};
use crate::{marks, names};

/// What there is.
pub(crate) struct World {
    pub(crate) serving: BTreeMap<Half, Held>,
    pub(crate) config_map: Option<Value>,
    pub(crate) staged: BTreeMap<String, Held>,
    pub(crate) prepared: BTreeSet<Field>,
    pub(crate) named: BTreeSet<Half>,
    pub(crate) awaited: BTreeSet<Field>,
    pub(crate) keyring: Keyring,
    version: u32,
}

pub(crate) fn world(data: Value) -> World {
    World {
        serving: BTreeMap::new(),
        config_map: Some(json!({
            "metadata": {"name": "app", "uid": "u1", "resourceVersion": "70"},
            "data": data,
        })),
        staged: BTreeMap::new(),
        prepared: BTreeSet::new(),
        named: BTreeSet::new(),
        awaited: BTreeSet::new(),
        keyring: Keyring::new(&[7; 32], &[]).unwrap(),
        version: 0,
    }
}

impl World {
    pub(crate) fn input(&self) -> Input<'_> {
        Input {
            namespace: "shop",
            name: "app",
            serving: &self.serving,
            config_map: self.config_map.as_ref(),
            staged: &self.staged,
            prepared: &self.prepared,
            named: &self.named,
            awaited: &self.awaited,
            keyring: &self.keyring,
        }
    }

    /// Puts a value into the staged Secret of this number, and its placeholder into
    /// the ConfigMap.
    pub(crate) fn moves(&mut self, field: &Field, value: &[u8], number: u64) {
        let name = names::staged(number);
        let place = Place {
            namespace: "shop",
            owner: Owner::Named("app"),
            field,
            staged: &name,
        };
        let digest = self.keyring.digest(
            &place,
            value,
            Issue {
                at: 1,
                write: Write {
                    over: "",
                    by: "dev",
                },
            },
        );
        let text = Placeholder {
            secret: name.clone(),
            digest,
        };
        let text = crate::config_map::written(field.half, text.to_string().as_bytes());
        let object = self.config_map.as_mut().unwrap();
        object[field.half.member()][&field.key] = text.into();
        object["metadata"]["labels"] = json!({marks::MOVED: format!("{number}_{number}")});
        let data = BTreeMap::from([(field.key.clone(), Sensitive::new(value))]);
        let held = held(&Manifest::staged("shop", &name, "app", data), "1");
        self.staged.insert(name, held);
    }

    /// Plans, writes, and plans again: nothing is left to do.
    pub(crate) fn promoted(&mut self) -> Promotion {
        let first = plan(&self.input()).unwrap();
        for action in &first.actions {
            self.version += 1;
            match action {
                Action::Create(manifest) | Action::Update(manifest) => {
                    let held = held(manifest, &self.version.to_string());
                    let binary = names::serving("app", Half::Binary);
                    match held.name {
                        name if names::is_staged(&name) => {
                            let held = held_again(&held.data, &name);
                            self.staged.insert(name, held);
                        }
                        ref name if *name == binary => {
                            self.serving.insert(Half::Binary, held);
                        }
                        _ => {
                            self.serving.insert(Half::Text, held);
                        }
                    }
                }
                Action::Delete { name, .. } => {
                    self.serving.retain(|_, held| held.name != *name);
                }
            }
        }
        let again = plan(&self.input()).unwrap();
        assert_eq!(again.actions, []);
        assert_eq!(
            (&again.state, &again.problems),
            (&first.state, &first.problems)
        );
        first
    }

    fn served(&self, half: Half) -> BTreeMap<&str, &[u8]> {
        let data = self.serving[&half].data.iter();
        data.map(|(key, value)| (key.as_str(), value.expose()))
            .collect()
    }

    pub(crate) fn object(&mut self) -> &mut Value {
        self.config_map.as_mut().unwrap()
    }
}

fn held(manifest: &Manifest, version: &str) -> Held {
    let mut object = json!(manifest);
    object["metadata"]["uid"] = json!(format!("uid-{}", manifest.metadata.name));
    object["metadata"]["resourceVersion"] = version.into();
    Held::read(&object).unwrap()
}

fn held_again(data: &BTreeMap<String, Sensitive>, name: &str) -> Held {
    held(&Manifest::staged("shop", name, "app", data.clone()), "1")
}

#[test]
fn text_and_binary_are_served_apart_and_owned() {
    let mut world = world(json!({"user": "app"}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.moves(&Field::binary("p12"), &[0, 255], 2);
    let done = world.promoted();
    assert_eq!(
        world.served(Half::Text),
        BTreeMap::from([("password", b"hunter22".as_slice())])
    );
    assert_eq!(
        world.served(Half::Binary),
        BTreeMap::from([("p12", [0, 255].as_slice())])
    );
    assert_eq!(world.serving[&Half::Text].owner.as_deref(), Some("u1"));
    let object = world.object().clone();
    assert!(is_relocated(&object));
    assert!(is_promoted(&object, &done.state.unwrap(), &done.served));
}

#[test]
fn what_is_read_first_is_the_condition_of_the_write() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    assert!(matches!(
        plan(&world.input()).unwrap().actions[..],
        [Action::Create(_), ..]
    ));
    world.promoted();
    let at = world.serving[&Half::Text].resource_version.clone();
    world.moves(&Field::text("password"), b"hunter33", 2);
    let plan = plan(&world.input()).unwrap();
    let Action::Update(manifest) = &plan.actions[0] else {
        panic!("{plan:?}");
    };
    assert_eq!(manifest.metadata.resource_version, Some(at));
    assert!(!format!("{plan:?}").contains("hunter"));
}

#[test]
fn a_rotated_value_takes_the_place_and_lag_is_seen() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    let before = world.promoted();
    world.moves(&Field::text("password"), b"hunter33", 2);
    let lagging = before.state.unwrap();
    assert!(!is_promoted(world.object(), &lagging, &before.served));
    world.promoted();
    assert_eq!(world.served(Half::Text)["password"], b"hunter33");
}

#[test]
fn a_removed_key_leaves_an_empty_secret_that_tells_its_state() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.promoted();
    let old = world.object().clone();
    let mut gone = old.clone();
    gone["data"] = json!({});
    gone["metadata"]["labels"] = json!({marks::MOVED: "2_1"});
    world.config_map = Some(gone);
    let done = world.promoted();
    assert_eq!(world.served(Half::Text).len(), 0);
    assert!(!is_promoted(&old, &done.state.unwrap(), &done.served));
    // Even one that is absent is written: it keeps a slow promoter out.
    world.serving.clear();
    world.promoted();
    assert!(world.serving.contains_key(&Half::Text));
}

#[test]
fn where_nothing_has_moved_nothing_is_written_unless_pods_name_it() {
    let mut world = world(json!({"user": "app"}));
    assert_eq!(world.promoted().actions, []);
    assert!(!is_relocated(world.object()));
    world.named.insert(Half::Text);
    world.promoted();
    assert_eq!(world.serving.len(), 1);
}

#[test]
fn what_pods_await_is_served_whether_it_is_secret_or_not() {
    let mut world = world(json!({"user": "app"}));
    world.awaited = [
        Field::text("user"),
        Field::binary("password"),
        Field::text("none"),
    ]
    .into();
    world.moves(&Field::text("password"), b"hunter22", 1);
    let done = world.promoted();
    assert!(is_promoted(
        world.object(),
        &done.state.unwrap(),
        &done.served
    ));
    let value = |half, key: &str| world.served(half).get(key).cloned();
    assert_eq!(value(Half::Text, "user"), Some(&b"app"[..]));
    assert_eq!(value(Half::Binary, "password"), Some(&b"hunter22"[..]));
    assert_eq!(value(Half::Text, "none"), None);
    // It stays when the pods are gone, and follows the ConfigMap.
    world.awaited.clear();
    world.config_map.as_mut().unwrap()["data"]["user"] = json!("other");
    world.promoted();
    let value = |half, key: &str| world.served(half).get(key).cloned();
    assert_eq!(value(Half::Text, "user"), Some(&b"other"[..]));
    assert_eq!(value(Half::Binary, "password"), Some(&b"hunter22"[..]));
}

#[test]
fn a_config_map_that_is_gone_takes_its_secrets_along() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.promoted();
    let serving = world.serving[&Half::Text].clone();
    world.config_map = None;
    let done = world.promoted();
    assert_eq!(done.state, None);
    let deleted = done.actions.iter().find_map(|action| match action {
        Action::Delete {
            name,
            uid,
            resource_version,
        } if *name == serving.name => Some((uid.clone(), resource_version.clone())),
        _ => None,
    });
    assert_eq!(deleted, Some((serving.uid, serving.resource_version)));
}

#[test]
fn a_config_map_created_again_owns_its_secret_anew() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.promoted();
    world.object()["metadata"]["uid"] = "u2".into();
    world.promoted();
    assert_eq!(world.serving[&Half::Text].owner.as_deref(), Some("u2"));
}

#[test]
fn while_it_is_prepared_the_config_maps_own_value_is_served() {
    let mut world = world(json!({"password": "hunter22", "user": "app"}));
    world.prepared.insert(Field::text("password"));
    let done = world.promoted();
    assert_eq!(world.served(Half::Text)["password"], b"hunter22");
    assert_eq!(world.served(Half::Text).len(), 1);
    // Values can come back, so a pod waits for this very version.
    let (state, served) = (done.state.unwrap(), done.served);
    assert!(is_promoted(world.object(), &state, &served));
    world.object()["metadata"]["resourceVersion"] = "71".into();
    assert!(!is_promoted(world.object(), &state, &served));
    // What was served once is served on, as the ConfigMap has it.
    world.prepared.clear();
    world.object()["data"]["password"] = "hunter33".into();
    world.promoted();
    assert_eq!(world.served(Half::Text)["password"], b"hunter33");
    world.object()["data"] = json!({});
    world.promoted();
    assert_eq!(world.served(Half::Text).len(), 0);
}

#[test]
fn a_dangling_placeholder_is_told_and_the_rest_is_served() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.moves(&Field::text("token"), b"tok-12345", 2);
    world.staged.remove(&names::staged(1));
    let done = world.promoted();
    assert_eq!(
        world.served(Half::Text).keys().collect::<Vec<_>>(),
        [&"token"]
    );
    let (field, secret) = (Field::text("password"), names::staged(1));
    assert_eq!(done.problems, [Problem::Dangling { field, secret }]);
}

#[test]
fn a_staged_secret_that_somebody_deleted_is_made_again_of_what_is_served() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.promoted();
    let staged = world.staged.clone();
    world.staged.clear();
    assert_eq!(world.promoted().problems, []);
    assert_eq!(world.staged, staged);
}

#[test]
fn a_copied_placeholder_is_not_served() {
    let field = Field::text("password");
    for (member, text) in [("name", "other"), ("namespace", "bank")] {
        let mut world = world(json!({}));
        world.moves(&field, b"hunter22", 1);
        let input = match member {
            "name" => Input {
                name: text,
                ..world.input()
            },
            _ => Input {
                namespace: text,
                ..world.input()
            },
        };
        let done = plan(&input).unwrap();
        assert_eq!(done.served, BTreeSet::new());
        assert!(
            matches!(done.problems[..], [Problem::Unverified { .. }]),
            "{member}"
        );
    }
}

#[test]
fn when_the_keys_for_digests_are_lost_what_is_served_stays() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.promoted();
    world.keyring = Keyring::new(&[9; 32], &[]).unwrap();
    let done = world.promoted();
    assert_eq!((done.actions, done.problems), (vec![], vec![]));
    world.serving.clear();
    let done = world.promoted();
    assert!(matches!(done.problems[..], [Problem::Unverified { .. }]));
}

#[test]
fn a_secret_of_somebody_else_is_never_touched() {
    let mut world = world(json!({}));
    world.moves(&Field::text("password"), b"hunter22", 1);
    world.promoted();
    world.serving.get_mut(&Half::Text).unwrap().ours = false;
    world.moves(&Field::text("password"), b"hunter33", 2);
    let name = names::serving("app", Half::Text);
    let touches = |done: &Promotion| {
        done.actions.iter().any(|action| match action {
            Action::Create(manifest) | Action::Update(manifest) => manifest.metadata.name == name,
            Action::Delete { name: deleted, .. } => *deleted == name,
        })
    };
    let done = plan(&world.input()).unwrap();
    assert!(!touches(&done), "{done:?}");
    assert_eq!(done.state, None);
    let secret = name.clone();
    assert_eq!(done.problems, [Problem::Foreign { secret }]);
    world.config_map = None;
    assert!(!touches(&plan(&world.input()).unwrap()));
}

#[test]
fn a_generated_name_resolves() {
    let field = Field::text("password");
    let mut world = world(json!({}));
    world.moves(&field, b"hunter22", 1);
    let name = names::staged(1);
    let place = Place {
        namespace: "shop",
        owner: Owner::Generated("app-"),
        field: &field,
        staged: &name,
    };
    let digest = world.keyring.digest(
        &place,
        b"hunter22",
        Issue {
            at: 1,
            write: Write {
                over: "",
                by: "dev",
            },
        },
    );
    let text = Placeholder {
        secret: name.clone(),
        digest,
    }
    .to_string();
    let object = world.object();
    object["data"]["password"] = text.into();
    object["metadata"]["generateName"] = "app-".into();
    for (name, good) in [("app-x7k2m", true), ("app-mine", false)] {
        let done = plan(&Input {
            name,
            ..world.input()
        })
        .unwrap();
        assert_eq!(done.problems.is_empty(), good, "{name}");
    }
}
