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
                    occurred: failed calling webhook \"fail.mutate.portcullis.dev\"";
    assert!(answer.stderr.starts_with(expected), "{}", answer.stderr);
}
