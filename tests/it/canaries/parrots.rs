//! Policies that repeat what objects hold: in findings, and as the error that
//! they end with. Without a grant, none of it gets further than the host.

use serde_json::{Value, json};

use super::Bench;
use super::objects::Placed;
use crate::guests::text::Guest;
use crate::support::Scratch;

/// Kinds, each with its resource and the place of an object that is repeated.
const REPEATED: [(&str, &str, &str, &str); 4] = [
    ("configmap", "", "configmaps", "ConfigMap, under a key"),
    ("secret", "", "secrets", "Secret, data"),
    ("deployment", "apps", "deployments", "Deployment, env"),
    ("arguments", "apps", "deployments", "Deployment, args"),
];

/// Writes them to the folder `p`, two for each of some objects.
pub(super) fn write(scratch: &Scratch, bench: &Bench) {
    for (name, group, resource, place) in REPEATED {
        let placed = bench.objects.iter().find(|placed| placed.place == place);
        let placed = placed.expect("an object of each place");
        let texts: Vec<&str> = texts(bench, placed).collect();
        let finding = |text: &&str| {
            json!({"code": "parrot", "message": format!("it is {text}"),
                "remedy": format!("not {text}, but"), "container": text, "path": ""})
        };
        let findings: Vec<Value> = texts.iter().map(finding).collect();
        let rule = json!({"apiGroups": [group], "apiVersions": ["*"], "resources": [resource],
            "operations": ["*"], "resourceNames": [placed.object["metadata"]["name"]]});
        let answers = [
            (format!("parrot-{name}"), json!({"findings": findings})),
            (
                format!("parrot-{name}-error"),
                json!({"error": texts.join(" or ")}),
            ),
        ];
        for (name, answer) in answers {
            write_one(scratch, &name, &answer, &rule);
        }
    }
}

/// Whether a policy repeats what this object holds: it knows it as it should
/// be, and not as a part of some longer text.
pub(super) fn repeat(bench: &Bench, placed: &Placed) -> bool {
    let is_first = |place: &str| {
        let first = bench.objects.iter().find(|one| one.place == place);
        first.is_some_and(|first| first.canaries == placed.canaries)
    };
    REPEATED.iter().any(|(.., place)| is_first(place))
}

fn texts<'b>(bench: &'b Bench, placed: &Placed) -> impl Iterator<Item = &'b str> {
    bench.canaries[placed.canaries.clone()]
        .iter()
        .map(|canary| canary.text.as_str())
}

fn write_one(scratch: &Scratch, name: &str, answer: &Value, rule: &Value) {
    let guest = Guest {
        answer: answer.to_string(),
        ..Guest::default()
    };
    let guest = guest.described(|description| {
        description["name"] = name.into();
        description["codes"] = json!([{"code": "parrot", "level": "error", "meaning": "m"}]);
    });
    scratch.file(&format!("p/{name}.wasm"), guest.component());
    let policy = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
        "metadata": {"name": name}, "spec": {"program": {"file": format!("{name}.wasm")},
            "failurePolicy": "Fail", "matchConstraints": {"resourceRules": [rule]}}});
    scratch.file(&format!("p/{name}.json"), policy.to_string());
}
