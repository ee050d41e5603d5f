use portcullis_cluster::User;
use serde_json::Value;

use crate::support::{Scene, cluster, deployment};

/// The event of the creation of a Deployment; None where there is no log.
fn creation(scene: &Scene, name: &str) -> Option<Value> {
    let events = cluster().audit_events().unwrap()?;
    let created = events.into_iter().find(|event| {
        event["verb"] == "create"
            && event["objectRef"]["namespace"] == scene.namespace.name()
            && event["objectRef"]["name"] == name
            && event["objectRef"]["resource"] == "deployments"
    });
    Some(created.expect("the creation is in the audit log"))
}

#[test]
fn a_denial_is_in_the_audit_log_with_who_and_why() {
    let scene = Scene::new(&[]);
    let create = ["create", "-f", "-"];
    let manifest = deployment("audited", "nginx:latest");
    let answer = scene
        .namespace
        .kubectl(User::Dev, &create, &manifest)
        .unwrap();
    assert_eq!(answer.code, 1, "{answer:?}");
    let Some(event) = creation(&scene, "audited") else {
        return eprintln!("the audit log of a foreign cluster is not looked at");
    };
    assert_eq!(event["user"]["username"], "dev-user");
    assert_eq!(event["responseStatus"]["code"], 403);
    let message = event["responseStatus"]["message"].as_str().unwrap();
    assert!(
        message.starts_with(
            "admission webhook \"ignore.validate.portcullis.dev\" denied the request: "
        ) && message.contains("image-tags/image-latest"),
        "{message}"
    );
}

#[test]
fn what_is_only_observed_is_an_annotation_of_the_audit_log() {
    let scene = Scene::new(&["--profile", "observe"]);
    let create = ["create", "-f", "-"];
    let manifest = deployment("observed", "nginx:latest");
    let answer = scene
        .namespace
        .kubectl(User::Dev, &create, &manifest)
        .unwrap();
    assert_eq!((answer.code, answer.stderr.as_str()), (0, ""));
    let Some(event) = creation(&scene, "observed") else {
        return eprintln!("the audit log of a foreign cluster is not looked at");
    };
    assert_eq!(
        event["annotations"]["ignore.validate.portcullis.dev/image-tags"],
        "image-latest spec.template.spec.containers[0].image"
    );
}
