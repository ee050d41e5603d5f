//! What reaches the API server's admission when a manifest is applied again: the
//! manifest and the stored pod, merged.

use serde_json::{Value, json};

/// Each way, and the pod that it makes of manifest and stored pod.
pub(crate) fn all(manifest: &Value, stored: &Value) -> Vec<(&'static str, Value)> {
    let mut labelled = stored.clone();
    labelled["spec"] = stored["spec"].clone();
    let mut all = vec![
        ("replaced by the manifest", manifest.clone()),
        ("as stored", labelled),
    ];
    if has_unique_names(manifest) {
        all.push((
            "applied by the client",
            merged(manifest, stored, keeps_only),
        ));
        all.push((
            "applied by the server",
            merged(manifest, stored, keeps_both),
        ));
    }
    all
}

/// Lists are merged by names, which a list of variables may have twice.
fn has_unique_names(pod: &Value) -> bool {
    containers(pod).all(|container| {
        let env = container["env"].as_array().into_iter().flatten();
        let mut names: Vec<_> = env.map(|entry| entry["name"].to_string()).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        names.len() == count
    })
}

const KINDS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    KINDS
        .into_iter()
        .flat_map(|kind| pod["spec"][kind].as_array().into_iter().flatten())
}

/// Of a volume, a client-side patch keeps the kinds of the manifest.
fn keeps_only(volume: &mut Value, stored: &Value) {
    if volume["projected"].is_object() {
        keeps_both(volume, stored);
    }
}

/// The server keeps what somebody else wrote. Lists of sources are whole.
fn keeps_both(volume: &mut Value, stored: &Value) {
    if volume["projected"].is_null() && !stored["projected"].is_null() {
        volume["projected"] = stored["projected"].clone();
    }
}

fn merged(manifest: &Value, stored: &Value, volume: fn(&mut Value, &Value)) -> Value {
    let mut merged = manifest.clone();
    for kind in KINDS {
        each(
            &mut merged["spec"][kind],
            &stored["spec"][kind],
            |container, stored| {
                each(&mut container["env"], &stored["env"], |entry, stored| {
                    let secret = &stored["valueFrom"]["secretKeyRef"];
                    if !secret.is_null() {
                        entry["valueFrom"]["secretKeyRef"] = secret.clone();
                    }
                });
            },
        );
    }
    each(
        &mut merged["spec"]["volumes"],
        &stored["spec"]["volumes"],
        volume,
    );
    merged
}

/// Elements with those of the same name.
fn each(list: &mut Value, stored: &Value, merge: impl Fn(&mut Value, &Value)) {
    let null = json!(null);
    for element in list.as_array_mut().into_iter().flatten() {
        let stored = stored.as_array().into_iter().flatten();
        let same = stored
            .clone()
            .find(|stored| stored["name"] == element["name"]);
        merge(element, same.unwrap_or(&null));
    }
}
