//! How a pod reads ConfigMaps, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::Maps;
use super::form::{self, CONTAINERS, list};
use super::owners::Owners;
use super::sites::{Form, sites};

/// One way in which a pod reads a ConfigMap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// A variable that names a key.
    Env,
    /// All keys as variables.
    EnvFrom,
    /// Files that change while the pod runs.
    Volume,
    /// Files that never change while the pod runs.
    SubPath,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Env => "env",
            How::EnvFrom => "envFrom",
            How::Volume => "volume",
            How::SubPath => "subPath",
        })
    }
}

/// The ways in which a pod, or a template of one, reads each ConfigMap, and what
/// it reads so: a key, or None for all.
pub fn readings(pod: &Value) -> BTreeMap<String, BTreeSet<(How, Option<String>)>> {
    let owners = Owners::of([Some(pod), None], &Maps::new());
    let mut found = BTreeMap::<String, BTreeSet<_>>::new();
    for site in sites(pod) {
        let ways = match site.form {
            Form::Env(_) => vec![How::Env],
            Form::EnvFrom(..) => vec![How::EnvFrom],
            Form::Volume(volume) => mounted(pod, form::name(volume)),
        };
        for (config_map, key) in site.reads(&owners) {
            let ways = ways.iter().map(|how| (*how, key.clone()));
            found.entry(config_map).or_default().extend(ways);
        }
    }
    found
}

/// The ways in which containers mount a volume.
fn mounted(pod: &Value, volume: &str) -> Vec<How> {
    let containers = CONTAINERS.iter().flat_map(|kind| list(&pod["spec"][kind]));
    let mounts = containers.flat_map(|container| list(&container["volumeMounts"]));
    let of_volume = mounts.filter(|mount| form::name(mount) == volume);
    let ways: BTreeSet<How> = of_volume
        .map(|mount| {
            match (
                form::text(mount, "subPath"),
                form::text(mount, "subPathExpr"),
            ) {
                ("", "") => How::Volume,
                _ => How::SubPath,
            }
        })
        .collect();
    match ways.is_empty() {
        true => vec![How::Volume],
        false => ways.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_is_told_and_what_it_reads() {
        let pod = json!({"spec": {
        "initContainers": [{"name": "i", "volumeMounts": [
            {"name": "items", "mountPath": "/x", "subPath": "p"}]}],
        "containers": [{"name": "a",
            "envFrom": [{"configMapRef": {"name": "app"}}],
            "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "K"}}}],
            "volumeMounts": [{"name": "items", "mountPath": "/y"}]}],
        "volumes": [
            {"name": "items", "configMap": {"name": "app", "items": [{"key": "K", "path": "p"}]}},
            {"name": "unmounted", "configMap": {"name": "other"}},
        ]}});
        let key = || Some("K".to_owned());
        let app = [
            (How::Env, key()),
            (How::EnvFrom, None),
            (How::Volume, key()),
            (How::SubPath, key()),
        ];
        let expected = BTreeMap::from([
            ("app".to_owned(), BTreeSet::from(app)),
            ("other".to_owned(), BTreeSet::from([(How::Volume, None)])),
        ]);
        assert_eq!(readings(&pod), expected);
    }
}
