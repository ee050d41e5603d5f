//! Other webhooks that change what Portcullis changes and judges.

use portcullis_cluster::{Answer, Meddler, Turn, User};
use serde_json::{Value, json};

use crate::support::{DEFAULTS, Scene, cluster};

/// Images need a version.
const TAGS: &str = r#"
apiVersion: portcullis.dev/v1alpha1
kind: WasmPolicy
metadata: {name: image-tags}
spec:
  program: {builtin: image-tags}
  validationActions: [Deny]
"#;

/// What is filled in.
fn filled_in() -> Value {
    json!({"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}})
}

fn scene() -> Scene {
    let policies = [TAGS, DEFAULTS].join("---");
    Scene::with_policy(cluster().namespace().unwrap(), &policies)
}

fn meddler(
    scene: &Scene,
    turn: Turn,
    meddle: impl Fn(&Value) -> Value + Send + Sync + 'static,
) -> Meddler<'static> {
    Meddler::start(cluster(), scene.namespace.name(), turn, meddle).unwrap()
}

/// Creates a pod of one container, again until the meddler is called; how many
/// calls each got for the last of them.
fn create(scene: &Scene, meddler: &Meddler<'_>, image: &str) -> (Answer, u64, usize) {
    let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": image}]}});
    let create = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
    let started = std::time::Instant::now();
    loop {
        let before = (scene.portcullis.requests().unwrap(), meddler.calls());
        let kubectl = scene
            .namespace
            .kubectl(User::Dev, &create, &manifest.to_string());
        let ours = scene.portcullis.requests().unwrap() - before.0;
        let theirs = meddler.calls() - before.1;
        if theirs > 0 {
            return (kubectl.unwrap(), ours, theirs);
        }
        assert!(
            started.elapsed().as_secs() < 30,
            "the API server does not call the meddler"
        );
    }
}

/// The resources of the containers of a pod that was let in.
fn resources(answer: Answer) -> Vec<Value> {
    let pod: Value = serde_json::from_str(&answer.ok().unwrap()).unwrap();
    let containers = pod["spec"]["containers"].as_array().unwrap();
    containers
        .iter()
        .map(|container| container["resources"].clone())
        .collect()
}

fn sidecar(image: &str) -> Value {
    json!([{"op": "add", "path": "/spec/containers/-", "value": {"name": "sidecar", "image": image}}])
}

#[test]
fn a_container_that_comes_after_us_is_filled_in_by_a_second_call() {
    let scene = scene();
    let meddler = meddler(&scene, Turn::Last, |_| sidecar("proxy:1.2.3"));
    let (answer, ours, theirs) = create(&scene, &meddler, "nginx:1.29.1");
    assert_eq!(resources(answer), [filled_in(), filled_in()]);
    assert_eq!((ours, theirs), (3, 1), "changed twice, judged once");
}

#[test]
fn a_container_that_comes_after_us_is_judged_like_any_other() {
    let scene = scene();
    let meddler = meddler(&scene, Turn::Last, |_| sidecar("proxy:latest"));
    let (answer, ..) = create(&scene, &meddler, "nginx:1.29.1");
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    let found = "`proxy:latest` changes whenever a new version is pushed (container `sidecar`, \
        spec.containers[1].image) [image-tags/image-latest]\n";
    assert!(answer.stderr.ends_with(found), "{answer:?}");
}

#[test]
fn what_is_judged_is_what_others_made_of_it() {
    let scene = scene();
    let path = "/spec/containers/0/image";
    for (turn, written, made, code) in [
        (Turn::First, "nginx:latest", "nginx:1.29.1", 0),
        (Turn::First, "nginx:1.29.1", "nginx:latest", 1),
        (Turn::Last, "nginx:latest", "nginx:1.29.1", 0),
        (Turn::Last, "nginx:1.29.1", "nginx:latest", 1),
    ] {
        let patch = json!([{"op": "replace", "path": path, "value": made}]);
        let meddler = meddler(&scene, turn, move |_| patch.clone());
        let (answer, ..) = create(&scene, &meddler, written);
        assert_eq!(answer.code, code, "{turn:?} {written} {made}: {answer:?}");
        if code == 0 {
            assert_eq!(resources(answer), [filled_in()], "{turn:?}");
        }
    }
}

/// Takes away what we have filled in.
fn undo(pod: &Value) -> Value {
    let path = "/spec/containers/0/resources";
    match pod["spec"]["containers"][0]["resources"].as_object() {
        Some(resources) if !resources.is_empty() => {
            json!([{"op": "replace", "path": path, "value": {}}])
        }
        _ => json!([]),
    }
}

#[test]
fn who_undoes_our_change_once_does_not_have_the_last_word() {
    let scene = scene();
    let meddler = meddler(&scene, Turn::Last, undo);
    let (answer, ours, theirs) = create(&scene, &meddler, "nginx:1.29.1");
    assert_eq!(resources(answer), [filled_in()]);
    assert_eq!((ours, theirs), (3, 1), "changed twice, judged once");
}

/// The API server calls each a second time at most: what is left then is
/// judged.
#[test]
fn who_undoes_our_change_whenever_we_make_it_is_refused_in_the_end() {
    let scene = scene();
    let meddler = meddler(&scene, Turn::LastAgain, undo);
    let (answer, ours, theirs) = create(&scene, &meddler, "nginx:1.29.1");
    assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{answer:?}");
    assert!(
        answer.stderr.contains("[resources/resources-missing]"),
        "{answer:?}"
    );
    assert_eq!((ours, theirs), (3, 2));
}
