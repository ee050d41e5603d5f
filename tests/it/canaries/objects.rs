//! Objects that hold canaries, twenty each.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::values::Canary;

/// Canaries of one object.
const EACH: usize = 20;

/// Where a canary is: one place for all of an object.
const PLACES: [&str; 10] = [
    "ConfigMap, under a key",
    "ConfigMap, in a YAML file",
    "ConfigMap, in a list of variables",
    "ConfigMap, in a JSON file",
    "ConfigMap, in binaryData",
    "Secret, data",
    "Secret, stringData",
    "Deployment, env",
    "Deployment, args",
    "Deployment, script",
];

/// An object, and which canaries are in it.
pub(super) struct Placed {
    pub(super) place: &'static str,
    pub(super) object: Value,
    pub(super) canaries: std::ops::Range<usize>,
}

/// Where the canary of this number is.
pub(super) fn place(index: usize) -> &'static str {
    PLACES[index / EACH % PLACES.len()]
}

/// All objects.
pub(super) fn holding(canaries: &[Canary]) -> Vec<Placed> {
    let chunks = canaries.chunks(EACH).enumerate();
    let place = |(number, chunk): (usize, &[Canary])| Placed {
        place: place(number * EACH),
        object: object(number, chunk),
        canaries: number * EACH..number * EACH + chunk.len(),
    };
    chunks.map(place).collect()
}

fn object(number: usize, canaries: &[Canary]) -> Value {
    let name = format!("canaries-{number}");
    let entries = |entry: fn(&Canary) -> String, key: &str| -> Value {
        let entries = canaries.iter().enumerate();
        entries
            .map(|(n, canary)| (format!("{n}{key}"), Value::from(entry(canary))))
            .collect()
    };
    let text = |canary: &Canary| canary.text.clone();
    match number % PLACES.len() {
        0 => config_map(
            &name,
            &json!({"data": entries(text, "-password")}),
            canaries,
        ),
        1 => config_map(&name, &json!({"data": entries(yaml, ".yaml")}), canaries),
        2 => config_map(
            &name,
            &json!({"data": entries(variables, ".env")}),
            canaries,
        ),
        3 => config_map(&name, &json!({"data": entries(file, ".json")}), canaries),
        4 => {
            let encoded = |canary: &Canary| STANDARD.encode(yaml(canary));
            config_map(
                &name,
                &json!({"binaryData": entries(encoded, ".yaml")}),
                canaries,
            )
        }
        5 => {
            let encoded = |canary: &Canary| STANDARD.encode(&canary.text);
            secret(&name, &json!({"data": entries(encoded, "-password")}))
        }
        6 => secret(&name, &json!({"stringData": entries(text, "-password")})),
        7 => deployment(&name, &with_env(canaries)),
        8 => deployment(&name, &with_args(canaries)),
        _ => deployment(&name, &with_scripts(canaries)),
    }
}

fn with(name: &str, kind: (&str, &str), members: &Value) -> Value {
    let mut object = json!({"apiVersion": kind.0, "kind": kind.1,
        "metadata": {"name": name, "namespace": "shop"}});
    for (member, value) in members.as_object().expect("members") {
        object[member] = value.clone();
    }
    object
}

/// Tools keep a copy of the whole object in an annotation.
fn config_map(name: &str, members: &Value, canaries: &[Canary]) -> Value {
    let mut object = with(name, ("v1", "ConfigMap"), members);
    let copy = json!({"data": {"password": canaries[0].text}}).to_string();
    object["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": copy});
    object
}

fn secret(name: &str, members: &Value) -> Value {
    with(name, ("v1", "Secret"), members)
}

fn deployment(name: &str, container: &Value) -> Value {
    let template =
        json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}});
    let spec = json!({"selector": {"matchLabels": {"app": name}}, "template": template});
    with(name, ("apps/v1", "Deployment"), &json!({"spec": spec}))
}

fn yaml(canary: &Canary) -> String {
    let text = serde_json::to_string(&canary.text).expect("JSON");
    format!("server:\n  port: 8080\ndatabase:\n  user: app\n  password: {text}\n")
}

fn variables(canary: &Canary) -> String {
    let text = serde_json::to_string(&canary.text).expect("JSON");
    format!("LOG_LEVEL=debug\nDB_PASSWORD={text}\n")
}

fn file(canary: &Canary) -> String {
    let file = json!({"server": {"port": 8080}, "database": {"password": canary.text}});
    serde_json::to_string_pretty(&file).expect("JSON")
}

fn with_env(canaries: &[Canary]) -> Value {
    let env = canaries.iter().enumerate();
    let env =
        env.map(|(n, canary)| json!({"name": format!("DB_{n}_PASSWORD"), "value": canary.text}));
    json!({"name": "web", "image": "web:latest", "env": env.collect::<Vec<_>>()})
}

fn with_args(canaries: &[Canary]) -> Value {
    let mut args = Vec::new();
    for (n, canary) in canaries.iter().enumerate() {
        match n % 2 {
            0 => args.push(format!("--db-password={}", canary.text)),
            _ => args.extend(["--db-password".to_owned(), canary.text.clone()]),
        }
    }
    json!({"name": "web", "image": "web:latest", "args": args})
}

fn with_scripts(canaries: &[Canary]) -> Value {
    let script = |canary: &Canary| format!("set -e\nexport DB_PASSWORD='{}'\nrun\n", canary.text);
    let mut command = vec!["sh".to_owned(), "-c".to_owned()];
    command.extend(canaries.iter().map(script));
    json!({"name": "web", "image": "web:latest", "command": command})
}
