//! A value that is moved: it comes, is applied again, changes, and goes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{OTHER, Stage, VALUE, config_map, get, kubectl, served};
use crate::policies::eventually;

const PLACEHOLDER: &str = "moved-secret:v1:portcullis-moved-s-";

/// The staged Secrets of a namespace, by name.
fn staged(namespace: &str) -> Vec<Value> {
    let select = [
        "get",
        "secrets",
        "-l",
        "portcullis.dev/relocation=staged",
        "-o",
        "json",
    ];
    let list = kubectl(namespace, &select, "").ok().expect("a list");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    list["items"].as_array().cloned().unwrap_or_default()
}

/// What the serving Secret of `app` holds under this key.
pub(super) fn serves(namespace: &str, key: &str) -> Option<String> {
    let secret = get(namespace, "secret", "portcullis-moved-t-app");
    let value = STANDARD
        .decode(secret["data"][key].as_str()?)
        .expect("base64");
    Some(String::from_utf8(value).expect("text"))
}

#[test]
fn a_value_is_moved_once_and_kept_and_rotated_and_removed() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("lives");
    let manifest = |value: &str| config_map("app", json!({"PASSWORD": value, "LOG_LEVEL": "info"}));
    let apply = |text: &str| kubectl(&namespace, &["apply", "-f", "-"], text);

    let created = apply(&manifest(VALUE));
    assert_eq!(created.code, 0, "{}", created.stderr);
    assert_eq!(created.stdout.trim(), "configmap/app created");
    assert!(
        created.stderr.contains("data.PASSWORD"),
        "{}",
        created.stderr
    );
    assert!(!created.stderr.contains(VALUE), "{}", created.stderr);
    let stored = get(&namespace, "configmap", "app");
    let placeholder = stored["data"]["PASSWORD"]
        .as_str()
        .expect("text")
        .to_owned();
    assert!(placeholder.starts_with(PLACEHOLDER), "{placeholder}");
    assert_eq!(stored["data"]["LOG_LEVEL"], "info");
    assert!(!stored.to_string().contains(VALUE), "{stored}");
    served(&namespace, "app");
    assert_eq!(serves(&namespace, "PASSWORD").as_deref(), Some(VALUE));

    // Again: nothing is written, and nothing differs.
    let again = apply(&manifest(VALUE));
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(get(&namespace, "configmap", "app")["data"], stored["data"]);
    assert_eq!(staged(&namespace).len(), 1);
    let diff = kubectl(&namespace, &["diff", "-f", "-"], &manifest(VALUE));
    assert_eq!(diff.code, 0, "{}{}", diff.stdout, diff.stderr);
    let round = kubectl(&namespace, &["get", "configmap", "app", "-o", "yaml"], "");
    let back = apply(&round.ok().expect("text"));
    assert_eq!(back.code, 0, "{}", back.stderr);
    assert_eq!(get(&namespace, "configmap", "app")["data"], stored["data"]);

    // Another value is seen by a diff, and served.
    let diff = kubectl(&namespace, &["diff", "-f", "-"], &manifest(OTHER));
    assert_eq!(diff.code, 1, "{}", diff.stderr);
    assert!(!diff.stdout.contains(OTHER), "{}", diff.stdout);
    assert_eq!(apply(&manifest(OTHER)).code, 0);
    let rotated = get(&namespace, "configmap", "app");
    assert_ne!(rotated["data"]["PASSWORD"], placeholder);
    eventually(
        "rotated",
        || serves(&namespace, "PASSWORD"),
        |value| value.as_deref() == Some(OTHER),
    );

    // Gone from the manifest, gone from what pods read.
    let without = apply(&config_map("app", json!({"LOG_LEVEL": "info"})));
    assert_eq!(without.code, 0, "{}", without.stderr);
    eventually(
        "removed",
        || serves(&namespace, "PASSWORD"),
        Option::is_none,
    );
    let logs = stage.installation.log() + &stage.serving.as_ref().expect("it runs").log();
    for value in [
        VALUE,
        OTHER,
        &STANDARD.encode(VALUE),
        &STANDARD.encode(OTHER),
    ] {
        assert!(!logs.contains(value), "a value is in a log");
    }
}

#[test]
fn a_dry_run_writes_nothing_and_predicts_it() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("dry");
    let text = config_map("app", json!({"PASSWORD": VALUE}));
    let dry = ["apply", "--dry-run=server", "-o", "json", "-f", "-"];
    let predicted = kubectl(&namespace, &dry, &text).ok().expect("allowed");
    assert!(
        predicted.contains("moved-secret:v1:") && !predicted.contains(VALUE),
        "{predicted}"
    );
    assert_eq!(staged(&namespace), Vec::<Value>::new());
    assert_eq!(get(&namespace, "configmap", "app"), Value::Null);
}

#[test]
fn a_server_side_apply_is_clean_and_owns_what_it_wrote() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("ssa");
    let text = config_map("app", json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"}));
    let apply = ["apply", "--server-side", "-f", "-"];
    let applied = kubectl(&namespace, &apply, &text);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    let stored = get(&namespace, "configmap", "app");
    let again = kubectl(&namespace, &apply, &text);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(
        get(&namespace, "configmap", "app")["metadata"]["resourceVersion"],
        stored["metadata"]["resourceVersion"]
    );
    let diff = kubectl(&namespace, &["diff", "--server-side", "-f", "-"], &text);
    assert_eq!(diff.code, 0, "{}{}", diff.stdout, diff.stderr);
    // A key that is left away is taken away.
    let less = config_map("app", json!({"LOG_LEVEL": "info"}));
    assert_eq!(kubectl(&namespace, &apply, &less).code, 0);
    let stored = get(&namespace, "configmap", "app");
    assert_eq!(stored["data"], json!({"LOG_LEVEL": "info"}));
}
