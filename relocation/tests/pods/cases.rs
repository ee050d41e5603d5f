//! Random pods with ConfigMaps and Secrets, in all the forms that the API has.
//! The cluster's tests use this file, too.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_relocation::kubelet::{self, World};
use portcullis_relocation::names::{self, Half};
use portcullis_relocation::pod::{Known, Maps, Reader, config_maps};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// What stands in the ConfigMap for a value that has moved.
const PLACEHOLDER: &str = "<moved-to-secret:elsewhere>";

/// One pod and what it refers to.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The ConfigMaps that exist, in clear.
    pub(crate) maps: BTreeMap<String, Map>,
    /// The author's Secrets.
    pub(crate) secrets: BTreeMap<String, kubelet::Secret>,
    /// As its author wrote it.
    pub(crate) pod: Value,
}

/// A ConfigMap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map {
    pub(crate) clear: kubelet::ConfigMap,
    /// Keys that have moved.
    pub(crate) moved: BTreeSet<String>,
    /// Keys that will have moved later: these and more.
    pub(crate) later: BTreeSet<String>,
    /// Serving Secrets that are there whatever they hold.
    lasting: BTreeSet<Half>,
}

/// A runner that makes the same cases for the same seed.
pub(crate) fn runner(seed: u64, cases: u32) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// One of them.
#[allow(dead_code, reason = "the property tests draw by themselves")]
pub(crate) fn draw(runner: &mut TestRunner, strategy: &BoxedStrategy<Case>) -> Case {
    strategy.new_tree(runner).expect("a case").current()
}

impl Case {
    /// The ConfigMaps as nothing had ever moved.
    pub(crate) fn native(&self) -> World {
        self.world_of(|_| BTreeSet::new(), |_| BTreeSet::new())
    }

    /// Placeholders for these keys, and serving Secrets with their values.
    pub(crate) fn world(&self, moved: impl Fn(&Map) -> BTreeSet<String>) -> World {
        self.world_of(&moved, &moved)
    }

    /// Placeholders for some keys, and serving Secrets for some. A Secret that is
    /// there stays there as long as its ConfigMap, be it empty.
    pub(crate) fn world_of(
        &self,
        redacted: impl Fn(&Map) -> BTreeSet<String>,
        served: impl Fn(&Map) -> BTreeSet<String>,
    ) -> World {
        let mut world = World {
            secrets: self.secrets.clone(),
            services: services(),
            ..World::default()
        };
        for (name, map) in &self.maps {
            let (served, lasting) = (served(map), &map.lasting);
            for half in [Half::Text, Half::Binary] {
                let secret = map.served(half, &served);
                if !secret.is_empty() || lasting.contains(&half) {
                    world.secrets.insert(names::serving(name, half), secret);
                }
            }
            world
                .config_maps
                .insert(name.clone(), map.redacted(&redacted(map)));
        }
        world
    }

    /// The same later: without one of its ConfigMaps, or without some keys of all
    /// of them, whose serving Secrets then stay.
    #[allow(dead_code, reason = "the cluster's tests do not take that long")]
    pub(crate) fn aged(&self, lost: &str) -> Case {
        let mut aged = self.clone();
        aged.maps.remove(lost);
        for map in aged.maps.values_mut() {
            let halves = [Half::Text, Half::Binary].into_iter();
            map.lasting = halves
                .filter(|half| !map.served(*half, &map.moved).is_empty())
                .collect();
            map.clear.text.remove(lost);
            map.clear.binary.remove(lost);
        }
        aged
    }

    /// The same, and what a rewritten pod reads in serving Secrets by name, as
    /// promotion serves it.
    #[allow(dead_code, reason = "the cluster has a real promotion")]
    pub(crate) fn with_awaited(&self, pod: &Value, mut world: World) -> World {
        for (name, map) in &self.maps {
            for field in Reader::of(pod).awaited(name) {
                let text = map.clear.text.get(&field.key).map(|text| text.as_bytes());
                let value = match field.half {
                    Half::Text => text,
                    Half::Binary => text.or(map.clear.binary.get(&field.key).map(Vec::as_slice)),
                };
                let secret = names::serving(name, field.half);
                let secret = world.secrets.entry(secret).or_default();
                if let Some(value) = value {
                    secret.insert(field.key, value.to_vec());
                }
            }
        }
        world
    }

