//! ConfigMaps: each payload by each verb, by a user and by an account who may
//! write ConfigMaps and no Secrets, and by one who may write both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::world::{World, maps};
use super::{Case, Wanted, merge};
use crate::asked::{Ask, Person, Verb};

const FORGED: Wanted = Wanted::Refused("was not issued for this ConfigMap");
const FORBIDDEN: Wanted = Wanted::Refused("may not create Secrets");

/// One that who tries has thought of himself.
const OWN: &str = "Ev3s0wn-Fq9Xt2Lk-thought";

const VERBS: [Verb; 5] = [
    Verb::Create,
    Verb::Replace,
    Verb::Merge,
    Verb::Json,
    Verb::Apply,
];

/// What is written, and what comes of it where a ConfigMap is created, and
/// where `app` is changed.
struct Payload {
    name: &'static str,
    fields: Value,
    created: Wanted,
    updated: Wanted,
}

fn payload(name: &'static str, fields: Value, created: Wanted, updated: Wanted) -> Payload {
    Payload {
        name,
        fields,
        created,
        updated,
    }
}

fn forged(name: &'static str, data: Value) -> Payload {
    payload(name, json!({"data": data}), FORGED, FORGED)
}

fn marks(annotations: Value) -> Value {
    json!({"metadata": {"annotations": annotations}})
}

pub(super) fn cases(world: &World) -> Vec<Case> {
    let (values, forgeries, marked) = (values(world), forgeries(world), marked(world));
    let mut cases = vec![];
    for (who, person, dry_run) in [("eve", &world.eve, false), ("robot", &world.robot, true)] {
        for payload in values.iter().chain(&forgeries).chain(&marked) {
            for verb in VERBS {
                cases.push(case(world, (who, person), verb, dry_run, payload));
            }
        }
    }
    // The right to create Secrets is none to forge.
    for payload in &forgeries {
        for verb in [Verb::Create, Verb::Merge] {
            cases.push(case(world, ("kay", &world.kay), verb, false, payload));
        }
    }
    cases.extend(elsewhere(world));
    cases
}

fn case(
    world: &World,
    (who, by): (&str, &Person),
    verb: Verb,
    dry_run: bool,
    payload: &Payload,
) -> Case {
    let name = format!("{who} {verb:?} {}", payload.name);
    let mut ask = match verb {
        Verb::Create => created(world, &payload.fields),
        Verb::Replace => {
            let mut object = world.app.clone();
            object["metadata"]["resourceVersion"] = Value::Null;
            merge(&mut object, &payload.fields);
            Ask::new(verb, app(world), object)
        }
        Verb::Json => Ask::new(verb, app(world), operations(&payload.fields)),
        Verb::Apply => {
            let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": "app"}});
            merge(&mut object, &payload.fields);
            Ask::new(verb, app(world), object)
        }
        _ => Ask::new(verb, app(world), payload.fields.clone()),
    };
    ask.dry_run = dry_run;
    let wanted = match verb {
        Verb::Create => payload.created,
        _ => payload.updated,
    };
    Case {
        name,
        by: by.clone(),
        ask,
        wanted,
    }
}

fn app(world: &World) -> String {
    format!("{}/app", maps(&world.home))
}

fn created(world: &World, fields: &Value) -> Ask {
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"generateName": "tried-"}});
    merge(&mut object, fields);
    Ask::new(Verb::Create, maps(&world.home), object)
}

/// The same as a JSON patch: an operation for each entry of a map.
fn operations(fields: &Value) -> Value {
    let mut operations = vec![];
    let mut add = |path: String, value: &Value| {
        operations.push(json!({"op": "add", "path": path, "value": value}));
    };
    let entries = |value: &Value| value.as_object().cloned().unwrap_or_default();
    for (member, value) in entries(fields) {
        match &*member {
            "metadata" => {
                for (member, value) in entries(&value) {
                    match value.as_object() {
                        None => add(format!("/metadata/{member}"), &value),
                        Some(map) => {
                            for (key, value) in map {
                                let key = key.replace('/', "~1");
                                add(format!("/metadata/{member}/{key}"), value);
                            }
                        }
                    }
                }
            }
            "data" | "binaryData" => {
                for (key, value) in entries(&value) {
                    add(format!("/{member}/{key}"), &value);
                }
            }
            _ => add(format!("/{member}"), &value),
        }
    }
    Value::Array(operations)
}

