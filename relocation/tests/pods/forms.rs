//! Which forms a case has, so that none is forgotten.

use std::collections::BTreeSet;

use portcullis_relocation::kubelet::{World, resolve};
use portcullis_relocation::names;
use serde_json::Value;

use super::cases::Case;

/// All of them.
pub(crate) const ALL: [&str; 31] = [
    "variable moved",
    "variable not moved",
    "variable moved, optional",
    "variable of a missing ConfigMap, optional",
    "variable of binary data",
    "variable twice",
    "variable with a reference",
    "envFrom moved",
    "envFrom not moved",
    "envFrom of a missing ConfigMap, optional",
    "envFrom with a prefix",
    "envFrom between others",
    "volume whole",
    "volume whole, required",
    "volume whole, optional",
    "volume whole, binary required",
    "volume split",
    "volume moved whole",
    "volume as it was",
    "volume with a path twice",
    "projected whole",
    "projected split",
    "projected between others",
    "mode of an item",
    "subPath",
    "subPathExpr",
    "long name",
    "init and ephemeral containers",
    "a container that natively waits",
    "a container that starts",
    "a placeholder would show",
];

/// Those of a case, some of which only the rewritten pod shows.
pub(crate) fn of(
    case: &Case,
    after: &Value,
    natively: &World,
    relocated: &World,
) -> BTreeSet<&'static str> {
    let mut forms = BTreeSet::new();
    for kind in ["initContainers", "containers", "ephemeralContainers"] {
        let before = list(&case.pod["spec"][kind]);
        for (before, after) in before.iter().zip(list(&after["spec"][kind])) {
            variables(case, list(&before["env"]), list(&after["env"]), &mut forms);
            whole_environments(
                case,
                list(&before["envFrom"]),
                list(&after["envFrom"]),
                &mut forms,
            );
            for mount in list(&before["volumeMounts"]) {
                note(&mut forms, "subPath", mount["subPath"].is_string());
                note(&mut forms, "subPathExpr", mount["subPathExpr"].is_string());
            }
        }
    }
    let volumes = list(&case.pod["spec"]["volumes"]).iter();
    for (before, after) in volumes.zip(list(&after["spec"]["volumes"])) {
        native_volume(&before["configMap"], after, &mut forms);
        projected(&before["projected"], &after["projected"], &mut forms);
    }
    let has = |kind: &str| !list(&case.pod["spec"][kind]).is_empty();
    note(
        &mut forms,
        "init and ephemeral containers",
        has("initContainers") && has("ephemeralContainers"),
    );
    let is_long = after.to_string().contains("portcullis-moved-tx-");
    note(&mut forms, "long name", is_long);
    let natively = resolve(&case.pod, natively);
    let starts = |(_, given): (&String, &Result<_, _>)| given.is_ok();
    note(
        &mut forms,
        "a container that natively waits",
        !natively.iter().all(starts),
    );
    note(
        &mut forms,
        "a container that starts",
        natively.iter().any(starts),
    );
    let plain = resolve(&case.pod, relocated);
    note(
        &mut forms,
        "a placeholder would show",
        plain != natively && plain.iter().any(starts),
    );
    forms
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn note(forms: &mut BTreeSet<&'static str>, form: &'static str, is_there: bool) {
    if is_there {
        forms.insert(form);
    }
}

fn exists(case: &Case, reference: &Value) -> bool {
    reference["name"]
        .as_str()
        .is_some_and(|name| case.maps.contains_key(name))
}

fn is_ours(reference: &Value) -> bool {
    reference["name"].as_str().is_some_and(names::is_reserved)
}

