//! Volumes, and what a container sees of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ConfigMap, Failure, File, Files, World, expand, field, is_optional, list, text};

/// What the API server writes where a volume has no mode.
const DEFAULT_MODE: i64 = 0o644;

/// The files of all volumes that a container mounts, by the volume's name;
/// nothing for kinds that are not modelled.
pub(super) fn volumes(
    pod: &Value,
    containers: &[&Value],
    world: &World,
) -> Result<BTreeMap<String, Files>, Failure> {
    let mounts = containers.iter().flat_map(|one| list(&one["volumeMounts"]));
    let mounted: Vec<&Value> = mounts.map(|mount| &mount["name"]).collect();
    let mut volumes = BTreeMap::new();
    for volume in list(&pod["spec"]["volumes"]) {
        if !mounted.contains(&&volume["name"]) {
            continue;
        }
        let name = text(&volume["name"]).to_owned();
        let written = payload(pod, volume, world).and_then(write);
        let files = written.map_err(|cause| Failure::Volume {
            volume: name.clone(),
            cause,
        })?;
        volumes.insert(name, files);
    }
    Ok(volumes)
}

/// Files by their paths as they are written in the pod.
fn payload(pod: &Value, volume: &Value, world: &World) -> Result<Files, String> {
    for kind in ["configMap", "secret", "projected"] {
        let source = &volume[kind];
        if source.is_null() {
            continue;
        }
        let mode = source["defaultMode"].as_i64().unwrap_or(DEFAULT_MODE);
        return match kind {
            "configMap" => of_config_map(source, mode, world),
            "secret" => of_secret(source, "secretName", mode, world),
            _ => projected(pod, source, mode, world),
        };
    }
    Ok(Files::new())
}

/// Sources in order; the last one wins where paths are the same.
fn projected(pod: &Value, volume: &Value, mode: i64, world: &World) -> Result<Files, String> {
    let mut files = Files::new();
    for source in list(&volume["sources"]) {
        if !source["configMap"].is_null() {
            files.extend(of_config_map(&source["configMap"], mode, world)?);
        } else if !source["secret"].is_null() {
            files.extend(of_secret(&source["secret"], "name", mode, world)?);
        }
        for item in list(&source["downwardAPI"]["items"]) {
            let value = field(pod, text(&item["fieldRef"]["fieldPath"]));
            let content = value.map_err(|failure| failure.to_string())?.into_bytes();
            let mode = item["mode"].as_i64().unwrap_or(mode);
            files.insert(text(&item["path"]).to_owned(), File { mode, content });
        }
    }
    Ok(files)
}

fn of_config_map(source: &Value, mode: i64, world: &World) -> Result<Files, String> {
    let all = world.config_maps.get(text(&source["name"])).map(|map| {
        let ConfigMap { text, binary } = map.clone();
        let text = text
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes()));
        text.chain(binary).collect()
    });
    select(source, all, mode)
}

fn of_secret(source: &Value, name: &str, mode: i64, world: &World) -> Result<Files, String> {
    let all = world.secrets.get(text(&source[name]));
    select(source, all.cloned(), mode)
}

/// All keys, or those of `items`; of two items with one path, the later one
/// whose key is there.
fn select(
    source: &Value,
    all: Option<BTreeMap<String, Vec<u8>>>,
    mode: i64,
) -> Result<Files, String> {
    let is_optional = is_optional(source);
    let all = match all {
        None if !is_optional => return Err("the object is not there".to_owned()),
        all => all.unwrap_or_default(),
    };
    let items = list(&source["items"]);
    if items.is_empty() {
        let files = all.into_iter();
        return Ok(files
            .map(|(key, content)| (key, File { mode, content }))
            .collect());
    }
    let mut files = Files::new();
    for item in items {
        match all.get(text(&item["key"])) {
            Some(content) => {
                let mode = item["mode"].as_i64().unwrap_or(mode);
                let content = content.clone();
                files.insert(text(&item["path"]).to_owned(), File { mode, content });
            }
            None if is_optional => {}
            None => return Err(format!("key {} is not there", item["key"])),
        }
    }
    Ok(files)
}

/// Files as they are on disk: by clean paths, none of which is a folder of
/// another. Which one of several spellings of a path wins is left to chance.
fn write(payload: Files) -> Result<Files, String> {
    let files: Files = payload
        .into_iter()
        .map(|(path, file)| (clean(&path), file))
        .collect();
    let is_folder = |path: &&String| {
        let folder = format!("{path}/");
        files.keys().any(|other| other.starts_with(&folder))
    };
    match files.keys().find(is_folder) {
        Some(path) => Err(format!("{path} is a file and a folder")),
        None => Ok(files),
    }
}

/// A path without empty parts and dots.
fn clean(path: &str) -> String {
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// What is at each mount of a container.
pub(super) fn mounts(
    container: &Value,
    volumes: &BTreeMap<String, Files>,
    environment: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Files>, Failure> {
    let mut mounts = BTreeMap::new();
    for mount in list(&container["volumeMounts"]) {
        let Some(files) = volumes.get(text(&mount["name"])) else {
            continue;
        };
        let path = sub_path(mount, environment)?;
        let below = below(files, &clean(&path))?;
        mounts.insert(text(&mount["mountPath"]).to_owned(), below);
    }
    Ok(mounts)
}

/// `subPath`, or `subPathExpr` with its references, all of which there must be.
/// An empty variable is none here, unlike elsewhere (so the kubelet taught).
fn sub_path(mount: &Value, environment: &BTreeMap<String, String>) -> Result<String, Failure> {
    let expression = text(&mount["subPathExpr"]);
    if expression.is_empty() {
        return Ok(text(&mount["subPath"]).to_owned());
    }
    let missing = std::cell::RefCell::new(vec![]);
    let path = expand(expression, |name| {
        let value = environment.get(name).filter(|value| !value.is_empty());
        if value.is_none() {
            missing.borrow_mut().push(name.to_owned());
        }
        value.cloned()
    });
    let wrong = |cause: String| {
        Err(Failure::Config(format!(
            "subPathExpr {expression}: {cause}"
        )))
    };
    match missing.into_inner().first() {
        Some(name) => wrong(format!("{name} is not set")),
        None if path.starts_with('/') => wrong("an absolute path".to_owned()),
        None if path.split('/').any(|part| part == "..") => wrong("'..' in it".to_owned()),
        None => Ok(path),
    }
}

/// A folder, an empty one if it is not there yet, or one file.
fn below(files: &Files, path: &str) -> Result<Files, Failure> {
    if path.is_empty() {
        return Ok(files.clone());
    }
    if let Some(file) = files.get(path) {
        return Ok([(String::new(), file.clone())].into());
    }
    let is_above = |file: &&String| path.starts_with(&format!("{file}/"));
    if let Some(file) = files.keys().find(is_above) {
        return Err(Failure::Config(format!("subPath {path}: {file} is a file")));
    }
    let folder = format!("{path}/");
    let inside = files.iter().filter_map(|(name, file)| {
        let name = name.strip_prefix(&folder)?;
        Some((name.to_owned(), file.clone()))
    });
    Ok(inside.collect())
}