/// Values in clear.
fn values(world: &World) -> Vec<Payload> {
    let data = |data: Value| json!({"data": data});
    let binary =
        json!({"binaryData": {"new.env": STANDARD.encode(format!("DB_PASSWORD={OWN}\n"))}});
    let [_, right, ..] = super::world::VALUES;
    vec![
        payload(
            "a secret",
            data(json!({"NEW_PASSWORD": OWN})),
            FORBIDDEN,
            FORBIDDEN,
        ),
        payload("a binary secret", binary, FORBIDDEN, FORBIDDEN),
        payload(
            "a wrong guess",
            data(json!({"PASSWORD": OWN})),
            FORBIDDEN,
            FORBIDDEN,
        ),
        payload(
            "the right guess",
            data(json!({"PASSWORD": right})),
            FORBIDDEN,
            FORBIDDEN,
        ),
        payload(
            "no secret, where one was",
            data(json!({"PASSWORD": "info"})),
            Wanted::Allowed,
            FORBIDDEN,
        ),
        payload(
            "no secret",
            data(json!({"LOG_LEVEL": "info"})),
            Wanted::Allowed,
            Wanted::Allowed,
        ),
        payload(
            "what is there already",
            data(json!({"PASSWORD": world.of.password})),
            FORGED,
            Wanted::Allowed,
        ),
    ]
}

/// Placeholders that were issued for something else, or by nobody.
fn forgeries(world: &World) -> Vec<Payload> {
    let of = &world.of;
    let parts: Vec<&str> = of.password.split(':').collect();
    let [prefix, version, secret, digest] = parts[..] else {
        unreachable!("a placeholder has four parts");
    };
    let named = |secret: &str, digest: &str| format!("{prefix}:{version}:{secret}:{digest}");
    let strange = of.other_map.split(':').nth(2).expect("a Secret");
    let last = digest.len() - 1;
    let turned = match digest.ends_with('0') {
        true => format!("{}1", &digest[..last]),
        false => format!("{}0", &digest[..last]),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = format!("{:08x}{}", now.expect("after 1970").as_secs(), &digest[8..]);
    let binary = json!({"binaryData": {"COPY_PASSWORD": STANDARD.encode(&of.password)}});
    let password = |text: String| json!({"PASSWORD": text});
    vec![
        forged("a sibling's", password(of.token.clone())),
        forged(
            "a copy under another key",
            json!({"COPY_PASSWORD": of.password}),
        ),
        forged("a copy under a plain key", json!({"LOG_LEVEL": of.token})),
        forged("another map's", password(of.other_map.clone())),
        forged("another namespace's", password(of.other_namespace.clone())),
        forged("the one before", password(of.before.clone())),
        forged("another's Secret", password(named(strange, digest))),
        forged("a private Secret", password(named("private", digest))),
        forged(
            "a serving Secret",
            password(named("portcullis-moved-t-db", digest)),
        ),
        forged(
            "a Secret of nobody",
            password(named("portcullis-moved-s-0123456789abcdef", digest)),
        ),
        forged(
            "a dry run's",
            password(named("portcullis-moved-s-0000000000000000", digest)),
        ),
        forged("a short digest", password(named(secret, &digest[..last]))),
        forged("a changed digest", password(named(secret, &turned))),
        forged(
            "a long digest",
            password(named(secret, &format!("{digest}0"))),
        ),
        forged("capitals", password(named(secret, &digest.to_uppercase()))),
        forged("zeros", password(named(secret, &"0".repeat(digest.len())))),
        forged("another time", password(named(secret, &now))),
        forged(
            "no digest",
            password(format!("{prefix}:{version}:{secret}")),
        ),
        forged(
            "nothing but the beginning",
            password(format!("{prefix}:{version}:")),
        ),
        payload("binary", binary, FORGED, FORGED),
    ]
}

/// Labels, annotations and owners that are ours, or sound so.
fn marked(world: &World) -> Vec<Payload> {
    let secret = json!({"data": {"PASSWORD": OWN}});
    let with = |mut fields: Value, more: Value| {
        merge(&mut fields, &more);
        fields
    };
    let strange = json!({"data": {"PASSWORD": world.of.other_map}});
    let owned = json!({"metadata": {"ownerReferences": [{"apiVersion": "apps/v1",
        "kind": "Deployment", "name": "app", "uid": "00000000-0000-4000-8000-000000000000",
        "controller": true}]}});
    let copy = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"},
        "data": {"PASSWORD": world.of.other_map}});
    let applied = json!({"kubectl.kubernetes.io/last-applied-configuration": copy.to_string()});
    let restored = json!({"portcullis.dev/restored": super::PRESENT});
    let ours = json!({"portcullis.dev/config-map": "db", "portcullis.dev/state": "x",
        "portcullis.dev/made-from": "{\"PASSWORD\":null}"});
    let stage = json!({"portcullis.dev/stage": "Audit", "portcullis.dev/exempt": "true",
        "portcullis.dev/secrets": "keep"});
    let label = |name: &str, value: &str| json!({"metadata": {"labels": {name: value}}});
    let allowed = |name, fields| payload(name, fields, Wanted::Allowed, Wanted::Allowed);
    let refused = |name, fields| payload(name, fields, FORBIDDEN, FORBIDDEN);
    vec![
        allowed(
            "nothing moved, says the label",
            label("portcullis.dev/moved", "0_0"),
        ),
        allowed(
            "an epoch",
            label("portcullis.dev/moved", "0123456789abcdef_0"),
        ),
        allowed("a staged map", label("portcullis.dev/relocation", "staged")),
        allowed(
            "a serving map",
            label("portcullis.dev/relocation", "serving"),
        ),
        allowed("our annotations", marks(ours)),
        allowed("a forged copy", marks(applied)),
        refused(
            "a secret, and restored",
            with(secret.clone(), marks(restored.clone())),
        ),
        payload(
            "a forgery, and restored",
            with(strange.clone(), marks(restored)),
            FORGED,
            FORGED,
        ),
        refused("a secret, and a stage", with(secret.clone(), marks(stage))),
        payload(
            "a forgery, and an owner",
            with(strange, owned.clone()),
            FORGED,
            FORGED,
        ),
        // Of what somebody owns nothing is moved; what was, stays.
        payload(
            "a secret, and an owner",
            with(secret.clone(), owned),
            Wanted::Allowed,
            FORBIDDEN,
        ),
        refused(
            "a secret, for ever",
            with(secret, json!({"immutable": true})),
        ),
    ]
}

