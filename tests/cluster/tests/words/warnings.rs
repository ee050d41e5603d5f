use portcullis_cluster::Program;
use serde_json::{Value, json};

use super::{IMAGE_TAGS, TEMPLATE, finding, programs, web};
use crate::support::{Scene, cluster};

/// A command, whether the manifest is its input, and what it prints.
type Step = (&'static str, bool, &'static str);

/// Each changes a Deployment with `redis:8`.
const WARNED: [Step; 7] = [
    ("create --dry-run=server", true, "created (server dry run)"),
    // It is written all the same.
    ("create --save-config --warnings-as-errors", true, "created"),
    ("apply", true, "configured"),
    (
        "apply --server-side --force-conflicts",
        true,
        "serverside-applied",
    ),
    ("replace --save-config", true, "replaced"),
    ("rollout restart deployment/web", false, "restarted"),
    ("rollout pause deployment/web", false, "paused"),
];

/// Nobody asks us.
const SILENT: [Step; 4] = [
    // No write is sent for what is there already.
    ("apply", true, "unchanged"),
    ("scale deployment/web --replicas=2", false, "scaled"),
    ("rollout history deployment/web", false, "REVISION"),
    ("delete deployment/web --wait=false", false, "deleted"),
];

/// The manifest in its form of that number.
fn manifest(form: usize) -> String {
    let mut manifest: Value = serde_json::from_str(&web(&["nginx:1.29.1", "redis:8"])).unwrap();
    manifest["spec"]["template"]["metadata"]["annotations"] = json!({"form": form.to_string()});
    manifest.to_string()
}

fn try_one(scene: &Scene, program: &Program, step: &Step, form: usize, warnings: &str) {
    let (command, has_input, printed) = step;
    let mut arguments: Vec<&str> = command.split(' ').collect();
    if *has_input {
        arguments.extend(["-f", "-"]);
    }
    let answer = scene.dev(program, &arguments, &manifest(form));
    let is_strict = command.contains("--warnings-as-errors");
    assert_eq!(answer.code, i32::from(is_strict), "{command}: {answer:?}");
    assert!(answer.stdout.contains(printed), "{command}: {answer:?}");
    let mut said = answer.stderr.as_str();
    if is_strict {
        // The last line, which each version of kubectl words in its way.
        let (before, last) = said.trim_end().rsplit_once('\n').unwrap();
        assert!(last.contains("1 warning received"), "{command}: {last}");
        said = before;
    }
    assert_eq!(said.trim_end(), warnings, "{command}");
}

#[test]
fn a_warning_is_one_line_whatever_the_command_and_silence_is_silence() {
    let scene = Scene::with_policy(cluster().namespace().unwrap(), IMAGE_TAGS);
    let warning = format!("Warning: {}", finding("redis:8", 1, TEMPLATE));
    for (name, program) in programs() {
        eprintln!("{name}");
        for (form, step) in WARNED.iter().enumerate() {
            try_one(&scene, &program, step, form, &warning);
        }
        let replaced = WARNED.iter().rposition(|(_, has_input, _)| *has_input);
        for step in &SILENT {
            try_one(&scene, &program, step, replaced.unwrap(), "");
        }
    }
}

/// The API server shows 4 KB of warnings; what is left out is said.
#[test]
fn many_warnings_are_cut_with_a_count() {
    let scene = Scene::with_policy(cluster().namespace().unwrap(), IMAGE_TAGS);
    let images: Vec<String> = (0..40)
        .map(|number| format!("example/a{number}:8"))
        .collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let create = ["create", "--dry-run=server", "-f", "-"];
    let answer = scene.dev(&cluster().program(), &create, &web(&images));
    assert_eq!(answer.code, 0, "{answer:?}");
    let lines: Vec<&str> = answer.stderr.lines().collect();
    let (last, shown) = lines.split_last().unwrap();
    assert_eq!(
        shown[0],
        format!("Warning: {}", finding(images[0], 0, TEMPLATE))
    );
    let left = images.len() - shown.len();
    assert!(
        left > 0 && last.contains(&left.to_string()),
        "{left} left out: {last}"
    );
}
