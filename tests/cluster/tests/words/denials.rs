use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_cluster::{Answer, Program, User};

use super::{IMAGE_TAGS, MACHINE, TEMPLATE, WEBHOOK, finding, programs, web};
use crate::support::{Scene, cluster};

/// Of the commands below the machine's kubectl gets one in so many.
const SHARE: u64 = 4;
/// What `debug` in kubectl 1.32 says first.
const LEGACY: &str = "--profile=legacy is deprecated and will be removed in the future. It is \
    recommended to explicitly specify a profile, for example \"--profile=general\".\n";

/// Who runs a command, its arguments, its input, and what it says; `NS` stands
/// for the namespace.
type Case = (User, Vec<&'static str>, String, String);

const TO_LATEST: &str =
    r#"-p={"spec":{"template":{"spec":{"containers":[{"name":"c0","image":"nginx:latest"}]}}}}"#;

fn with_manifest() -> Vec<Case> {
    let (bad, found) = (web(&["nginx:latest"]), finding("nginx:latest", 0, TEMPLATE));
    let forbidden = "Error from server (Forbidden): ";
    let creating = "error when creating \"STDIN\": ";
    let two = web(&["nginx:latest", "redis", "redis:8"]);
    let second = finding("redis", 1, TEMPLATE);
    let warning = finding("redis:8", 2, TEMPLATE);
    let several = format!("Warning: {warning}\n{forbidden}{creating}{WEBHOOK}{found}\n{second}\n");
    let case = |command: &str, stdin: &String, said: String| {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let words = words
            .into_iter()
            .map(|word| &*word.leak())
            .chain(["-f", "-"])
            .collect();
        (User::Dev, words, stdin.clone(), said)
    };
    let plain = format!("{forbidden}{WEBHOOK}{found}\n");
    let patching = format!("{forbidden}error when patching \"STDIN\": {WEBHOOK}{found}\n");
    vec![
        case("create", &two, several.clone()),
        case("create --dry-run=server", &two, several),
        case(
            "replace",
            &bad,
            format!("{forbidden}error when replacing \"STDIN\": {WEBHOOK}{found}\n"),
        ),
        case("apply --server-side --force-conflicts", &bad, plain.clone()),
        case(
            "apply --server-side --force-conflicts --dry-run=server",
            &bad,
            plain.clone(),
        ),
        case("diff", &bad, patching),
        case("diff --server-side --force-conflicts", &bad, plain),
        case(
            "apply",
            &bad,
            format!(
                "{forbidden}error when applying patch:\nPATCH\nto:\nResource: \"apps/v1, \
             Resource=deployments\", GroupVersionKind: \"apps/v1, Kind=Deployment\"\nName: \
             \"web\", Namespace: \"NS\"\nfor: \"STDIN\": error when patching \"STDIN\": \
             {WEBHOOK}{found}\n"
            ),
        ),
    ]
}

fn with_words() -> Vec<Case> {
    let found = finding("nginx:latest", 0, TEMPLATE);
    let plain = format!("Error from server (Forbidden): {WEBHOOK}");
    let named = |image: &str, container: &str, place: &str| {
        let text = finding(image, 0, "LIST");
        text.replace("`c0`", &format!("`{container}`"))
            .replace("LIST[0].image", place)
    };
    let case = |user, words: &[&'static str], said: String| {
        (user, words.to_vec(), String::new(), format!("{said}\n"))
    };
    let ephemeral = named("busybox", "dbg", "spec.ephemeralContainers[0].image");
    let copied = named("busybox", "dbg", "spec.containers[1].image");
    let run = named("nginx", "p", "spec.containers[0].image");
    let created = named("nginx", "nginx", "spec.template.spec.containers[0].image");
    vec![
        case(
            User::Dev,
            &["patch", "deployment/web", TO_LATEST],
            format!("{plain}{found}"),
        ),
        case(
            User::Dev,
            &["set", "image", "deployment/web", "c0=nginx:latest"],
            format!("error: failed to patch image update to pod template: {WEBHOOK}{found}"),
        ),
        case(
            User::Dev,
            &["edit", "deployment/web"],
            format!(
                "error: deployments.apps \"web\" could not be patched: {WEBHOOK}{found}\nYou can run \
             `kubectl replace -f FILE` to try this update again."
            ),
        ),
        case(
            User::Dev,
            &["run", "p", "--image=nginx"],
            format!("{plain}{run}"),
        ),
        case(
            User::Dev,
            &["create", "deployment", "d", "--image=nginx"],
            format!("error: failed to create deployment: {WEBHOOK}{created}"),
        ),
        // The role `edit` does not grant it.
        case(
            User::Admin,
            &["debug", "pod/good", "--image=busybox", "-c", "dbg"],
            format!("{plain}{ephemeral}"),
        ),
        case(
            User::Dev,
            &[
                "debug",
                "pod/good",
                "--image=busybox",
                "--copy-to=copy",
                "-c",
                "dbg",
            ],
            format!("{plain}{copied}"),
        ),
    ]
}

/// What was said, without what differs each time: the patch that `apply`
/// prints, the file that `edit` leaves (and that is removed here).
fn settled(answer: Answer) -> String {
    let mut said = answer.stderr;
    if let Some((before, rest)) = said.split_once("applying patch:\n") {
        let (patch, rest) = rest.split_once('\n').unwrap();
        assert!(
            patch.contains("nginx:latest"),
            "kubectl prints what was applied: {patch}"
        );
        said = format!("{before}applying patch:\nPATCH\n{rest}");
    }
    let file = said
        .split_once("replace -f ")
        .and_then(|(_, rest)| rest.split_once('`'));
    if let Some((file, _)) = file {
        std::fs::remove_file(file).unwrap();
        said = said.replace(file, "FILE");
    }
    said
}

fn try_one(scene: &Scene, name: &str, program: &Program, case: &Case) {
    let (user, arguments, stdin, said) = case;
    let mut expected = said.replace("NS", scene.namespace.name());
    if name == MACHINE && arguments[0] == "debug" {
        expected.insert_str(0, LEGACY);
    }
    let answer = scene
        .namespace
        .run(program, *user, arguments, stdin)
        .unwrap();
    let (code, stdout) = (answer.code, answer.stdout.clone());
    // `diff` keeps 1 for a difference.
    let refused = if arguments[0] == "diff" { 2 } else { 1 };
    assert_eq!(
        (code, stdout.as_str()),
        (refused, ""),
        "{name}: {arguments:?}: {answer:?}"
    );
    assert_eq!(settled(answer), expected, "{name}: {arguments:?}");
}

#[test]
fn whatever_command_is_refused_says_what_to_write_instead() {
    let scene = Scene::with_policy(cluster().namespace().unwrap(), IMAGE_TAGS);
    let built = cluster().program();
    let good = web(&["nginx:1.29.1"]);
    scene
        .dev(&built, &["apply", "-f", "-"], &good)
        .ok()
        .unwrap();
    scene
        .dev(&built, &["run", "good", "--image=nginx:1.29.1"], "")
        .ok()
        .unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = now.as_secs() % SHARE;
    eprintln!("seed {seed} of {SHARE}");
    let cases = [with_manifest(), with_words()].concat();
    for (name, program) in programs() {
        let program = program.with_editor("sed -i s/1.29.1/latest/");
        for (number, case) in cases.iter().enumerate() {
            if name != MACHINE || number as u64 % SHARE == seed {
                try_one(&scene, name, &program, case);
            }
        }
    }
    let names = [
        "get",
        "deployments,pods",
        "-o",
        "jsonpath={range .items[*]}{.metadata.name} ",
    ];
    let there = scene.dev(&built, &[&names[..3], &["jsonpath={..image}"]].concat(), "");
    assert!(
        !there.ok().unwrap().contains("latest"),
        "nothing of it is there"
    );
}