fn variables(case: &Case, before: &[Value], after: &[Value], forms: &mut BTreeSet<&'static str>) {
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        let (author, ours) = (
            &before["valueFrom"]["configMapKeyRef"],
            &after["valueFrom"]["secretKeyRef"],
        );
        let is_optional = author["optional"] == true;
        note(forms, "variable moved", is_ours(ours));
        note(
            forms,
            "variable moved, optional",
            is_ours(ours) && is_optional,
        );
        note(
            forms,
            "variable not moved",
            exists(case, author) && !is_ours(ours),
        );
        let is_missing = author.is_object() && !exists(case, author);
        note(
            forms,
            "variable of a missing ConfigMap, optional",
            is_missing && is_optional,
        );
        let map = author["name"].as_str().and_then(|name| case.maps.get(name));
        let key = author["key"].as_str().unwrap_or_default();
        let is_binary = map.is_some_and(|map| map.clear.binary.contains_key(key));
        note(forms, "variable of binary data", is_binary);
        let has_moved = after["valueFrom"].is_null() && at > 0;
        let refers = before["value"]
            .as_str()
            .is_some_and(|value| value.contains("$("));
        note(forms, "variable with a reference", has_moved && refers);
    }
    let names: BTreeSet<_> = before
        .iter()
        .map(|entry| entry["name"].to_string())
        .collect();
    note(forms, "variable twice", names.len() < before.len());
}

fn whole_environments(
    case: &Case,
    before: &[Value],
    after: &[Value],
    forms: &mut BTreeSet<&'static str>,
) {
    for (at, entry) in after.iter().enumerate() {
        let ours = &entry["secretRef"];
        if !is_ours(ours) {
            continue;
        }
        let author = &after[at - 1]["configMapRef"];
        let is_required = ours["optional"].is_null();
        note(forms, "envFrom moved", is_required);
        note(
            forms,
            "envFrom not moved",
            exists(case, author) && !is_required,
        );
        let is_missing = !exists(case, author) && author["optional"] == true;
        note(
            forms,
            "envFrom of a missing ConfigMap, optional",
            is_missing,
        );
        note(
            forms,
            "envFrom with a prefix",
            entry["prefix"].is_string() && is_required,
        );
        note(
            forms,
            "envFrom between others",
            is_required && before.len() > 1 && at + 1 < after.len(),
        );
    }
}

fn native_volume(before: &Value, after: &Value, forms: &mut BTreeSet<&'static str>) {
    if !before.is_object() {
        return;
    }
    let sources = list(&after["projected"]["sources"]);
    let has_map = sources.iter().any(|source| source["configMap"].is_object());
    let items = list(&before["items"]);
    if items.is_empty() {
        let is_required = |mark: &str| {
            sources.iter().any(|source| {
                let name = source["secret"]["name"].as_str().unwrap_or_default();
                name.starts_with(mark) && source["secret"]["optional"].is_null()
            })
        };
        note(forms, "volume whole", after["projected"].is_object());
        note(
            forms,
            "volume whole, required",
            is_required("portcullis-moved-t"),
        );
        note(
            forms,
            "volume whole, binary required",
            is_required("portcullis-moved-b"),
        );
        note(forms, "volume whole, optional", before["optional"] == true);
        return;
    }
    note(forms, "volume as it was", after["configMap"].is_object());
    note(forms, "volume split", sources.len() > 1 && has_map);
    note(forms, "volume moved whole", !sources.is_empty() && !has_map);
    note(
        forms,
        "mode of an item",
        !sources.is_empty() && items.iter().any(|item| item["mode"].is_number()),
    );
    let paths: BTreeSet<_> = items.iter().map(|item| item["path"].to_string()).collect();
    note(
        forms,
        "volume with a path twice",
        paths.len() < items.len() && !sources.is_empty(),
    );
}

fn projected(before: &Value, after: &Value, forms: &mut BTreeSet<&'static str>) {
    let (before, after) = (list(&before["sources"]), list(&after["sources"]));
    if before.is_empty() {
        return;
    }
    let ours = |source: &Value| is_ours(&source["secret"]);
    let is_split = after
        .iter()
        .any(|source| ours(source) && !source["secret"]["items"].is_null());
    let is_whole = after
        .iter()
        .any(|source| ours(source) && source["secret"]["items"].is_null());
    note(forms, "projected split", is_split);
    note(forms, "projected whole", is_whole);
    let ends = after.first().zip(after.last());
    let is_between = ends.is_some_and(|(first, last)| !ours(first) && !ours(last));
    note(
        forms,
        "projected between others",
        after.iter().any(ours) && is_between && before.len() > 1,
    );
}
