//! Who enrols a namespace, and who says how far a ConfigMap is.

use serde_json::{Value, json};

use super::world::World;
use super::{Case, Wanted, merge};
use crate::asked::{Ask, Verb};

const KEPT: Wanted = Wanted::Refused("decides where secrets are kept");
const LABEL: &str = "portcullis.dev/secrets";

pub(super) fn cases(world: &World) -> Vec<Case> {
    let mut cases = vec![];
    let changes = [
        ("takes out", &world.home, Value::Null),
        ("says no to", &world.home, json!("")),
        ("says maybe to", &world.home, json!("maybe")),
        ("takes over", &world.other, Value::Null),
        ("enrols", &world.plain, json!("move")),
    ];
    for (what, namespace, value) in &changes {
        for part in ["", "/status", "/finalize"] {
            cases.extend(labelled(world, (what, namespace, value), part));
        }
    }
    let name = format!("{}-new", world.home);
    let new = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {(LABEL): "move"}}});
    cases.push(Case {
        name: "nan creates an enrolled one".to_owned(),
        by: world.nan.clone(),
        ask: Ask::new(Verb::Create, "/api/v1/namespaces", new),
        wanted: KEPT,
    });
    cases.extend(relocations(world));
    cases
}

fn labelled(
    world: &World,
    (what, namespace, value): (&str, &String, &Value),
    part: &str,
) -> Vec<Case> {
    let labels = json!({"metadata": {"labels": {LABEL: value}}});
    let one = format!("/api/v1/namespaces/{namespace}");
    let path = format!("{one}{part}");
    let mut object = world.asker.get(&one);
    object["metadata"]["resourceVersion"] = Value::Null;
    object["metadata"]["managedFields"] = Value::Null;
    merge(&mut object, &labels);
    let mut applied = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace}});
    merge(&mut applied, &labels);
    let operation = match value {
        Value::Null => {
            json!([{"op": "remove", "path": "/metadata/labels/portcullis.dev~1secrets"}])
        }
        value => json!([{"op": "add", "path": "/metadata/labels/portcullis.dev~1secrets",
            "value": value}]),
    };
    let mut asks = vec![Ask::new(Verb::Replace, path.clone(), object)];
    // `finalize` takes nothing but a whole object.
    if part != "/finalize" {
        asks.push(Ask::new(Verb::Merge, path.clone(), labels));
        asks.push(Ask::new(Verb::Json, path.clone(), operation));
        // What an apply leaves away stays with who set it.
        if !value.is_null() {
            asks.push(Ask::new(Verb::Apply, path, applied));
        }
    }
    let mut cases = vec![];
    for ask in asks {
        for dry_run in [false, true] {
            cases.push(Case {
                name: format!("nan {what} {namespace}{part} {:?} {dry_run}", ask.verb),
                by: world.nan.clone(),
                ask: Ask {
                    dry_run,
                    ..ask.clone()
                },
                wanted: KEPT,
            });
        }
    }
    cases
}

/// Stages and states, by those who may read them.
fn relocations(world: &World) -> Vec<Case> {
    let all = format!(
        "/apis/portcullis.dev/v1alpha1/namespaces/{}/relocations",
        world.home
    );
    let object = |name: &str, stage: &str| {
        json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "Relocation",
            "metadata": {"name": name}, "spec": {"stage": stage, "keys": ["LOG_LEVEL"]}})
    };
    let told = json!({"status": {"state": "Served", "keys": ["data.LD_PRELOAD"], "served": "x"}});
    let one = format!("{all}/app");
    let audit = json!({"spec": {"stage": "Audit"}});
    let mut cases = vec![];
    let people = [
        ("eve", &world.eve),
        ("robot", &world.robot),
        ("pat", &world.pat),
        ("kay", &world.kay),
        ("ned", &world.ned),
    ];
    for (who, by) in people {
        let tries = [
            (
                "creates",
                Ask::new(Verb::Create, all.clone(), object("mine", "Prepare")),
            ),
            ("audits", Ask::new(Verb::Merge, one.clone(), audit.clone())),
            (
                "applies",
                Ask::new(Verb::Apply, one.clone(), object("app", "Audit")),
            ),
            (
                "says served",
                Ask::new(Verb::Merge, format!("{one}/status"), told.clone()),
            ),
            ("deletes", Ask::new(Verb::Delete, one.clone(), Value::Null)),
        ];
        for (what, ask) in tries {
            cases.push(Case {
                name: format!("{who} {what} a Relocation"),
                by: by.clone(),
                ask,
                wanted: Wanted::Refused("cannot"),
            });
        }
    }
    cases
}