    /// What the webhook knows while these keys have moved.
    pub(crate) fn known(&self, moved: impl Fn(&Map) -> BTreeSet<String>) -> Maps {
        let named = config_maps(&self.pod).into_keys();
        let mut maps: Maps = named.map(|name| (name, Known::default())).collect();
        for (name, map) in &self.maps {
            let moved = moved(map);
            let of = |keys: BTreeSet<String>| keys.intersection(&moved).cloned().collect();
            let (text, binary) = (map.keys(Half::Text), map.keys(Half::Binary));
            let known = Known {
                exists: true,
                keys: text.union(&binary).cloned().collect(),
                text: of(text),
                binary: of(binary),
            };
            maps.insert(name.clone(), known);
        }
        maps
    }
}

impl Case {
    /// Most pods are to start: what is missing becomes optional, and no file is
    /// a folder.
    fn mend(&mut self) {
        let mut pod = std::mem::take(&mut self.pod);
        references(&mut pod["spec"], "", &mut |reference| {
            let items = reference.get_mut("items").and_then(Value::as_array_mut);
            for item in items.into_iter().flatten() {
                if item["path"] == "d/y" {
                    item["path"] = json!("e/y");
                }
            }
            if self.is_missing(reference) {
                reference["optional"] = json!(true);
            }
        });
        self.pod = pod;
    }

    /// The same pod with the ConfigMaps and Secrets of another case, all with a
    /// prefix to their names, so that many can be in one namespace.
    #[allow(dead_code, reason = "for the cluster")]
    pub(crate) fn among(mut self, others: &Case, prefix: &str) -> Case {
        self.maps = others.maps.clone();
        self.secrets = others.secrets.clone();
        self.mend();
        let prefixed = |name: &str| format!("{prefix}{name}");
        references(&mut self.pod["spec"], "", &mut |reference| {
            for field in ["name", "secretName"] {
                if let Some(name) = reference[field].as_str() {
                    reference[field] = json!(prefixed(name));
                }
            }
        });
        self.maps = self
            .maps
            .into_iter()
            .map(|(name, map)| (prefixed(&name), map))
            .collect();
        let secrets = self.secrets.into_iter();
        self.secrets = secrets
            .map(|(name, secret)| (prefixed(&name), secret))
            .collect();
        self
    }

    /// Whether something that a reference names is not there.
    fn is_missing(&self, reference: &Value) -> bool {
        let name = reference["name"]
            .as_str()
            .or(reference["secretName"].as_str());
        let name = name.unwrap_or_default();
        let is_variable = reference["key"].is_string();
        let keys = match (self.maps.get(name), self.secrets.get(name)) {
            (Some(map), _) if is_variable => map.keys(Half::Text),
            (Some(map), _) => &map.keys(Half::Text) | &map.keys(Half::Binary),
            (None, Some(secret)) => secret.keys().cloned().collect(),
            (None, None) => return true,
        };
        let items = reference["items"].as_array().into_iter().flatten();
        let mut named = items.chain(is_variable.then_some(reference));
        named.any(|one| !keys.contains(one["key"].as_str().unwrap_or_default()))
    }
}

/// Visits every reference to a ConfigMap or Secret.
fn references(value: &mut Value, field: &str, visit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Array(elements) => {
            for element in elements {
                references(element, field, visit);
            }
        }
        Value::Object(fields) => {
            for (field, value) in fields.iter_mut() {
                references(value, field, visit);
            }
            if field.starts_with("configMap") || field.starts_with("secret") {
                visit(value);
            }
        }
        _ => {}
    }
}

impl Map {
    fn keys(&self, half: Half) -> BTreeSet<String> {
        match half {
            Half::Text => self.clear.text.keys().cloned().collect(),
            Half::Binary => self.clear.binary.keys().cloned().collect(),
        }
    }

    /// The values of one half that its serving Secret holds.
    fn served(&self, half: Half, keys: &BTreeSet<String>) -> kubelet::Secret {
        let all = match half {
            Half::Binary => self.clear.binary.clone(),
            Half::Text => {
                let text = self.clear.text.iter();
                text.map(|(key, value)| (key.clone(), value.clone().into_bytes()))
                    .collect()
            }
        };
        all.into_iter()
            .filter(|(key, _)| keys.contains(key))
            .collect()
    }

