use portcullis_cluster::{Answer, User};

use crate::support::{Scene, deployment};

/// Creates a Deployment that every profile but `observe` denies, after the
/// server has gone.
fn create_while_down(scene: &mut Scene) -> Answer {
    scene.portcullis.stop();
    let manifest = deployment("web", "nginx:latest");
    scene
        .namespace
        .kubectl(User::Dev, &["create", "-f", "-"], &manifest)
        .unwrap()
}

#[test]
fn while_nobody_answers_ignore_lets_through() {
    let mut scene = Scene::new(&["--profile", "starter"]);
    let answer = create_while_down(&mut scene);
    assert_eq!(answer.ok().unwrap(), "deployment.apps/web created\n");
}

#[test]
fn while_nobody_answers_fail_refuses_and_names_the_webhook() {
    let mut scene = Scene::new(&["--profile", "strict"]);
    let answer = create_while_down(&mut scene);
    assert_eq!(answer.code, 1, "{answer:?}");
    let expected = "Error from server (InternalError): error when creating \"STDIN\": Internal error \
                    occurred: failed calling webhook \"fail.validate.portcullis.dev\"";
    assert!(answer.stderr.starts_with(expected), "{}", answer.stderr);
}

#[test]
fn labels_finalizers_and_states_never_wait_for_us() {
    let mut scene = Scene::new(&["--profile", "strict"]);
    let web =
        std::fs::read_to_string(portcullis_cluster::root().join("tests/cluster/story/web.yaml"));
    let web = web.unwrap().replace("redis:8", "redis:8.0.3");
    let dev = |scene: &Scene, arguments: &[&str], stdin: &str| {
        scene
            .namespace
            .kubectl(User::Dev, arguments, stdin)
            .unwrap()
    };
    let created = dev(&scene, &["create", "-f", "-"], &web);
    assert_eq!(created.code, 0, "{created:?}");
    let pods = ["get", "pods", "-l", "app=web", "-o", "name"];
    let is_there = |answer: &Answer| !answer.stdout.is_empty();
    let most = std::time::Duration::from_secs(30);
    let pods = scene
        .namespace
        .eventually(User::Dev, &pods, most, is_there)
        .unwrap();
    let pod = pods.stdout.lines().next().unwrap().to_owned();
    scene.portcullis.stop();
    let finalizers = r#"{"metadata": {"finalizers": ["example.org/a"]}}"#;
    let none = r#"{"metadata": {"finalizers": null}}"#;
    let phase = r#"{"status": {"phase": "Running"}}"#;
    for arguments in [
        &["label", &pod, "team=a"][..],
        &["patch", &pod, "-p", finalizers],
        &["patch", &pod, "-p", none],
        &["patch", &pod, "--subresource=status", "-p", phase],
    ] {
        let answer = scene.namespace.kubectl(User::Admin, arguments, "").unwrap();
        assert_eq!(answer.code, 0, "{arguments:?}: {answer:?}");
    }
    let image = [
        "set",
        "image",
        "deployment/web",
        "*=registry.example/other:1.0.0",
    ];
    let refused = dev(&scene, &image, "");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("failed calling webhook"),
        "{refused:?}"
    );
}
