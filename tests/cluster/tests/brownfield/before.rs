use portcullis_cluster::{Answer, User};
use serde_json::json;

use super::workloads::template;
use crate::support::{Scene, cluster};

/// The Job says itself whose it is, and whoever runs kubectl could have written
/// the same of any other (docs/decisions.md).
#[test]
fn a_cronjob_that_was_there_before_is_run_by_hand_only_once_it_is_mended() {
    let scene = before_and_after(&["create", "cronjob", "old", "--image=nginx:latest", YEARLY]);
    let run = ["create", "job", "now", "--from=cronjob/old"];
    let answer = scene.namespace.kubectl(User::Dev, &run, "").unwrap();
    assert_eq!(answer.code, 1, "{answer:?}");
    for part in [
        "failed to create job: admission webhook",
        "write a version instead of `latest`",
        "(container `old`, spec.template.spec.containers[0].image) [image-tags/image-latest]",
    ] {
        assert!(answer.stderr.contains(part), "{part}: {answer:?}");
    }
    let gone = ["get", "job/now", "--ignore-not-found", "-o", "name"];
    let left = scene.namespace.kubectl(User::Dev, &gone, "").unwrap();
    assert_eq!((left.code, left.stdout.as_str()), (0, ""), "{left:?}");
}

const YEARLY: &str = "--schedule=0 12 29 2 *";

/// Portcullis with the profile `strict`, in a namespace in which something was
/// made before.
fn before_and_after(command: &[&str]) -> Scene {
    let namespace = cluster().namespace().unwrap();
    let made = namespace.kubectl(User::Dev, command, "");
    made.and_then(Answer::ok).unwrap();
    Scene::of(namespace, &["--profile", "strict"])
}

#[test]
fn who_forges_an_owner_is_refused_as_if_there_were_none() {
    let scene = before_and_after(&["create", "deployment", "old", "--image=nginx:latest"]);
    let kubectl = |arguments: &[&str], stdin: &str| {
        scene
            .namespace
            .kubectl(User::Dev, arguments, stdin)
            .unwrap()
    };
    let first = [
        "get",
        "rs",
        "-o",
        "jsonpath={.items[0].metadata.uid} {.items[0].metadata.name}",
    ];
    let owner = kubectl(&first, "").ok().unwrap();
    let (uid, name) = owner.split_once(' ').unwrap();
    let owner = json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid,
        "controller": true, "blockOwnerDeletion": true}]);
    let now = "2026-01-01T00:00:00Z";
    for (what, mark) in [
        ("a controller", json!({"ownerReferences": owner})),
        (
            "a mirror",
            json!({"annotations": {"kubernetes.io/config.mirror": "x"}}),
        ),
        (
            "an end",
            json!({"deletionTimestamp": now, "ownerReferences": owner}),
        ),
    ] {
        let mut pod = template("old", "Always");
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        pod["metadata"] = mark;
        // Who wants to look like a mirror has to be on a node.
        pod["spec"]["nodeName"] = "node-1".into();
        pod["metadata"]["name"] = "forged".into();
        let answer = kubectl(&["create", "-f", "-"], &pod.to_string());
        assert_eq!(answer.code, 1, "{what}: {answer:?}");
        assert!(
            answer.stderr.contains("[image-tags/image-latest]"),
            "{what}: {answer:?}"
        );
    }
}

/// A Job whose finalizer could not be removed from its pods once hung a whole
/// namespace (design: reliability.md, 8a).
#[test]
fn status_labels_and_finalizers_of_pods_never_wait_for_us() {
    let mut scene = before_and_after(&["create", "job", "old", "--image=nginx:latest"]);
    let run = |command: &str| {
        let arguments: Vec<&str> = command.split(' ').collect();
        scene
            .namespace
            .kubectl(User::Admin, &arguments, "")
            .unwrap()
    };
    let done = |command: &str| {
        run(command)
            .ok()
            .unwrap_or_else(|e| panic!("{command}: {e}"))
    };
    done("wait --for=create pod -l job-name=old --timeout=60s");
    scene.portcullis.stop();
    let new = run("run new --image=nginx:1.29.1");
    assert_eq!(new.code, 1, "nobody answers: {new:?}");
    done("label pod -l job-name=old team=blue");
    let pod = done("get pod -l job-name=old -o name");
    let pod = pod.trim();
    let status = r#"-p={"status":{"message":"told"}}"#;
    done(&format!(
        "patch {pod} --subresource=status --type=merge {status}"
    ));
    // The Job's controller removes its finalizer, or this never ends.
    done("delete job/old --cascade=foreground --timeout=60s");
    done(&format!("wait --for=delete {pod} --timeout=60s"));
}