    /// The ConfigMap without these values.
    fn redacted(&self, keys: &BTreeSet<String>) -> kubelet::ConfigMap {
        let mut redacted = self.clear.clone();
        for key in keys {
            if let Some(value) = redacted.text.get_mut(key) {
                *value = PLACEHOLDER.to_owned();
            }
            if let Some(value) = redacted.binary.get_mut(key) {
                *value = PLACEHOLDER.into();
            }
        }
        redacted
    }
}

/// The variables that a Service brings.
fn services() -> BTreeMap<String, String> {
    let port = ("KUBERNETES_SERVICE_PORT", "443");
    [("KUBERNETES_SERVICE_HOST", "10.96.0.1"), port]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// ConfigMaps that pods name; the last but one is never there, and the last one
/// has a name too long for its serving Secrets to show.
static NAMES: std::sync::LazyLock<[String; 4]> = std::sync::LazyLock::new(|| {
    let long = format!("long-{}", "m".repeat(230));
    ["app".into(), "db.v1".into(), "absent".into(), long]
});
const OWN: &str = "own";
const KEYS: [&str; 6] = ["A", "B", "C", "d", "x.y", "0z"];
const PATHS: [&str; 7] = ["A", "B", "p", "q", "d", "d/y", "deep/er/z"];
const VARIABLES: [&str; 6] = ["A", "B", "C", "X", "P_A", "SUB"];
const ODD: [&str; 9] = [
    "",
    "$(A)",
    "$$(B)",
    "a\nb=c",
    "h\u{e9} \u{1f512}",
    "sub",
    "deep/er",
    "..",
    "/abs",
];
const PARTS: [&str; 9] = [
    "$(A)",
    "$(B)",
    "$(X)",
    "$$(A)",
    "$(NO)",
    "$(KUBERNETES_SERVICE_HOST)",
    "-",
    "$",
    "$(",
];
const FIELDS: [&str; 2] = ["metadata.labels['tier']", "metadata.annotations['note']"];
const SUB_PATHS: [&str; 7] = ["A", "d", "p", "deep", "deep/er", "x.y", "nowhere"];
const EXPRESSIONS: [&str; 5] = ["$(SUB)", "$(A)", "$(X)", "d$(NO)", "$(C)/er"];
const MODES: [i64; 5] = [0o644, 0o400, 0o600, 0o444, 0o755];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![2 => select(&ODD[..]).prop_map(str::to_owned), 3 => "[a-z]{1,6}"]
}

/// What a person writes: with references to variables.
fn literal() -> impl Strategy<Value = String> {
    vec(select(&PARTS[..]), 0..4).prop_map(|parts| parts.concat())
}

fn map() -> impl Strategy<Value = Map> {
    let value = (text(), vec(any::<u8>(), 0..6), 0..6_u8, 0..4_u8);
    btree_map(select(&KEYS[..]), value, 0..6).prop_map(|values| {
        let mut map = Map::default();
        for (key, (text, bytes, kind, stage)) in values {
            let key = key.to_owned();
            match kind {
                0 | 1 => drop(map.clear.binary.insert(key.clone(), bytes)),
                _ => drop(map.clear.text.insert(key.clone(), text)),
            }
            if stage < 2 {
                map.moved.insert(key.clone());
            }
            if stage < 3 {
                map.later.insert(key);
            }
        }
        map
    })
}

fn optional() -> impl Strategy<Value = Value> {
    prop_oneof![3 => Just(Value::Null), 2 => Just(json!(true)), 1 => Just(json!(false))]
}

/// A field, unless it is null.
fn with(mut value: Value, name: &str, field: Value) -> Value {
    if !field.is_null() {
        value[name] = field;
    }
    value
}

/// Rather those that exist.
fn named() -> impl Strategy<Value = String> {
    (0..10_usize).prop_map(|at| NAMES[[0, 0, 0, 0, 1, 1, 1, 2, 3, 3][at]].clone())
}

