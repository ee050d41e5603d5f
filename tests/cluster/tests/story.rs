use portcullis_cluster::{Answer, story};

use crate::support::Scene;

const WARNING: &str = "Warning: write the whole version, as in `redis:8.MINOR.PATCH`, or pin a \
    digest: `redis:8` names a major version only and moves with every minor release (container \
    `cache`, spec.template.spec.containers[1].image) [image-tags/image-major-only]\n";
const DENIAL: &str = "Error from server (Forbidden): error when creating \"web-latest.yaml\": \
    admission webhook \"ignore.validate.portcullis.dev\" denied the request: write a version \
    instead of `latest`, as in `nginx:VERSION`, or pin a digest, as in `nginx@sha256:DIGEST`: \
    `nginx:latest` changes whenever a new version is pushed (container `web`, \
    spec.template.spec.containers[0].image) [image-tags/image-latest]\n";

fn answer(code: i32, stdout: &str, stderr: &str) -> Answer {
    Answer {
        code,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
    }
}

#[test]
fn latest_is_refused_the_mended_one_runs_and_stays_as_it_was_written() {
    let scene = Scene::new(&[]);
    let steps = story::tell(&scene.namespace, |_| {}).unwrap();
    let [refused, none, mended, rollout, pods, diff] = steps.try_into().ok().unwrap();
    assert_eq!(refused.answer, answer(1, "", &format!("{WARNING}{DENIAL}")));
    let nothing = format!(
        "No resources found in {} namespace.\n",
        scene.namespace.name()
    );
    assert_eq!(none.answer, answer(0, "", &nothing));
    assert_eq!(
        mended.answer,
        answer(0, "deployment.apps/web created\n", WARNING)
    );
    assert_eq!(rollout.answer.code, 0, "{:?}", rollout.answer);
    let running = "nginx:1.29.1,redis:8   Running";
    assert_eq!(
        pods.answer.stdout.lines().skip(1).collect::<Vec<_>>(),
        [running, running]
    );
    assert_eq!(diff.answer, answer(0, "", ""));
    // What a controller makes of it is asked about, too.
    let decisions = scene.portcullis.decisions();
    assert!(decisions.iter().any(|decision| decision["kind"] == "Pod"));
}
