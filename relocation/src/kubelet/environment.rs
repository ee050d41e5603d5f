//! The environment of a container: `envFrom` in order, then `env` in order,
//! later ones winning, then what Services bring and nobody set.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Failure, World, expand, field, is_optional, list, text};

type Environment = BTreeMap<String, String>;

pub(super) fn of(pod: &Value, container: &Value, world: &World) -> Result<Environment, Failure> {
    let mut environment = Environment::new();
    for source in list(&container["envFrom"]) {
        let prefix = text(&source["prefix"]);
        for (key, value) in whole(source, world)? {
            let name = format!("{prefix}{key}");
            if !world.is_strict || is_name(&name) {
                environment.insert(name, value);
            }
        }
    }
    for variable in list(&container["env"]) {
        let known = |name: &str| {
            let known = environment.get(name).or_else(|| world.services.get(name));
            known.cloned()
        };
        let value = match text(&variable["value"]) {
            "" => one(pod, &variable["valueFrom"], world)?,
            value => Some(expand(value, known)),
        };
        // An optional one that is missing leaves what `envFrom` brought.
        if let Some(value) = value {
            environment.insert(text(&variable["name"]).to_owned(), value);
        }
    }
    for (name, value) in &world.services {
        environment
            .entry(name.clone())
            .or_insert_with(|| value.clone());
    }
    Ok(environment)
}

/// All that an element of `envFrom` brings. `binaryData` never becomes a
/// variable; any Secret does.
fn whole(source: &Value, world: &World) -> Result<Vec<(String, String)>, Failure> {
    let (config_map, secret) = (&source["configMapRef"], &source["secretRef"]);
    let (reference, found) = if !config_map.is_null() {
        let found = world.config_maps.get(text(&config_map["name"]));
        (
            config_map,
            found.map(|map| map.text.clone().into_iter().collect()),
        )
    } else {
        let found = world.secrets.get(text(&secret["name"]));
        let pairs = |data: &super::Secret| {
            let pairs = data.iter().map(|(key, value)| (key.clone(), lossy(value)));
            pairs.collect()
        };
        (secret, found.map(pairs))
    };
    match found {
        None if is_optional(reference) => Ok(vec![]),
        None => Err(missing(reference)),
        Some(pairs) => Ok(pairs),
    }
}

/// The value of a variable; none for an optional one that is missing.
fn one(pod: &Value, from: &Value, world: &World) -> Result<Option<String>, Failure> {
    if !from["fieldRef"].is_null() {
        return field(pod, text(&from["fieldRef"]["fieldPath"])).map(Some);
    }
    let (config_map, secret) = (&from["configMapKeyRef"], &from["secretKeyRef"]);
    let (reference, found) = if !config_map.is_null() {
        let found = world.config_maps.get(text(&config_map["name"]));
        let value = found.and_then(|map| map.text.get(text(&config_map["key"])));
        (config_map, value.cloned())
    } else if !secret.is_null() {
        let found = world.secrets.get(text(&secret["name"]));
        let value = found.and_then(|data| data.get(text(&secret["key"])));
        (secret, value.map(|value| lossy(value)))
    } else {
        return Ok(Some(String::new()));
    };
    match found {
        None if is_optional(reference) => Ok(None),
        None => Err(missing(reference)),
        found => Ok(found),
    }
}

fn missing(reference: &Value) -> Failure {
    let (name, key) = (text(&reference["name"]), text(&reference["key"]));
    Failure::Config(format!("{name} or its key {key:?} is not there"))
}

/// Variables are texts; the tests' are all UTF-8.
fn lossy(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// What a variable could be called before any printable ASCII was allowed.
fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '.' | '_');
    let is_later = |c: char| is_first(c) || c.is_ascii_digit();
    name.starts_with(is_first)
        && name.chars().all(is_later)
        && name != "."
        && !name.starts_with("..")
}