fn variable() -> impl Strategy<Value = Value> {
    let key_of = |field: &'static str, name: BoxedStrategy<String>| {
        (name, select(&KEYS[..]), optional()).prop_map(move |(name, key, optional)| {
            let reference = with(json!({"name": name, "key": key}), "optional", optional);
            json!({"valueFrom": {field: reference}})
        })
    };
    prop_oneof![
        3 => literal().prop_map(|value| json!({"value": value})),
        6 => key_of("configMapKeyRef", named().boxed()),
        1 => key_of("secretKeyRef", Just(OWN.to_owned()).boxed()),
        1 => select(&FIELDS[..]).prop_map(|path| json!({"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})),
    ]
}

fn variables() -> impl Strategy<Value = Value> {
    let names = subsequence(&VARIABLES[..], 0..5).prop_shuffle();
    (
        names,
        vec(variable(), 6),
        option::weighted(0.1, any::<Index>()),
    )
        .prop_map(|(mut names, values, twice)| {
            if let Some(twice) = twice.filter(|_| !names.is_empty()) {
                names.push(*twice.get(&names));
            }
            let named = |(name, value): (&str, Value)| with(value, "name", json!(name));
            names.into_iter().zip(values).map(named).collect()
        })
}

fn whole_environments() -> impl Strategy<Value = Value> {
    let own = optional().prop_map(
        |optional| json!({"secretRef": with(json!({"name": OWN}), "optional", optional)}),
    );
    let config_map = (named(), optional()).prop_map(|(name, optional)| {
        json!({"configMapRef": with(json!({"name": name}), "optional", optional)})
    });
    let source = prop_oneof![1 => own, 4 => config_map];
    let entry = (source, option::weighted(0.3, Just("P_"))).prop_map(|(source, prefix)| {
        with(
            source,
            "prefix",
            prefix.map_or(Value::Null, |prefix| json!(prefix)),
        )
    });
    vec(entry, 0..4).prop_map(Value::from)
}

fn items() -> impl Strategy<Value = Value> {
    let mode = option::weighted(0.3, select(&MODES[..]));
    let item = (select(&KEYS[..]), select(&PATHS[..]), mode).prop_map(|(key, path, mode)| {
        let item = json!({"key": key, "path": path});
        with(item, "mode", mode.map_or(Value::Null, |mode| json!(mode)))
    });
    let some = (vec(item, 1..4), 0..5_u8).prop_map(|(mut items, luck)| {
        if luck == 0 {
            let path = items[0]["path"].clone();
            items
                .last_mut()
                .expect("one")
                .as_object_mut()
                .expect("an item")
                .insert("path".into(), path);
        }
        Value::from(items)
    });
    prop_oneof![Just(Value::Null), some]
}

/// A ConfigMap or Secret as the source of files.
fn source(
    name: impl Strategy<Value = String>,
    field: &'static str,
) -> impl Strategy<Value = Value> {
    (name, items(), optional()).prop_map(move |(name, items, optional)| {
        with(
            with(json!({field: name}), "items", items),
            "optional",
            optional,
        )
    })
}

fn projected() -> impl Strategy<Value = Value> {
    let own = || source(Just(OWN.to_owned()), "name").prop_map(|own| json!({"secret": own}));
    let config_map = source(named(), "name").prop_map(|map| json!({"configMap": map}));
    let field = json!({"path": "tier", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.labels['tier']"}});
    let downward = json!({"downwardAPI": {"items": [field]}});
    let one = prop_oneof![1 => own(), 4 => config_map, 1 => Just(downward)];
    vec(one, 1..4).prop_map(|sources| json!({"sources": without_conflicts(sources)}))
}

/// The API server takes each path once.
fn without_conflicts(mut sources: Vec<Value>) -> Vec<Value> {
    let mut paths = BTreeSet::new();
    sources.retain_mut(|source| {
        let Some(source) = source
            .as_object_mut()
            .and_then(|fields| fields.values_mut().next())
        else {
            return false;
        };
        let Some(items) = source.get_mut("items").and_then(Value::as_array_mut) else {
            return true;
        };
        items.retain(|item| paths.insert(item["path"].to_string()));
        !items.is_empty()
    });
    sources
}

fn volume() -> impl Strategy<Value = Value> {
    let mode = option::weighted(0.4, select(&MODES[..]));
    let kind = prop_oneof![
        5 => source(named(), "name").prop_map(|source| ("configMap", source)),
        4 => projected().prop_map(|source| ("projected", source)),
        1 => source(Just(OWN.to_owned()), "secretName").prop_map(|source| ("secret", source)),
        1 => Just(("emptyDir", json!({}))),
    ];
    (kind, mode).prop_map(|((kind, source), mode)| {
        let mode = mode.filter(|_| kind != "emptyDir");
        // As the API server writes it where there is none.
        let mode = if kind == "emptyDir" {
            Value::Null
        } else {
            json!(mode.unwrap_or(0o644))
        };
        json!({kind: with(source, "defaultMode", mode)})
    })
}

fn mounts(volumes: usize) -> impl Strategy<Value = Value> {
    let none = Just(json!({})).boxed();
    let part = prop_oneof![
        4 => none,
        3 => select(&SUB_PATHS[..]).prop_map(|path| json!({"subPath": path})),
        1 => select(&EXPRESSIONS[..]).prop_map(|path| json!({"subPathExpr": path})),
    ];
    vec((any::<Index>(), part), 0..5).prop_map(move |mounts| {
        if volumes == 0 {
            return json!([]);
        }
        let mounts = mounts.into_iter().enumerate().map(|(at, (volume, part))| {
            let name = json!(format!("v{}", volume.index(volumes)));
            with(
                with(part, "name", name),
                "mountPath",
                json!(format!("/m/{at}")),
            )
        });
        mounts.collect()
    })
}

fn container(volumes: usize) -> impl Strategy<Value = Value> {
    let words = || vec(literal(), 0..3);
    let parts = (
        variables(),
        whole_environments(),
        mounts(volumes),
        words(),
        words(),
    );
    parts.prop_map(|(env, env_from, mounts, command, arguments)| {
        json!({
            "image": "example.org/app:1",
            "command": command,
            "args": arguments,
            "env": env,
            "envFrom": env_from,
            "volumeMounts": mounts,
        })
    })
}

/// What a container is besides.
const INIT: &str = "initContainers";
const MAIN: &str = "containers";
const EPHEMERAL: &str = "ephemeralContainers";

fn containers(volumes: usize) -> impl Strategy<Value = Value> {
    let some = move |most| vec(container(volumes), 0..most);
    (
        some(3),
        vec(container(volumes), 1..3),
        some(2),
        any::<bool>(),
    )
        .prop_map(|(init, main, ephemeral, is_sidecar)| {
            let numbered = |prefix: &'static str, all: Vec<Value>| -> Value {
                let all = all.into_iter().enumerate();
                all.map(|(at, one)| with(one, "name", json!(format!("{prefix}{at}"))))
                    .collect()
            };
            let mut spec = json!({
                INIT: numbered("init", init),
                MAIN: numbered("main", main),
                EPHEMERAL: numbered("debug", ephemeral),
            });
            if let Some(last) = spec[INIT].as_array_mut().and_then(|all| all.last_mut())
                && is_sidecar
            {
                last["restartPolicy"] = json!("Always");
            }
            spec
        })
}

fn pod() -> impl Strategy<Value = Value> {
    vec(volume(), 0..5).prop_flat_map(|volumes| {
        containers(volumes.len()).prop_map(move |containers| {
            let volumes = volumes.iter().enumerate();
            let volumes =
                volumes.map(|(at, one)| with(one.clone(), "name", json!(format!("v{at}"))));
            let mut spec = containers;
            spec["volumes"] = volumes.collect();
            spec["automountServiceAccountToken"] = json!(false);
            json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "pod", "namespace": "here", "labels": {"tier": "front"}, "annotations": {"note": "a\nb"}},
                "spec": spec,
            })
        })
    })
}

/// A pod with what it refers to.
pub(crate) fn cases() -> BoxedStrategy<Case> {
    let exists = |all: [Option<Map>; 3]| {
        let names = [&NAMES[0], &NAMES[1], &NAMES[3]];
        let named = names.into_iter().zip(all);
        named
            .filter_map(|(name, map)| Some((name.clone(), map?)))
            .collect()
    };
    let one = || option::weighted(0.85, map());
    let own = btree_map(select(&KEYS[..]), text(), 0..6).prop_map(|data| {
        let data = data.into_iter();
        data.map(|(key, value)| (key.to_owned(), value.into_bytes()))
            .collect()
    });
    ([one(), one(), one()], own, pod(), 0..8_u8)
        .prop_map(move |(maps, own, pod, luck)| {
            let mut case = Case {
                maps: exists(maps),
                secrets: [(OWN.to_owned(), own)].into(),
                pod,
            };
            if luck > 0 {
                case.mend();
            }
            case
        })
        .boxed()
}
