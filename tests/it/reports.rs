//! `check --output sarif` and `junit`: read back by a schema and a parser.

mod junit;
mod sarif;

use serde_json::{Value, json};

use crate::corpora::CORPORA;
use crate::support::{Scratch, portcullis, root, stdout};

const BAD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad, namespace: shop}\nspec: {containers: [{name: a, image: 'a:latest'}]}\n";
const WARNED: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: warned}\nspec: {containers: [{name: a, image: 'a:stable'}]}\n";
const AUDITED: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: audited}\nspec: {containers: [{name: a, image: 'a:1.2'}]}\n";
const SYSTEM: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: s, namespace: kube-system}\n";

/// Exit code and text of a run in a folder.
fn check(folder: &std::path::Path, output: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments = [&["check", "--output", output], arguments].concat();
    let mut command = portcullis(&arguments);
    let output = command.current_dir(folder).output().expect("it runs");
    (output.status.code(), stdout(&output))
}

/// Fails for what is no SARIF.
pub(crate) fn valid_sarif(text: &str) {
    let log = serde_json::from_str(text).expect("JSON");
    assert_eq!(sarif::problem(&log), "");
}

fn json(folder: &std::path::Path, arguments: &[&str]) -> Value {
    let text = check(folder, "json", arguments).1;
    serde_json::from_str(&text).expect("a report")
}

/// A folder with everything that can go wrong in it, and the arguments that
/// check it: two policies of one program, one that does not load, a document
/// that is broken, one that is a template, one in a system namespace, a file
/// that is not there, hostile names.
fn everything() -> (Scratch, Vec<String>) {
    let scratch = Scratch::new();
    let hostile = json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "e\u{1b}]]>&\u{202e}\u{ffff}\""},
        "spec": {"containers": [{"name": "[x](http://evil.example)\u{7}", "image": "a:latest"}]}});
    scratch.file(
        "a/all.yaml",
        [BAD, WARNED, AUDITED, BAD, SYSTEM].join("---\n"),
    );
    scratch.file("a/b c#ü.yaml", hostile.to_string());
    scratch.file("a/broken.yaml", format!("a: [\n---\n{BAD}"));
    scratch.file(
        "a/template.yaml",
        "apiVersion: v1\nkind: {{ .Values.kind }}\n",
    );
    let policy = |name: &str, program: Value| {
        let spec = json!({"program": program});
        let kind = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy"});
        let mut document = kind;
        document["metadata"] = json!({"name": name});
        document["spec"] = spec;
        scratch.file(&format!("p/{name}.json"), document.to_string());
    };
    policy("image-tags-too", json!({"builtin": "image-tags"}));
    policy("absent", json!({"file": "absent.wasm"}));
    let arguments = ["--policies", "p", "a", "nowhere.yaml", "./a/all.yaml"];
    (scratch, arguments.map(String::from).to_vec())
}

/// Each corpus, by its folder.
fn corpora() -> [std::path::PathBuf; 3] {
    let folder = root().join("tests/data/corpora");
    CORPORA.map(|corpus| folder.join(corpus))
}

#[test]
fn every_output_ends_with_the_same_exit_code() {
    let (everything, arguments) = everything();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    everything.file("ok.yaml", AUDITED);
    for (arguments, code) in [
        (arguments.as_slice(), 2),
        (&["a/all.yaml"], 1),
        (&["ok.yaml"], 0),
        (&["a/broken.yaml", "--allow-broken"], 1),
    ] {
        for output in ["human", "json", "sarif", "junit"] {
            let found = check(everything.path(), output, arguments).0;
            assert_eq!(found, Some(code), "{output} {arguments:?}");
        }
    }
}
