//! What a container gets, by the kubelet.

use portcullis_cluster::container::Container;
use serde_json::{Value, json};

use super::{OTHER, Stage, VALUE, config_map, kubectl, served};
use crate::policies::eventually;
use crate::support::cluster;

/// A pod that reads a ConfigMap in every form.
fn pod(name: &str) -> String {
    let volume = |name: &str, more: Value| {
        let mut volume = json!({"name": name, "configMap": {"name": "app"}});
        if let (Some(map), Some(more)) = (volume["configMap"].as_object_mut(), more.as_object()) {
            map.extend(more.clone());
        }
        volume
    };
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "containers": [{
            "name": "a", "image": "example.com/a:1",
            "envFrom": [{"configMapRef": {"name": "app"}}],
            "env": [
                {"name": "ONE", "valueFrom": {"configMapKeyRef":
                    {"name": "app", "key": "PASSWORD"}}},
                {"name": "URL", "value": "db://app:$(ONE)@db"},
            ],
            "volumeMounts": [
                {"name": "whole", "mountPath": "/whole"},
                {"name": "items", "mountPath": "/items"},
                {"name": "projected", "mountPath": "/projected"},
            ],
        }],
        "volumes": [
            volume("whole", json!({"defaultMode": 0o440})),
            volume("items", json!({"items": [
                {"key": "PASSWORD", "path": "p", "mode": 0o400},
                {"key": "LOG_LEVEL", "path": "l"},
            ]})),
            {"name": "projected", "projected": {"sources": [
                {"configMap": {"name": "app", "items": [{"key": "PASSWORD", "path": "p"}]}},
            ]}},
        ],
    }})
    .to_string()
}

/// What the container of a pod was given.
fn given(namespace: &str, pod: &str) -> Container {
    let found = || {
        let all = cluster().containers(namespace, "a").expect("records");
        all.into_iter().find(|one| one.pod == pod)
    };
    eventually("a container", found, Option::is_some).expect("a container")
}

fn variable<'c>(container: &'c Container, name: &str) -> Option<&'c str> {
    let mut found = container.environment.iter().rev();
    found
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

#[test]
fn a_pod_gets_what_it_would_have_got() {
    let mut stage = Stage::new();
    let (native, namespace) = (stage.namespace("native"), stage.enrolled("moved"));
    let map = config_map("app", json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"}));
    for place in [&native, &namespace] {
        let applied = kubectl(place, &["apply", "-f", "-"], &map);
        assert_eq!(applied.code, 0, "{}", applied.stderr);
        // At once: what it needs is waited for.
        let created = kubectl(place, &["apply", "-f", "-"], &pod("p"));
        assert_eq!(created.code, 0, "{}", created.stderr);
    }
    let (before, after) = (given(&native, "p"), given(&namespace, "p"));
    for name in ["PASSWORD", "LOG_LEVEL", "ONE", "URL"] {
        assert_eq!(variable(&before, name), variable(&after, name), "{name}");
    }
    assert_eq!(variable(&after, "ONE"), Some(VALUE));
    assert!(!before.files.is_empty());
    assert_eq!(before.files, after.files);
    // Bare pods are applied again, and compared, as ever.
    for how in [&["apply", "-f", "-"][..], &["diff", "-f", "-"]] {
        let again = kubectl(&namespace, how, &pod("p"));
        assert_eq!(again.code, 0, "{how:?}: {}{}", again.stdout, again.stderr);
    }
    let label = kubectl(&namespace, &["label", "pod", "p", "seen=yes"], "");
    assert_eq!(label.code, 0, "{}", label.stderr);
    // A new value is a new pod's.
    served(&namespace, "app");
    let map = config_map("app", json!({"PASSWORD": OTHER, "LOG_LEVEL": "info"}));
    assert_eq!(kubectl(&namespace, &["apply", "-f", "-"], &map).code, 0);
    let created = kubectl(&namespace, &["apply", "-f", "-"], &pod("q"));
    assert_eq!(created.code, 0, "{}", created.stderr);
    assert_eq!(variable(&given(&namespace, "q"), "PASSWORD"), Some(OTHER));
}
