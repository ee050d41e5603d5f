use super::{programs, web};
use crate::support::{DEFAULTS, Scene, cluster};

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
        assert_eq!(dev("diff -f -", &manifest), "", "{name}");
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
        assert_eq!(dev("diff --server-side -f -", &manifest), "", "{name}");
        dev("delete deployment/web", "");
    }
}
