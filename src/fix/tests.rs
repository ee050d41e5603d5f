use serde_json::{Value, json};

use super::*;

/// A value that must be nowhere.
const VALUE: &str = "hunter2-hunter2";

fn fix(object: &Value, paths: &[&str], others: &[&Value]) -> Fix {
    let mut fix = Fix::of(object, paths).expect("a fix");
    let uses: Vec<Use> = others.iter().flat_map(|other| uses(other)).collect();
    fix.complete(&uses);
    let text = serde_json::to_string(&fix).expect("JSON");
    assert!(!text.contains("hunter2"), "{text}");
    fix
}

/// Paths and values of the changes.
fn changes(fix: &Fix) -> Vec<(&str, Value)> {
    let changes = fix.changes.iter();
    changes
        .map(|one| (one.path.as_str(), one.value.clone()))
        .collect()
}

fn config_map(keys: &[&str]) -> Value {
    let data: Map<String, Value> = keys
        .iter()
        .map(|key| ((*key).to_owned(), VALUE.into()))
        .collect();
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "app", "namespace": "shop"}, "data": data})
}

fn deployment(spec: &Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"template": {"spec": spec}}})
}

#[test]
fn a_config_map_gives_a_secret_of_the_keys_that_were_found() {
    let mut map = config_map(&["a.yaml", "TOKEN", "plain"]);
    map["binaryData"] = json!({"key": VALUE});
    let fix = fix(
        &map,
        &[
            "/data/a.yaml",
            "/data/a.yaml",
            "/data/TOKEN",
            "/binaryData/key",
        ],
        &[],
    );
    let expected = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "app-secret", "namespace": "shop"},
        "stringData": {"a.yaml": "<the value of a.yaml>", "TOKEN": "<the value of TOKEN>"},
        "data": {"key": "<the value of key, in base64>"}});
    assert_eq!(fix.secret, expected);
    assert_eq!(
        fix.notes[0],
        "remove `TOKEN`, `a.yaml`, `key` from the ConfigMap `app`"
    );
    assert!(
        fix.notes[1].starts_with("nothing here uses"),
        "{:?}",
        fix.notes
    );
}

#[test]
fn where_nothing_is_known_to_use_it_every_way_is_shown() {
    let mut map = config_map(&["a.yaml", "TOKEN", "plain"]);
    map["binaryData"] = json!({"KEY": VALUE});
    let found = ["/data/a.yaml", "/data/TOKEN", "/binaryData/KEY"];
    let example = fix(&map, &found, &[]).example.expect("an example");
    let secret = json!({"name": "app-secret"});
    let expected = json!({
        "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "app-secret", "key": "TOKEN"}}}],
        "envFrom": [{"configMapRef": {"name": "app"}}, {"secretRef": secret}],
        "volumes": [{"name": "config", "projected": {"sources": [{"configMap": {"name": "app"}}, {"secret": secret}]}}],
    });
    assert_eq!(example, expected);
    // Of files alone, no variable is made; and of a map of secrets nothing is left.
    let files = config_map(&["a.yaml"]);
    let example = fix(&files, &["/data/a.yaml"], &[]).example;
    let volume = json!({"name": "config", "secret": {"secretName": "app-secret"}});
    assert_eq!(example, Some(json!({"volumes": [volume]})));
    let user = deployment(&json!({"volumes": [{"name": "all", "configMap": {"name": "app"}}]}));
    assert_eq!(fix(&files, &["/data/a.yaml"], &[&user]).example, None);
}

