//! What is tried.

use serde_json::{Value, json};

/// A digest, as images have it that never move. Nothing is ever pulled.
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn deployment(namespace: &str, name: &str, container: &Value) -> Value {
    let labels = json!({"app.kubernetes.io/name": name});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": false,
                    "securityContext": {"runAsNonRoot": true, "runAsUser": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [container],
                },
            },
        },
    })
}

/// A container that no policy of the pack has anything to say of.
fn good() -> Value {
    let probe = json!({"httpGet": {"path": "/", "port": 8080}});
    let some = json!({"cpu": "10m", "memory": "32Mi"});
    json!({
        "name": "smoke",
        "image": format!("registry.example/portcullis-smoke:1.0.0@{DIGEST}"),
        "ports": [{"containerPort": 8080}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "resources": {"requests": some, "limits": some},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}},
    })
}

/// What is tried in a namespace: first good, then bad.
pub fn objects(namespace: &str) -> Vec<Value> {
    let bad = json!({
        "name": "smoke",
        "image": "nginx:latest",
        "securityContext": {"privileged": true},
    });
    let name = "portcullis-smoke";
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"hostNetwork": true, "containers": [bad.clone()]},
    });
    let path = json!({"path": "/", "pathType": "Prefix",
        "backend": {"service": {"name": name, "port": {"number": 80}}}});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"rules": [{"host": "smoke.example", "http": {"paths": [path]}}]},
    });
    vec![
        deployment(namespace, "portcullis-smoke-good", &good()),
        deployment(namespace, "portcullis-smoke-bad", &bad),
        pod,
        ingress,
    ]
}
