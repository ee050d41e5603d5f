//! `portcullis webhook-config`: what is printed, and what is refused.

use portcullis_manifest as manifest;
use serde_json::{Value, json};

use crate::support::{Scratch, run, stderr, stdout};

/// A folder with `ca.crt` of a new CA, and its path.
fn ca() -> (Scratch, String) {
    let scratch = Scratch::new();
    let folder = scratch.path().join("certs").display().to_string();
    assert!(run(&["certs", &folder]).status.success());
    (scratch, format!("{folder}/ca.crt"))
}

/// The documents that it prints with these options.
fn printed(arguments: &[&str]) -> Vec<Value> {
    let (_scratch, ca) = ca();
    let output = run(&[&["webhook-config", "--ca-file", &ca], arguments].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let stream = manifest::read(stdout(&output).as_bytes());
    assert!(stream.broken.is_empty() && stream.skipped.is_empty());
    stream
        .objects
        .into_iter()
        .map(|object| object.value)
        .collect()
}

#[test]
fn the_registration_is_read_back_as_two_configurations() {
    let service = [
        "--service",
        "portcullis/webhook:8443",
        "--profile",
        "strict",
    ];
    let documents = printed(&service);
    let [validating, mutating] = documents.as_slice() else {
        panic!("two documents: {documents:?}");
    };
    assert_eq!(validating["kind"], "ValidatingWebhookConfiguration");
    assert_eq!(mutating["kind"], "MutatingWebhookConfiguration");
    let webhook = &validating["webhooks"][0];
    assert_eq!(webhook["name"], "fail.validate.portcullis.dev");
    assert_eq!(webhook["failurePolicy"], "Fail");
    assert_eq!(webhook["admissionReviewVersions"], json!(["v1"]));
    let service = json!({"namespace": "portcullis", "name": "webhook", "port": 8443,
        "path": "/validate/fail"});
    assert_eq!(webhook["clientConfig"]["service"], service);
    let left_out = [
        "kube-node-lease",
        "kube-public",
        "kube-system",
        "portcullis",
    ];
    assert_eq!(
        webhook["namespaceSelector"]["matchExpressions"],
        json!([{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": left_out}])
    );
}

#[test]
fn the_options_of_policies_decide_what_is_registered() {
    let scratch = Scratch::new();
    let policy = scratch.file(
        "policy.yaml",
        "apiVersion: portcullis.dev/v1alpha1\nkind: WasmPolicy\nmetadata: {name: own}\n\
         spec:\n  program: {builtin: image-tags}\n  matchConstraints:\n    resourceRules:\n    - \
         {apiGroups: [batch], apiVersions: [v1], resources: [jobs], operations: [CREATE]}\n",
    );
    let documents = printed(&[
        "--url=https://[::1]:8443",
        "--profile=none",
        &format!("--policies={policy}"),
        "--exclude-namespace=legacy",
        "--namespace-selector=env!=dev",
        "--name=own",
    ]);
    assert_eq!(documents[0]["metadata"]["name"], "own");
    let webhook = &documents[0]["webhooks"][0];
    let url = "https://[::1]:8443/validate/fail";
    assert_eq!(webhook["clientConfig"]["url"], url);
    let rule = json!({"apiGroups": ["batch"], "apiVersions": ["v1"], "resources": ["jobs"],
        "operations": ["CREATE"]});
    assert_eq!(webhook["rules"], json!([rule]));
    let left_out = ["kube-node-lease", "kube-public", "kube-system", "legacy"];
    let expected = json!([
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": left_out},
        {"key": "env", "operator": "NotIn", "values": ["dev"]},
    ]);
    assert_eq!(webhook["namespaceSelector"]["matchExpressions"], expected);
}

#[test]
fn bad_options_are_one_line_with_a_remedy() {
    let (scratch, ca) = ca();
    let key = ca.replace("ca.crt", "ca.key");
    let unknown = scratch.file(
        "unknown.yaml",
        "apiVersion: portcullis.dev/v1alpha1\nkind: WasmPolicy\nmetadata: {name: lost}\n\
         spec: {program: {file: lost.wasm}}\n",
    );
    let url = "--url=https://a";
    for (arguments, text) in [
        (vec![], "--url or --service is needed"),
        (vec![url, "--service=a/b"], "--url or --service is needed"),
        (vec!["--url=http://a"], "write `https://HOST:PORT`"),
        (vec!["--service=a"], "write `NAMESPACE/NAME`"),
        (vec![url, "--name=A"], "--name `A` is no name"),
        (
            vec![url, "--namespace-selector=a b"],
            "--namespace-selector `a b`",
        ),
        (
            vec![url, "--ca-file=/nowhere"],
            "--ca-file /nowhere cannot be read",
        ),
        (vec![url, "--ca-file", &key], "holds a private key"),
        (vec![url, "--ca-file", &unknown], "holds no certificate"),
        (vec![url, "--profile=none"], "no policy is in force"),
        (
            vec![url, "--policies", &unknown],
            "policy `lost` cannot be registered",
        ),
    ] {
        let own_ca = arguments
            .iter()
            .any(|argument| argument.starts_with("--ca-file"));
        let mut all = vec!["webhook-config"];
        if !own_ca {
            all.extend(["--ca-file", &ca]);
        }
        all.extend(&arguments);
        let output = run(&all);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("error: ") && said.contains(text), "{said}");
        assert_eq!(stdout(&output), "");
    }
}