#[test]
fn every_way_to_use_a_config_map_is_changed() {
    let reference = |key: &str| json!({"name": key, "valueFrom": {"configMapKeyRef": {"name": "app", "key": key, "optional": true}}});
    let pods = deployment(&json!({
        "containers": [{"name": "web", "env": [reference("TOKEN"), reference("plain")],
            "envFrom": [{"configMapRef": {"name": "other"}}, {"prefix": "A_", "configMapRef": {"name": "app"}}]}],
        "volumes": [
            {"name": "all", "configMap": {"name": "app", "defaultMode": 256}},
            {"name": "some", "configMap": {"name": "app", "items": [{"key": "TOKEN", "path": "t"}, {"key": "plain", "path": "p"}]}},
            {"name": "none", "configMap": {"name": "app", "items": [{"key": "plain", "path": "p"}]}},
            {"name": "only", "configMap": {"name": "app", "items": [{"key": "TOKEN", "path": "t"}], "defaultMode": 256}},
            {"name": "mixed", "projected": {"sources": [{"secret": {"name": "x"}}, {"configMap": {"name": "app"}}]}},
            {"name": "other", "configMap": {"name": "other"}},
        ],
    }));
    let mut elsewhere = pods.clone();
    elsewhere["metadata"]["namespace"] = "bank".into();
    let fix = fix(
        &config_map(&["TOKEN", "plain"]),
        &["/data/TOKEN"],
        &[&pods, &elsewhere],
    );
    let spec = "/spec/template/spec";
    let at = |rest: &str| format!("{spec}/{rest}");
    let (token, plain) = (
        json!({"key": "TOKEN", "path": "t"}),
        json!({"key": "plain", "path": "p"}),
    );
    let expected = [
        (
            at("containers/0/env/0"),
            json!({"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "app-secret", "key": "TOKEN", "optional": true}}}),
        ),
        (
            at("containers/0/envFrom"),
            json!([{"configMapRef": {"name": "other"}}, {"prefix": "A_", "configMapRef": {"name": "app"}},
            {"prefix": "A_", "secretRef": {"name": "app-secret"}}]),
        ),
        (
            at("volumes/0"),
            json!({"name": "all", "projected": {"defaultMode": 256, "sources": [{"configMap": {"name": "app"}}, {"secret": {"name": "app-secret"}}]}}),
        ),
        (
            at("volumes/1"),
            json!({"name": "some", "projected": {"sources": [{"configMap": {"name": "app", "items": [plain]}}, {"secret": {"name": "app-secret", "items": [token]}}]}}),
        ),
        (
            at("volumes/3"),
            json!({"name": "only", "secret": {"secretName": "app-secret", "items": [token], "defaultMode": 256}}),
        ),
        (
            at("volumes/4"),
            json!({"name": "mixed", "projected": {"sources": [{"secret": {"name": "x"}}, {"configMap": {"name": "app"}}, {"secret": {"name": "app-secret"}}]}}),
        ),
    ];
    let found = changes(&fix);
    let expected: Vec<(&str, Value)> = expected
        .iter()
        .map(|(path, value)| (path.as_str(), value.clone()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_config_map_of_secrets_alone_is_used_no_more() {
    let pods = deployment(&json!({
        "containers": [{"envFrom": [{"configMapRef": {"name": "app"}}]}],
        "volumes": [{"name": "all", "configMap": {"name": "app"}}],
    }));
    let fix = fix(&config_map(&["TOKEN"]), &["/data/TOKEN"], &[&pods]);
    let values: Vec<Value> = fix.changes.into_iter().map(|one| one.value).collect();
    assert_eq!(values[0], json!([{"secretRef": {"name": "app-secret"}}]));
    assert_eq!(
        values[1],
        json!({"name": "all", "secret": {"secretName": "app-secret"}})
    );
}

#[test]
fn literals_of_a_container_become_references() {
    let object = deployment(&json!({"containers": [
        {"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "DB_PASSWORD", "value": VALUE}],
         "args": [format!("--admin-token={VALUE}"), "--db-password", VALUE, format!("export A={VALUE}; run")]},
        {"name": "b", "env": [{"name": "DB_PASSWORD", "value": "another-hunter2"}]},
    ]}));
    let container = "/spec/template/spec/containers";
    let at = |rest: &str| format!("{container}/{rest}");
    let paths = [
        "0/env/1/value",
        "0/args/0",
        "0/args/2",
        "0/args/3",
        "1/env/0/value",
    ]
    .map(at);
    let paths = paths.each_ref().map(String::as_str);
    let fix = fix(&object, &paths, &[]);
    let keys: Vec<&String> = fix.secret["stringData"]
        .as_object()
        .expect("keys")
        .keys()
        .collect();
    assert_eq!(
        keys,
        ["ADMIN_TOKEN", "DB_PASSWORD", "DB_PASSWORD_2", "SECRET"]
    );
    let reference = |name: &str, key: &str| json!({"name": name, "valueFrom": {"secretKeyRef": {"name": "web-secret", "key": key}}});
    let expected = [
        (at("0/env/1"), reference("DB_PASSWORD", "DB_PASSWORD")),
        (at("0/env/-"), reference("ADMIN_TOKEN", "ADMIN_TOKEN")),
        (at("0/args/0"), json!("--admin-token=$(ADMIN_TOKEN)")),
        (at("0/env/-"), reference("DB_PASSWORD_2", "DB_PASSWORD")),
        (at("0/args/2"), json!("$(DB_PASSWORD_2)")),
        (at("0/env/-"), reference("SECRET", "SECRET")),
        (at("1/env/0"), reference("DB_PASSWORD", "DB_PASSWORD_2")),
    ];
    let expected: Vec<(&str, Value)> = expected
        .iter()
        .map(|(path, value)| (path.as_str(), value.clone()))
        .collect();
    assert_eq!(changes(&fix), expected);
    assert_eq!(fix.notes.len(), 1, "{:?}", fix.notes);
    assert!(
        fix.notes[0].contains("containers[0].args[3], in a shell `\"$SECRET\"`"),
        "{:?}",
        fix.notes
    );
}

/// What stands before a value is part of it, unless it is surely a flag.
#[test]
fn no_name_is_made_of_what_may_be_a_value() {
    for args in [
        json!(["-phunter2hunter2", "hunter2-hunter2"]),
        json!(["-phunter2=hunter2-hunter2"]),
        json!(["HUNTER2=="]),
        json!(["--token=a", "--hunter2-hunter2"]),
        json!([{"hunter2": 1}, 2]),
    ] {
        let object = deployment(&json!({"containers": [{"args": args}]}));
        let at = |index: usize| format!("/spec/template/spec/containers/0/args/{index}");
        for paths in [vec![at(0), at(1)], vec![at(1)], vec![at(0)]] {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let Some(fix) = Fix::of(&object, &paths) else {
                continue;
            };
            let text = serde_json::to_string(&fix).expect("JSON");
            assert!(!text.to_lowercase().contains("hunter2"), "{text}");
        }
    }
}

#[test]
fn a_secret_of_a_file_keeps_its_keys_and_its_type_alone() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
        "type": "kubernetes.io/basic-auth", "data": {"password": VALUE}, "stringData": {"username": VALUE}});
    let fix = fix(&secret, &["/data/password", "/stringData/username"], &[]);
    let expected = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"password": "<the value of password>", "username": "<the value of username>"}});
    assert_eq!(fix.secret, expected);
    assert!(fix.changes.is_empty());
}

#[test]
fn what_no_secret_can_replace_has_no_fix() {
    let object = deployment(
        &json!({"containers": [{"livenessProbe": {"httpGet": {"httpHeaders": [{"name": "A", "value": VALUE}]}}}]}),
    );
    let path = "/spec/template/spec/containers/0/livenessProbe/httpGet/httpHeaders/0/value";
    assert_eq!(Fix::of(&object, &[path]), None);
    assert_eq!(Fix::of(&object, &[]), None);
    assert_eq!(
        Fix::of(&json!({"apiVersion": "v1", "kind": "Service"}), &["/spec"]),
        None
    );
    assert_eq!(
        Fix::of(&config_map(&["a"]), &["/metadata/name", "/data", ""]),
        None
    );
}
