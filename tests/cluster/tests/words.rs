//! What people see of a verdict (design: api-server.md, section 3), with the
//! kubectl of the API server's version, and in part with the machine's.

/// Objects that are filled in.
mod changes;
/// What is refused, by whatever command.
mod denials;
/// What passes, with a word or without.
mod warnings;

use portcullis_cluster::{Answer, Program, User};
use serde_json::{Value, json};

use crate::support::{Scene, cluster};

/// As in the profile `starter`, and nothing besides.
const IMAGE_TAGS: &str = include_str!("../../../pack/starter/image-tags.yaml");
const WEBHOOK: &str = "admission webhook \"ignore.validate.portcullis.dev\" denied the request: ";
/// Where the containers of a Deployment are.
const TEMPLATE: &str = "spec.template.spec.containers";
const MACHINE: &str = "the machine's kubectl";

/// The kubectl that belongs to the API server, and the machine's if it has one.
fn programs() -> Vec<(&'static str, Program)> {
    let machine = Program::of_the_machine().map(|program| (MACHINE, program));
    if machine.is_none() {
        eprintln!("this machine has no kubectl: only the built one is tried");
    }
    let built = ("the built kubectl", cluster().program());
    std::iter::once(built).chain(machine).collect()
}

/// What is found in an image of a container, and where.
fn finding(image: &str, container: usize, list: &str) -> String {
    let place = format!("(container `c{container}`, {list}[{container}].image)");
    let (name, tag) = image.split_once(':').unwrap_or((image, ""));
    let pin = format!("or pin a digest, as in `{name}@sha256:DIGEST`: `{image}`");
    let moves = "changes whenever a new version is pushed";
    match tag {
        "" => format!(
            "add a version, as in `{name}:VERSION`, {pin} has no tag, which means `latest`, and \
             {moves} {place} [image-tags/image-latest]"
        ),
        "latest" => format!(
            "write a version instead of `latest`, as in `{name}:VERSION`, {pin} {moves} {place} \
             [image-tags/image-latest]"
        ),
        _ => format!(
            "write the whole version, as in `{image}.MINOR.PATCH`, or pin a digest: `{image}` \
             names a major version only and moves with every minor release {place} \
             [image-tags/image-major-only]"
        ),
    }
}

/// A pod spec with containers `c0`, `c1` and so on of these images.
fn pod_spec(images: &[&str]) -> Value {
    let containers = images.iter().enumerate();
    let containers: Vec<Value> = containers
        .map(|(number, image)| json!({"name": format!("c{number}"), "image": image}))
        .collect();
    json!({"containers": containers})
}

/// A Deployment `web` with containers of these images.
fn web(images: &[&str]) -> String {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec(images)},
        },
    })
    .to_string()
}

impl Scene {
    /// As `dev`; again while a controller writes at the same time.
    fn dev(&self, program: &Program, arguments: &[&str], stdin: &str) -> Answer {
        let conflict = "Error from server (Conflict): ";
        let tries = (0..20).map(|_| self.namespace.run(program, User::Dev, arguments, stdin));
        let mut answers = tries.map(Result::unwrap);
        let settled = answers.find(|answer| !answer.stderr.contains(conflict));
        settled.expect("the controllers come to an end")
    }
}