/// Who may create Secrets gets one for what is his, each time another.
pub(super) fn of_kay(world: &World) -> Vec<Case> {
    let name = |number: usize| {
        json!({"metadata": {"generateName": "kays-"},
        "data": {"PASSWORD": format!("{OWN}-{number}")}})
    };
    let case = |number| Case {
        name: format!("kay creates {number}"),
        by: world.kay.clone(),
        ask: created(world, &name(number)),
        wanted: Wanted::Moved,
    };
    (0..3).map(case).collect()
}

/// Placeholders of `home` in namespaces where Ned may do everything.
fn elsewhere(world: &World) -> Vec<Case> {
    let mut cases = vec![];
    let texts = [
        ("a password", &world.of.password),
        ("a token", &world.of.token),
        ("the one before", &world.of.before),
        ("another map's", &world.of.other_map),
    ];
    let places = [
        ("other", &world.other, FORGED),
        // Nobody looks there, and nobody moves there.
        ("plain", &world.plain, Wanted::Allowed),
        ("home", &world.home, Wanted::Refused("cannot create")),
    ];
    for (place, namespace, wanted) in places {
        for (what, text) in texts {
            for dry_run in [false, true] {
                let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
                    "metadata": {"generateName": "neds-"}, "data": {"PASSWORD": text}});
                let mut ask = Ask::new(Verb::Create, maps(namespace), object);
                ask.dry_run = dry_run;
                cases.push(Case {
                    name: format!("ned in {place}, {what}, dry run {dry_run}"),
                    by: world.ned.clone(),
                    ask,
                    wanted,
                });
            }
        }
    }
    cases
}
