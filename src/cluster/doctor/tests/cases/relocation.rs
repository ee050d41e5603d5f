//! Secrets that are moved, and are not kept or not served.

use serde_json::{Value, json};

use super::super::healthy::{NOW, healthy};
use super::super::{diagnose, exit_code};
use super::{Case, Grade, Seen, case, ours};
use crate::cluster::doctor::relocation::{GUARDS, Relocating};

/// A namespace is enrolled and a value was moved there, all in order.
fn relocate(seen: &mut Seen) {
    let namespace = &mut seen.world.as_mut().expect("seen").namespaces[2];
    let labels = namespace.metadata.labels.get_or_insert_default();
    labels.insert("portcullis.dev/secrets".into(), "move".into());
    let mut entry = ours(seen, 0)["webhooks"][0].clone();
    entry["name"] = "relocate.validate.portcullis.dev".into();
    let entries = ours(seen, 0)["webhooks"].as_array_mut().expect("entries");
    entries.push(entry);
    let binding = |role: &str, account: &str| {
        json!({"roleRef": {"name": role}, "subjects": [
            {"kind": "ServiceAccount", "name": account, "namespace": "portcullis"}]})
    };
    let guard = || {
        let policy = json!({"spec": {"failurePolicy": "Fail"}});
        Some([policy, json!({"spec": {"validationActions": ["Deny"]}})])
    };
    let bindings = vec![
        binding("portcullis-relocation-admission", "portcullis"),
        binding("portcullis-relocation-serving", "portcullis-relocation"),
    ];
    seen.relocating = Some(Relocating {
        relocations: Some(vec![
            json!({"metadata": {"namespace": "network", "name": "app"},
            "spec": {"stage": "Redact"}, "status": {"state": "Served", "keys": []}}),
        ]),
        config_maps: Some(vec![]),
        bindings: [("network".to_owned(), Some(bindings))].into(),
        guards: GUARDS.map(|name| (name, guard())).to_vec(),
        pods: Some(vec![
            json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
        ]),
    });
}

fn relocating(seen: &mut Seen) -> &mut Relocating {
    relocate(seen);
    seen.relocating.as_mut().expect("it was put there")
}

fn relocation(seen: &mut Seen) -> &mut Value {
    &mut relocating(seen).relocations.as_mut().expect("seen")[0]
}

pub(super) fn relocations() -> Vec<Case> {
    let problem = |text, break_it| ("relocation", Grade::Problem, text, break_it);
    vec![
        problem(
            "nothing is moved in them, since no replica serves with --relocation: network",
            case(|seen| {
                relocate(seen);
                ours(seen, 0)["webhooks"]
                    .as_array_mut()
                    .expect("entries")
                    .pop();
            }),
        ),
        problem(
            "of 1 pods of `portcullis relocate` none is ready",
            case(|seen| relocating(seen).pods = Some(vec![json!({})])),
        ),
        problem(
            "portcullis-reserved-secrets is not there",
            case(|seen| relocating(seen).guards[0].1 = Some([Value::Null, Value::Null])),
        ),
        problem(
            "portcullis-secrets-enrolment has a binding that denies nothing",
            case(|seen| {
                let guard = relocating(seen).guards[1].1.as_mut().expect("seen");
                guard[1]["spec"]["validationActions"] = json!(["Audit"]);
            }),
        ),
        problem(
            "namespace network is enrolled, and our accounts do not have there: \
             portcullis-relocation-serving",
            case(|seen| {
                let bindings = relocating(seen).bindings.get_mut("network").expect("seen");
                bindings.as_mut().expect("seen").pop();
            }),
        ),
        problem(
            "ConfigMap shop/app is moved, in a namespace that is not enrolled",
            case(|seen| {
                let relocation = relocation(seen);
                relocation["metadata"]["namespace"] = "shop".into();
                relocation["status"]["keys"] = json!(["data.PASSWORD"]);
            }),
        ),
        problem(
            "ConfigMap network/app: data.PASSWORD was moved to Secret s, which is gone",
            case(|seen| {
                relocation(seen)["status"] = json!({"state": "Dangling",
                    "message": "data.PASSWORD was moved to Secret s, which is gone"});
            }),
        ),
        problem(
            "ConfigMap network/app is not served as it is now",
            case(|seen| relocating(seen).config_maps = Some(vec![moved(NOW - 31)])),
        ),
    ]
}

/// A ConfigMap with a placeholder, written then.
fn moved(at: i64) -> Value {
    let at = k8s_openapi::jiff::Timestamp::from_second(at).expect("a time");
    let text = format!(
        "moved-secret:v1:portcullis-moved-s-00000000000000aa:{}",
        "0".repeat(76)
    );
    json!({"metadata": {"namespace": "network", "name": "app", "uid": "u",
            "labels": {"portcullis.dev/moved": "aaaaaaaaaaaaaaaa_0"},
            "managedFields": [{"time": at.to_string()}]},
        "data": {"PASSWORD": text}})
}

/// Nobody asks us any more, and values are still moved.
#[test]
fn what_is_left_is_told_where_relocation_is_switched_off() {
    let mut seen = healthy();
    let moved = |stage: &str| {
        json!({"metadata": {"namespace": "shop", "name": "app"}, "spec": {"stage": stage},
            "status": {"state": "Served", "keys": ["data.PASSWORD"]}})
    };
    seen.relocating = Some(Relocating {
        relocations: Some(vec![moved("Redact")]),
        guards: GUARDS
            .map(|name| (name, Some([Value::Null, Value::Null])))
            .to_vec(),
        pods: Some(vec![]),
        ..Relocating::default()
    });
    let lines = diagnose(&seen);
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let text = "ConfigMap shop/app is moved, in a namespace that is not enrolled";
    assert_eq!(lines[0].message, text);
    let relocating = seen.relocating.as_mut().expect("it was put there");
    relocating.relocations = Some(vec![moved("Audit")]);
    assert_eq!(diagnose(&seen), []);
    // A namespace that goes takes it along.
    let relocating = seen.relocating.as_mut().expect("it was put there");
    relocating.relocations = Some(vec![moved("Redact")]);
    let namespaces = &mut seen.world.as_mut().expect("seen").namespaces;
    let going = json!({"metadata": {"name": "shop", "deletionTimestamp": "2026-11-22T10:00:00Z"}});
    *namespaces.last_mut().expect("shop") = serde_json::from_value(going).expect("one");
    assert_eq!(diagnose(&seen), []);
}

#[test]
fn nothing_is_said_of_what_is_moved_and_served() {
    let mut seen = healthy();
    relocate(&mut seen);
    assert_eq!(diagnose(&seen), []);
    // Written a moment ago: it is being served.
    relocating(&mut seen).config_maps = Some(vec![moved(NOW - 29)]);
    assert_eq!(diagnose(&seen), []);
    // Twenty of a kind are not twenty lines.
    let many = relocating(&mut seen);
    many.config_maps = Some(vec![moved(NOW - 60); 20]);
    let lines = diagnose(&seen);
    assert_eq!((lines.len(), exit_code(&lines)), (6, 1), "{lines:#?}");
}
