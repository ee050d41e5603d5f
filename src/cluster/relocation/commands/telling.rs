//! `portcullis secrets status`.

use anyhow::{Context, Result};
use kube::api::{Api, DynamicObject, ListParams};
use kube::{Client, ResourceExt};

use crate::cluster::relocation::resource;

/// What was moved, as a table: a line for each Relocation, and what is wrong
/// below it.
///
/// # Errors
///
/// What the API server says.
pub async fn status(client: &Client, namespace: Option<&str>) -> Result<String> {
    let kind = resource::resource();
    let all: Api<DynamicObject> = match namespace {
        Some(namespace) => resource::within(client, namespace),
        None => Api::all_with(client.clone(), &kind),
    };
    let list = all.list(&ListParams::default()).await;
    let list = list.context("Relocations (`portcullis crd` defines them)")?;
    if list.items.is_empty() {
        return Ok("nothing is moved, and nothing is on its way\n".to_owned());
    }
    let mut rows = vec![["CONFIGMAP", "STAGE", "STATE", "KEYS", "USED BY"].map(str::to_owned)];
    let mut wrong = Vec::new();
    for one in &list.items {
        let (spec, status) = (resource::spec(one), resource::status(one));
        let place = format!("{}/{}", one.namespace().unwrap_or_default(), one.name_any());
        if !status.message.is_empty() {
            wrong.push(format!("{place}: {}", status.message));
        }
        rows.push([
            place,
            format!("{:?}", spec.stage),
            shown(&status.state),
            shown(&status.keys.join(",")),
            shown(&status.used_by.join(",")),
        ]);
    }
    Ok(table(&rows)
        + &wrong
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>())
}

fn shown(text: &str) -> String {
    match text {
        "" => "-".to_owned(),
        text => text.to_owned(),
    }
}

fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: Vec<usize> = (0..N)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
