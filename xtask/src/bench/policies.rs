//! The policies that are in force in a row.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::guest;

/// What the policies judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Pods and what makes them, by the programs of the pack.
    Workloads,
    /// ConfigMaps, by programs made for the bench.
    ConfigMaps,
}

/// Writes `count` policies to a folder of their own, no two of which are the
/// same program with the same settings. Each judges the whole of what is
/// sent, and finds nothing.
pub(crate) fn write(folder: &Path, judged: Judged, count: usize) -> Result<PathBuf> {
    let folder = folder.join(format!("{judged:?}-{count}"));
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let specs = match (judged, count) {
        (_, 0) => vec![elsewhere()],
        (Judged::Workloads, _) => (0..count).map(workload).collect(),
        (Judged::ConfigMaps, _) => (0..count)
            .map(|number| config_map(&folder, number))
            .collect::<Result<_>>()?,
    };
    for (number, spec) in specs.into_iter().enumerate() {
        let document = json!({
            "apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
            "metadata": {"name": format!("bench-{number}")}, "spec": spec,
        });
        std::fs::write(
            folder.join(format!("{number:02}.json")),
            document.to_string(),
        )?;
    }
    Ok(folder)
}

/// `serve` wants at least one policy: this one judges what is never sent.
fn elsewhere() -> Value {
    json!({
        "program": {"builtin": "image-tags"}, "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
            "resources": ["statefulsets"], "operations": ["CREATE"]}]},
    })
}

fn workload(number: usize) -> Value {
    let share = number / 3;
    let (program, settings) = match number % 3 {
        0 => (
            "image-tags",
            json!({"floatingWords": [format!("moving{share}")]}),
        ),
        1 => ("probes", json!({"minPeriod": 1 + share})),
        _ => (
            "resources",
            json!({"max": {"memory": format!("{}Gi", 8 + share)}}),
        ),
    };
    json!({"program": {"builtin": program}, "failurePolicy": "Fail", "settings": settings})
}

/// Every fourth is granted values and shown all 200 KB.
fn config_map(folder: &Path, number: usize) -> Result<Value> {
    let label = format!("object.metadata.labels[\"label-{number}\"]");
    let component = guest::component(number, &["object.data", "object.metadata.name", &label])?;
    let file = format!("{number:02}.wasm");
    std::fs::write(folder.join(&file), component)?;
    let grants = if number % 4 == 3 {
        json!(["values"])
    } else {
        json!([])
    };
    Ok(json!({"program": {"file": file}, "failurePolicy": "Fail", "grants": grants}))
}
