use std::time::Duration;

use portcullis_cluster::{Namespace, User};
use serde_json::json;

use super::{Audit, audit, create};
use crate::support::{cluster, deployment};

/// A Deployment of three Pods.
fn three_pods() -> Namespace<'static> {
    let namespace = cluster().namespace().unwrap();
    let mut web: serde_json::Value =
        serde_json::from_str(&deployment("web", "nginx:latest")).unwrap();
    web["spec"]["replicas"] = json!(3);
    create(&namespace, &web.to_string());
    let pods = ["get", "pods", "-o", "name"];
    let three = |answer: &portcullis_cluster::Answer| answer.stdout.lines().count() == 3;
    let most = Duration::from_secs(60);
    namespace
        .eventually(User::Admin, &pods, most, three)
        .unwrap();
    namespace
}

/// By a policy that judges these resources alone.
fn audited(namespace: &Namespace<'_>, resources: &[&str]) -> Audit {
    let rule = json!({"apiGroups": ["*"], "apiVersions": ["*"], "resources": resources,
        "operations": ["CREATE"]});
    let document = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": "tags"}, "spec": {"program": {"builtin": "image-tags"},
            "matchConstraints": {"resourceRules": [rule]}}});
    let file = std::env::temp_dir().join(format!("{}-{}.json", namespace.name(), resources.len()));
    std::fs::write(&file, document.to_string()).unwrap();
    let path = file.display().to_string();
    let policies = ["--profile", "none", "--policies", &path];
    let audited = audit(&[&policies[..], &["--namespace", namespace.name()]].concat());
    std::fs::remove_file(&file).unwrap();
    audited
}

#[test]
fn pods_are_told_of_their_deployment_once() {
    let namespace = three_pods();
    let deployment = format!("Deployment {}/web image-latest", namespace.name());
    for resources in [
        &["pods"][..],
        &["pods", "replicasets"],
        &["pods", "replicasets", "deployments"],
    ] {
        let audited = audited(&namespace, resources);
        let found = audited.findings();
        assert_eq!(found, [deployment.as_str()], "{resources:?}");
        let message = audited.list("findings")[0]["message"].as_str().unwrap();
        let is_told = message.contains(" and 2 more, which it controls");
        assert_eq!(is_told, resources.len() == 1, "{message}");
        assert_eq!(audited.report["summary"]["denied"], 1);
    }
}

#[test]
fn the_past_of_a_deployment_is_passed_over() {
    let namespace = three_pods();
    let set = ["set", "image", "deployment/web", "a=nginx:1.29.1"];
    let changed = namespace.kubectl(User::Admin, &set, "");
    changed.unwrap().ok().unwrap();
    let rollout = ["rollout", "status", "deployment/web", "--timeout=90s"];
    let done = namespace.kubectl(User::Admin, &rollout, "");
    done.unwrap().ok().unwrap();
    let audited = audited(&namespace, &["deployments", "replicasets"]);
    assert_eq!(audited.findings(), Vec::<String>::new());
    assert_eq!(
        audited.passed_over("replicasets.apps", "history"),
        Some(1),
        "{audited:?}"
    );
}

#[test]
fn a_pod_that_only_claims_an_owner_is_told_all_the_same() {
    let namespace = cluster().namespace().unwrap();
    create(&namespace, &deployment("web", "nginx:1.29.1"));
    let uid = ["get", "deployment", "web", "-o", "jsonpath={.metadata.uid}"];
    let uid = namespace
        .kubectl(User::Admin, &uid, "")
        .unwrap()
        .ok()
        .unwrap();
    let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid,
        "controller": true});
    let pod = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "hidden", "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "a", "image": "miner:latest"}]}});
    create(&namespace, &pod.to_string());
    let audited = audited(&namespace, &["deployments", "pods"]);
    let message = audited.list("findings")[0]["message"].as_str().unwrap();
    assert!(
        message.contains("Pod `hidden`, which it controls"),
        "{message}"
    );
}
