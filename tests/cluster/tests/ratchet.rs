use portcullis_cluster::User;

use crate::support::{Scene, cluster, deployment};

#[test]
fn an_object_that_was_there_before_may_change_but_not_get_worse() {
    let namespace = cluster().namespace().unwrap();
    let old = deployment("old", "nginx:latest");
    let create = ["create", "-f", "-"];
    namespace
        .kubectl(User::Dev, &create, &old)
        .and_then(portcullis_cluster::Answer::ok)
        .unwrap();
    let scene = Scene::of(namespace, &["--profile", "strict"]);
    let dev = |arguments: &[&str]| scene.namespace.kubectl(User::Dev, arguments, "").unwrap();

    let labelled = dev(&["label", "deployment/old", "team=blue"]);
    assert_eq!(labelled.code, 0, "{labelled:?}");
    let scaled = dev(&["scale", "deployment/old", "--replicas=2"]);
    assert_eq!(scaled.code, 0, "{scaled:?}");
    let worse = dev(&["set", "image", "deployment/old", "a=redis:latest"]);
    assert_eq!(worse.code, 1, "{worse:?}");
    assert!(worse.stderr.contains("`redis:latest`"), "{worse:?}");
    let mended = dev(&["set", "image", "deployment/old", "a=nginx:1.29.1"]);
    assert_eq!(mended.code, 0, "{mended:?}");
}
