//! Where pods use a ConfigMap, and how they would use a Secret.

use portcullis_contract::pod;
use serde_json::{Value, json};

use super::{Change, Moved};
use crate::finding::Identity;

/// Lists of containers in a pod's spec.
pub(super) const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// One place where a pod uses ConfigMaps: an entry of `env`, the list
/// `envFrom`, or a volume. None of them holds a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    object: Identity,
    /// JSON Pointer to it.
    path: String,
    /// As it is written.
    value: Value,
}

/// The places where an object's pods use ConfigMaps.
pub fn uses(object: &Value) -> Vec<Use> {
    let Some(view) = pod::view(object) else {
        return vec![];
    };
    let who = crate::judge::identity(object);
    let mut found = Vec::new();
    let mut add = |path: String, value: &Value| {
        found.push(Use {
            object: who.clone(),
            path,
            value: value.clone(),
        });
    };
    let spec = &view.template["spec"];
    for list in CONTAINERS {
        for (index, container) in elements(&spec[list]) {
            let place = format!("{}/spec/{list}/{index}", view.path);
            for (entry, env) in elements(&container["env"]) {
                if env.pointer("/valueFrom/configMapKeyRef").is_some() {
                    add(format!("{place}/env/{entry}"), env);
                }
            }
            if elements(&container["envFrom"]).any(|(_, from)| from.get("configMapRef").is_some()) {
                add(format!("{place}/envFrom"), &container["envFrom"]);
            }
        }
    }
    for (index, volume) in elements(&spec["volumes"]) {
        let is_projected = elements(&volume["projected"]["sources"])
            .any(|(_, source)| source.get("configMap").is_some());
        if is_projected || volume.get("configMap").is_some() {
            add(format!("{}/spec/volumes/{index}", view.path), volume);
        }
    }
    found
}

pub(super) fn elements(list: &Value) -> impl Iterator<Item = (usize, &Value)> {
    list.as_array().into_iter().flatten().enumerate()
}

impl Use {
    /// What should stand there once these keys are in a Secret; None if that
    /// is what stands there.
    pub(super) fn changed(&self, moved: &Moved) -> Option<Change> {
        let namespace = |of: &Identity| of.namespace.clone().unwrap_or_else(|| "default".into());
        if namespace(&self.object) != namespace(&moved.object) {
            return None;
        }
        let value = match &self.value {
            Value::Array(sources) => env_from(sources, moved),
            entry if entry.get("valueFrom").is_some() => env(entry, moved),
            volume if volume.get("configMap").is_some() => self::volume(volume, moved),
            volume => projected(volume, moved),
        };
        Some(Change {
            object: self.object.clone(),
            path: self.path.clone(),
            value: value?,
        })
    }
}

fn names(reference: &Value, moved: &Moved) -> bool {
    reference["name"].as_str() == Some(moved.object.name.as_str())
}

fn env(entry: &Value, moved: &Moved) -> Option<Value> {
    let reference = entry.pointer("/valueFrom/configMapKeyRef")?;
    let key = reference["key"].as_str()?;
    if !names(reference, moved) || !moved.keys.iter().any(|known| known == key) {
        return None;
    }
    let mut to = json!({"name": moved.secret_name(), "key": key});
    keep(reference, &mut to, "optional");
    Some(json!({"name": entry["name"], "valueFrom": {"secretKeyRef": to}}))
}

/// The whole list: the Secret comes after the ConfigMap, or in its place.
fn env_from(sources: &[Value], moved: &Moved) -> Option<Value> {
    let is_it = |source: &Value| {
        source
            .get("configMapRef")
            .is_some_and(|to| names(to, moved))
    };
    if !sources.iter().any(is_it) {
        return None;
    }
    let changed = sources.iter().flat_map(|source| {
        let mut added = None;
        if is_it(source) {
            let mut to = json!({"secretRef": {"name": moved.secret_name()}});
            keep(source, &mut to, "prefix");
            added = Some(to);
        }
        let stays = added.is_none() || moved.has_more;
        stays.then(|| source.clone()).into_iter().chain(added)
    });
    Some(changed.collect())
}

/// A volume of one source becomes one of two, at the same path.
fn volume(volume: &Value, moved: &Moved) -> Option<Value> {
    let map = &volume["configMap"];
    let mut sources = sources(map, moved)?;
    let mut changed = json!({"name": volume["name"]});
    if sources.len() == 1 {
        let mut secret = sources.remove(0)["secret"].take();
        secret["secretName"] = secret["name"].take();
        if let Some(members) = secret.as_object_mut() {
            members.remove("name");
        }
        keep(map, &mut secret, "defaultMode");
        changed["secret"] = secret;
    } else {
        let mut projected = json!({"sources": sources});
        keep(map, &mut projected, "defaultMode");
        changed["projected"] = projected;
    }
    Some(changed)
}

fn projected(volume: &Value, moved: &Moved) -> Option<Value> {
    let mut changed = volume.clone();
    let list = changed.pointer_mut("/projected/sources")?.as_array_mut()?;
    let before = list.clone();
    *list = before
        .iter()
        .flat_map(|source| match source.get("configMap") {
            Some(map) => sources(map, moved).unwrap_or_else(|| vec![source.clone()]),
            None => vec![source.clone()],
        })
        .collect();
    (*list != before).then_some(changed)
}

/// The sources of a projected volume that take the place of a ConfigMap.
fn sources(map: &Value, moved: &Moved) -> Option<Vec<Value>> {
    if !names(map, moved) {
        return None;
    }
    let mut secret = json!({"name": moved.secret_name()});
    keep(map, &mut secret, "optional");
    let mut rest = json!({"name": moved.object.name});
    keep(map, &mut rest, "optional");
    let mut has_rest = moved.has_more;
    if let Some(items) = map["items"].as_array() {
        let is_moved = |item: &&Value| {
            let key = item["key"].as_str();
            moved.keys.iter().any(|moved| Some(moved.as_str()) == key)
        };
        let (of_secret, others): (Vec<&Value>, Vec<&Value>) = items.iter().partition(is_moved);
        if of_secret.is_empty() {
            return None;
        }
        has_rest = !others.is_empty();
        secret["items"] = json!(of_secret);
        rest["items"] = json!(others);
    }
    let rest = has_rest.then(|| json!({"configMap": rest}));
    Some(
        rest.into_iter()
            .chain([json!({"secret": secret})])
            .collect(),
    )
}

/// Every way to use what has moved, as parts of a pod: a variable of each key
/// that is named like one, all of them, and files.
pub(super) fn example(moved: &Moved, secret: &Value) -> Value {
    let to = moved.secret_name();
    let map = json!({"name": moved.object.name});
    let volume = self::volume(&json!({"name": "config", "configMap": map}), moved);
    let mut example = json!({"volumes": [volume]});
    // `binaryData` never reaches the environment.
    let texts = secret["stringData"].as_object().into_iter().flatten();
    let variable = |key: &String| json!({"name": key, "valueFrom": {"secretKeyRef": {"name": to, "key": key}}});
    let names = texts.map(|(key, _)| key).filter(|key| is_variable(key));
    let env: Vec<Value> = names.map(variable).collect();
    if !env.is_empty() {
        example["env"] = env.into();
        let sources = [json!({"configMapRef": map})];
        example["envFrom"] = env_from(&sources, moved).unwrap_or_default();
    }
    example
}

/// What a shell can name.
fn is_variable(key: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    key.starts_with(is_letter) && key.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

fn keep(from: &Value, to: &mut Value, member: &str) {
    if let Some(value) = from.get(member) {
        to[member] = value.clone();
    }
}
