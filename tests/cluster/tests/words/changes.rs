use std::time::{Duration, Instant};

use portcullis_cluster::{Answer, Program};

use super::{programs, web};
use crate::support::{DEFAULTS, Scene, cluster};

/// For controllers to come to an end, on a busy machine.
const SETTLED: Duration = Duration::from_secs(60);

/// What `kubectl diff` says of a Deployment `web` that nobody else changed
/// meanwhile: kubectl reads it twice, and what controllers write between (the
/// status, while its pods start) is a difference to it.
fn diff(scene: &Scene, program: &Program, options: &str, manifest: &str) -> Answer {
    let arguments: Vec<&str> = options.split(' ').collect();
    let version = ["get", "deployment/web", "-o"];
    let version = [&version[..], &["jsonpath={.metadata.resourceVersion}"]].concat();
    let version = || scene.dev(program, &version, "").ok().unwrap();
    let started = Instant::now();
    loop {
        let before = version();
        let answer = scene.dev(program, &arguments, manifest);
        if version() == before {
            return answer;
        }
        assert!(started.elapsed() < SETTLED, "controllers go on and on");
    }
}

#[test]
fn a_change_shows_in_a_dry_run_and_in_what_is_there_but_never_in_a_diff() {
    let scene = Scene::with_policy(cluster().namespace().unwrap(), DEFAULTS);
    let manifest = web(&["nginx:1.29.1"]);
    let memory = "jsonpath={.spec.template.spec.containers[0].resources.limits.memory}";
    for (name, program) in programs() {
        let dev = |command: &str, stdin: &str| {
            let arguments: Vec<&str> = command.split(' ').collect();
            let answer = scene.dev(&program, &arguments, stdin);
            assert_eq!(answer.stderr, "", "{name}: {command}");
            answer.ok().unwrap()
        };
        let dry = format!("create --dry-run=server -f - -o {memory}");
        assert_eq!(dev(&dry, &manifest), "64Mi", "{name}");
        assert_eq!(
            dev("get deployments -o name --ignore-not-found", ""),
            "",
            "{name}"
        );
        dev("apply -f -", &manifest);
        assert_eq!(
            dev(&format!("get deployment/web -o {memory}"), ""),
            "64Mi",
            "{name}"
        );
        let undisturbed = |options: &str| {
            let answer = diff(&scene, &program, options, &manifest);
            let said = (answer.stdout.as_str(), answer.stderr.as_str());
            assert_eq!((answer.code, said), (0, ("", "")), "{name}: {options}");
        };
        undisturbed("diff -f -");
        assert_eq!(
            dev("apply -f -", &manifest),
            "deployment.apps/web unchanged\n",
            "{name}"
        );
        dev("replace -f -", &manifest);
        assert_eq!(
            dev(&format!("get deployment/web -o {memory}"), ""),
            "64Mi",
            "{name}"
        );
        let undone = format!(
            "patch deployment/web --type=json -p=[{{\"op\":\"remove\",\"path\":\"/spec/template/spec/containers/0/resources\"}}] -o {memory}"
        );
        assert_eq!(dev(&undone, ""), "64Mi", "{name}");
        dev("delete deployment/web", "");
        dev("apply --server-side -f -", &manifest);
        undisturbed("diff --server-side -f -");
        dev("delete deployment/web", "");
    }
}
