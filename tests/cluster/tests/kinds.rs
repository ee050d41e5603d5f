//! The same finding in every kind that holds a pod spec.

use portcullis_cluster::{Answer, User};
use serde_json::{Value, json};

use crate::support::{Scene, cluster};

/// As in the profile `starter`, and nothing besides.
const IMAGE_TAGS: &str = include_str!("../../../pack/starter/image-tags.yaml");

/// A pod spec with `nginx:latest`.
fn pod_spec(restart: &str) -> Value {
    json!({"restartPolicy": restart, "containers": [{"name": "web", "image": "nginx:latest"}]})
}

/// Version, kind, where its pod spec is, what it needs besides.
const KINDS: [(&str, &str, &str, &str); 9] = [
    ("v1", "Pod", "", "Always"),
    ("v1", "ReplicationController", "template", "Always"),
    ("v1", "PodTemplate", "PodTemplate", "Always"),
    ("apps/v1", "Deployment", "template", "Always"),
    ("apps/v1", "StatefulSet", "template", "Always"),
    ("apps/v1", "ReplicaSet", "template", "Always"),
    ("apps/v1", "DaemonSet", "template", "Always"),
    ("batch/v1", "Job", "template", "Never"),
    ("batch/v1", "CronJob", "jobTemplate", "Never"),
];

/// An object of a kind, and the place of its image.
fn object((version, kind, holder, restart): (&str, &str, &str, &str)) -> (Value, String) {
    let labels = json!({"app": "web"});
    let template = json!({"metadata": {"labels": labels}, "spec": pod_spec(restart)});
    let (rest, place) = match holder {
        "" => (json!({"spec": pod_spec(restart)}), "spec"),
        "PodTemplate" => (json!({"template": template}), "template.spec"),
        "jobTemplate" => (
            json!({"spec": {"schedule": "0 4 * * *", "jobTemplate": {"spec": {"template": template}}}}),
            "spec.jobTemplate.spec.template.spec",
        ),
        _ => (
            json!({"spec": {"template": template}}),
            "spec.template.spec",
        ),
    };
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}});
    object
        .as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    match (version, kind) {
        ("apps/v1", _) => object["spec"]["selector"] = json!({"matchLabels": labels}),
        (_, "ReplicationController") => object["spec"]["selector"] = labels,
        _ => {}
    }
    (object, format!("{place}.containers[0].image"))
}

fn denial(container: &str, place: &str) -> String {
    format!(
        "admission webhook \"ignore.validate.portcullis.dev\" denied the request: write a version \
         instead of `latest`, as in `nginx:VERSION`, or pin a digest, as in \
         `nginx@sha256:DIGEST`: `nginx:latest` changes whenever a new version is pushed \
         (container `{container}`, {place}) [image-tags/image-latest]\n"
    )
}

#[test]
fn latest_is_refused_where_it_is_written_in_whatever_kind() {
    let scene = Scene::with_policy(cluster().namespace().unwrap(), IMAGE_TAGS);
    let mut manifests = String::new();
    let mut expected = Vec::new();
    for kind in KINDS {
        let (object, place) = object(kind);
        manifests.push_str(&format!("---\n{object}\n"));
        let start = "Error from server (Forbidden): error when creating \"STDIN\": ";
        expected.push(format!("{start}{}", denial("web", &place)));
    }
    let grant = [
        "create",
        "role",
        "templates",
        "--verb=create",
        "--resource=podtemplates",
    ];
    bind(&scene, &grant);
    let create = ["create", "-f", "-"];
    let answer = scene
        .namespace
        .kubectl(User::Dev, &create, &manifests)
        .unwrap();
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    let said: Vec<&str> = answer.stderr.split_inclusive('\n').collect();
    assert_eq!(said, expected);
}

/// Makes a role and binds `dev` to it: the role `edit` does not hold it.
fn bind(scene: &Scene, role: &[&str; 5]) {
    let name = role[2];
    let bind = [
        "create",
        "rolebinding",
        name,
        &format!("--role={name}"),
        "--group=devs",
    ];
    for command in [role, &bind] {
        let answer = scene.namespace.kubectl(User::Admin, command, "");
        answer.and_then(Answer::ok).unwrap();
    }
}

#[test]
fn latest_is_refused_in_an_ephemeral_container() {
    let scene = Scene::with_policy(cluster().namespace().unwrap(), IMAGE_TAGS);
    let dev = |arguments: &[&str]| scene.namespace.kubectl(User::Dev, arguments, "").unwrap();
    let resource = "--resource=pods/ephemeralcontainers";
    bind(
        &scene,
        &["create", "role", "debugger", "--verb=patch", resource],
    );
    dev(&["run", "web", "--image=nginx:1.29.1"]).ok().unwrap();
    let debug = |image: &str| dev(&["debug", "web", image, "-c", "look"]);
    let Answer { code, stderr, .. } = debug("--image=nginx:latest");
    let place = "spec.ephemeralContainers[0].image";
    let expected = format!("Error from server (Forbidden): {}", denial("look", place));
    assert_eq!((code, stderr), (1, expected));
    let passed = debug("--image=nginx:1.29.1");
    assert_eq!((passed.code, passed.stderr.as_str()), (0, ""), "{passed:?}");
}
