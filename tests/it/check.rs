//! `portcullis check`: inputs, outputs, exit codes.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Scratch, portcullis, run, stderr, stdout};

const GOOD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\nspec: {containers: [{name: a, image: 'a:1.2.3'}]}\n";
const BAD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: bad}\nspec: {containers: [{name: a, image: 'a:latest'}]}\n";
const WARNED: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: warned}\nspec: {containers: [{name: a, image: 'a:stable'}]}\n";

/// Exit code and report of `check --output json`.
fn report(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(&[&["check", "--output", "json"], arguments].concat());
    let report =
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    (output.status.code(), report)
}

fn policy(name: &str, spec: &Value) -> String {
    json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy", "metadata": {"name": name}, "spec": spec})
        .to_string()
}

#[test]
fn exit_codes_keep_denied_and_unjudged_apart() {
    let scratch = Scratch::new();
    let (good, bad) = (
        scratch.file("good.yaml", GOOD),
        scratch.file("bad.yaml", BAD),
    );
    let warned = scratch.file("warned.yaml", WARNED);
    let broken = scratch.file("broken.yaml", format!("a: [\n---\n{GOOD}"));
    let empty = scratch.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    let empty = empty.to_str().expect("UTF-8");
    for (arguments, code) in [
        (vec![good.as_str()], 0),
        (vec![&bad], 1),
        (vec![&warned], 0),
        (vec![&warned, "--fail-on", "warn"], 1),
        (vec![&broken], 2),
        (vec![&broken, &bad], 2),
        (vec![&broken, "--allow-broken"], 0),
        (vec![&broken, &bad, "--allow-broken"], 1),
        (vec!["/nowhere", &good], 2),
        (vec!["/nowhere", &good, "--allow-broken"], 2),
        (vec![empty], 2),
        (vec![&bad, "--profile", "observe"], 0),
        (vec![&warned, "--profile", "strict"], 1),
    ] {
        assert_eq!(report(&arguments).0, Some(code), "{arguments:?}");
    }
}

/// The findings of the policy on images: the others of the pack have something
/// to say of nearly everything here.
fn of_images(report: &Value) -> Vec<&Value> {
    let findings = report["findings"].as_array().expect("findings");
    let of_images = findings
        .iter()
        .filter(|finding| finding["policy"] == "image-tags");
    of_images.collect()
}

#[test]
fn a_broken_document_is_placed_and_the_rest_is_judged() {
    let scratch = Scratch::new();
    let file = scratch.file("a.yaml", format!("{BAD}---\na: b\n  c: d\n---\n{WARNED}"));
    let (_, report) = report(&[&file]);
    assert_eq!(report["summary"]["objects"], 2);
    let failure = &report["failures"][0];
    assert_eq!(
        (&failure["file"], &failure["document"]),
        (&json!(file), &json!(1))
    );
    assert_eq!(failure["line"], 7, "{failure}");
    assert!(failure["column"].as_u64().is_some_and(|column| column > 0));
    assert_eq!(of_images(&report)[1]["document"], 2);
}

#[test]
fn standard_input_is_read_from_a_pipe_and_may_be_closed() {
    let mut check = portcullis(&["check", "--output", "json", "-"]);
    let mut child = check
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(BAD.as_bytes())
        .expect("written");
    let output = child.wait_with_output().expect("it ends");
    let found: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(found["findings"][0]["file"], "-");
    assert_eq!(report(&["-"]).0, Some(2));
}

#[test]
fn what_is_no_object_is_passed_over_and_counted() {
    let scratch = Scratch::new();
    scratch.file(
        "chart/templates/a.yaml",
        "apiVersion: v1\nkind: Pod\nspec: {{ .Values.spec }}\n",
    );
    scratch.file("chart/values.yaml", "image: nginx:latest\n");
    scratch.file(
        "kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    );
    scratch.file("list.yaml", "- a\n");
    scratch.file(".git/a.yaml", BAD);
    scratch.file("notes.txt", BAD);
    scratch.file("good.yml", GOOD);
    let (code, report) = report(&[scratch.path().to_str().expect("UTF-8")]);
    let mut codes: Vec<_> = report["skipped"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| s["code"].as_str().expect("text"))
        .collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "kustomization",
            "not-a-manifest",
            "not-an-object",
            "template"
        ]
    );
    assert_eq!((code, &report["summary"]["objects"]), (Some(0), &json!(1)));
}

#[test]
fn objects_are_found_in_every_form_they_come_in() {
    let scratch = Scratch::new();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "j"},
        "spec": {"containers": [{"name": "a", "image": "a"}]}});
    scratch.file("a.json", pod.to_string());
    scratch.file("b.yaml", format!("\u{feff}{}", BAD.replace('\n', "\r\n")));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret"}, pod]});
    scratch.file("c.yaml", list.to_string());
    scratch.file("d.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: d}\nx: &i {name: a, image: 'a:latest'}\nspec: {containers: [*i]}\n");
    let (code, report) = report(&[scratch.path().to_str().expect("UTF-8")]);
    let found = of_images(&report);
    let items: Vec<_> = found
        .iter()
        .map(|finding| finding["item"].clone())
        .collect();
    assert_eq!(
        (code, items),
        (
            Some(1),
            vec![json!(null), json!(null), json!(1), json!(null)]
        )
    );
    assert_eq!(report["failures"], json!([]));
}

#[test]
fn a_finding_has_every_member_of_the_contract() {
    let scratch = Scratch::new();
    let file = scratch.file("a.yaml", BAD);
    let moved = scratch.file("b/moved.yaml", format!("# moved\n---\n{GOOD}---\n{BAD}"));
    let (_, report) = report(&[&file, &moved]);
    assert_eq!(report["schema"], 1);
    let [finding, again] = of_images(&report)[..] else {
        panic!("{report}")
    };
    let expected = json!({
        "policy": "image-tags", "code": "image-latest", "level": "error", "action": "deny",
        "file": file, "document": 0, "item": null, "line": 4, "column": 38,
        "apiVersion": "v1", "kind": "Pod", "namespace": null, "name": "bad",
        "path": "/spec/containers/0/image", "container": "a",
    });
    for (member, value) in expected.as_object().expect("a map") {
        assert_eq!(&finding[member], value, "{member}");
    }
    for member in ["message", "remedy", "fingerprint"] {
        assert!(
            finding[member]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{member}"
        );
    }
    assert_eq!(finding.as_object().map(serde_json::Map::len), Some(18));
    assert_eq!(again["fingerprint"], finding["fingerprint"]);
    assert_eq!(again["document"], 1);
    // Each of the three Pods lacks both probes, all resources and a namespace.
    let summary = json!({"objects": 3, "findings": 14, "denied": 2, "warned": 3, "failures": 0, "skipped": 0});
    assert_eq!(report["summary"], summary);
}

#[test]
fn the_namespace_default_is_judged_for_every_kind_that_has_one() {
    let scratch = Scratch::new();
    for (version, kind, codes) in [
        ("v1", "ConfigMap", vec!["default-namespace"]),
        ("example.org/v1", "Widget", vec!["default-namespace"]),
        ("v1", "Event", vec![]),
        ("events.k8s.io/v1", "Event", vec![]),
        ("coordination.k8s.io/v1", "Lease", vec![]),
        ("v1", "PersistentVolume", vec![]),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", vec![]),
    ] {
        let metadata = json!({"name": "a", "namespace": "default"});
        let object = json!({"apiVersion": version, "kind": kind, "metadata": metadata});
        let file = scratch.file("a.json", object.to_string());
        let (_, report) = report(&[&file]);
        let findings = report["findings"].as_array().expect("findings");
        let found: Vec<_> = findings.iter().map(|finding| &finding["code"]).collect();
        assert_eq!(found, codes, "{version} {kind}");
    }
}

#[test]
fn owned_objects_are_reported_at_their_owner() {
    let scratch = Scratch::new();
    let owner = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: rs}\nspec: {template: {spec: {containers: [{name: a, image: a}]}}}\n";
    let owned = BAD.replace("{name: bad}", "{name: rs-1, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: rs, controller: true}]}");
    let file = scratch.file("a.yaml", format!("{owner}---\n{owned}"));
    let (_, both) = report(&[&file]);
    assert_eq!(
        (&both["summary"]["denied"], &both["skipped"][0]["code"]),
        (&json!(1), &json!("owned"))
    );
    let alone = scratch.file("b.yaml", &owned);
    assert_eq!(report(&[&alone]).1["summary"]["denied"], 1);
}

#[test]
fn system_namespaces_are_passed_over_unless_named_otherwise() {
    let scratch = Scratch::new();
    let file = scratch.file(
        "a.yaml",
        BAD.replace("name: bad", "name: bad, namespace: kube-system"),
    );
    let (code, found) = report(&[&file]);
    assert_eq!(
        (code, &found["skipped"][0]["code"]),
        (Some(0), &json!("excluded-namespace"))
    );
    assert_eq!(report(&[&file, "--exclude-namespace", "other"]).0, Some(1));
}

#[test]
fn a_document_overrides_the_pack_by_code_and_namespace() {
    let scratch = Scratch::new();
    let overrides = json!([{"codes": ["image-latest"], "namespaceSelector": {"matchLabels": {"env": "dev"}},
        "validationActions": ["Warn"]}]);
    let own = scratch.file(
        "p.json",
        policy(
            "image-tags",
            &json!({"program": {"builtin": "image-tags"}, "overrides": overrides}),
        ),
    );
    let namespace = |env: &str| {
        format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: default, labels: {{env: {env}}}}}\n---\n{BAD}"
        )
    };
    let (dev, prod) = (
        scratch.file("dev.yaml", namespace("dev")),
        scratch.file("prod.yaml", namespace("prod")),
    );
    for (file, action) in [(&dev, "warn"), (&prod, "deny")] {
        let (_, report) = report(&[file, "--policies", &own]);
        assert_eq!(of_images(&report)[0]["action"], action);
    }
}

#[test]
fn an_unknown_label_matches_and_the_finding_says_so() {
    let scratch = Scratch::new();
    let rule = json!({"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]});
    let constraints =
        json!({"resourceRules": [rule], "namespaceSelector": {"matchLabels": {"env": "prod"}}});
    let own = scratch.file(
        "p.json",
        policy(
            "image-tags",
            &json!({"program": {"builtin": "image-tags"}, "matchConstraints": constraints}),
        ),
    );
    let file = scratch.file("a.yaml", BAD);
    let (_, report) = report(&[&file, "--policies", &own]);
    let message = of_images(&report)[0]["message"].as_str().expect("text");
    assert!(message.ends_with("the namespace's labels are not known here"));
}

#[test]
fn bad_policies_are_one_line_each_with_place_and_remedy() {
    let scratch = Scratch::new();
    let good = scratch.file("good.yaml", GOOD);
    let builtin = json!({"program": {"builtin": "image-tags"}});
    let unknown = "apiVersion: portcullis.dev/v1alpha1\nkind: WasmPolicy\nmetadata: {name: a}\nspec:\n  program: {builtin: image-tags}\n  setings: {}\n";
    let twice = format!("{}\n---\n{}", policy("a", &builtin), policy("a", &builtin));
    for (text, parts) in [
        (
            unknown.to_owned(),
            ["p.yaml:6:12: `spec.setings`: unknown field", "`settings`"],
        ),
        (twice, ["a policy named `a` is also at", "rename or remove"]),
        (
            GOOD.to_owned(),
            [
                "p.yaml:1:1: expected `portcullis.dev/v1alpha1`",
                "found `v1` `Pod`",
            ],
        ),
        (
            "a: 1\n".to_owned(),
            ["p.yaml:1: this is no WasmPolicy", "--policies"],
        ),
    ] {
        let file = scratch.file("p.yaml", text);
        let output = run(&["check", "--policies", &file, &good]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            parts.iter().all(|part| said.contains(part)) && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[test]
fn a_policy_that_does_not_load_is_one_failure() {
    let scratch = Scratch::new();
    let good = scratch.file("good.yaml", format!("{GOOD}---\n{GOOD}"));
    scratch.file("bad.wasm", "hello");
    let settings =
        |settings: Value| json!({"program": {"builtin": "image-tags"}, "settings": settings});
    for (spec, part) in [
        (
            json!({"program": {"builtin": "nothing"}}),
            "the pack holds `cluster-admin`",
        ),
        (
            json!({"program": {"file": "bad.wasm"}}),
            "this is no WebAssembly",
        ),
        (json!({"program": {"file": "absent.wasm"}}), "absent.wasm"),
        (
            json!({"program": {"configMap": {"namespace": "home", "name": "tags", "key": "a",
                "digest": format!("sha256:{}", "0".repeat(64))}}}),
            "the ConfigMap `home/tags`, which only `portcullis serve --cluster` reads",
        ),
        (
            settings(json!({"precision": "exact"})),
            "`settings.precision`: unknown variant `exact`, expected one of `major`",
        ),
        (
            settings(json!({"allowRegistries": ["https://ghcr.io"]})),
            "`settings.allowRegistries[0]`",
        ),
        (
            settings(json!({"allow": []})),
            "unknown field `allow`, expected one of `allowRegistries`",
        ),
        (
            json!({"program": {"builtin": "image-tags"}, "overrides": [{"codes": ["image-lates"], "validationActions": ["Warn"]}]}),
            "names the code `image-lates`, which the policy does not have",
        ),
    ] {
        let file = scratch.file("p.json", policy("image-tags", &spec));
        let (code, report) = report(&[&good, "--policies", &file]);
        let failures = report["failures"].as_array().expect("a list");
        assert_eq!((code, failures.len()), (Some(2), 1), "{report}");
        assert_eq!(failures[0]["policy"], "image-tags");
        assert!(
            failures[0]["cause"].as_str().expect("text").contains(part),
            "{}",
            failures[0]["cause"]
        );
    }
}

#[test]
fn people_read_remedies_and_never_a_control_character() {
    let scratch = Scratch::new();
    scratch.file("a.yaml", format!("{BAD}---\n{WARNED}---\nb: [\n"));
    let evil = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "e\u{1b}[31m\u{202e}"},
        "spec": {"containers": [{"name": "x\u{7}", "image": "a:latest"}]}});
    scratch.file("b.json", evil.to_string());
    let mut check = portcullis(&["check", "."]);
    let output = check.current_dir(scratch.path()).output().expect("it runs");
    let text = stdout(&output);
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'),
        "{text:?}"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let scratch = Scratch::new();
    let file = scratch.file("a.yaml", BAD);
    let mut check = portcullis(&["check", &file]);
    let output = check.env_remove("NO_COLOR").output().expect("it runs");
    assert!(!stdout(&output).contains('\u{1b}'));
}

#[test]
fn values_of_secrets_are_nowhere() {
    let scratch = Scratch::new();
    let canary = "cnry-7f3a-value";
    let object = |kind: &str, member: &str| {
        format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: s}}\n{member}: {{k: {canary}}}\n")
    };
    let all = [
        object("Secret", "stringData"),
        object("ConfigMap", "data"),
        format!("apiVersion: v1\nkind: Secret\ndata: [{canary}\n"),
        BAD.into(),
    ];
    let file = scratch.file("a.yaml", all.join("---\n"));
    for output in ["human", "json", "sarif", "junit"] {
        let output = run(&["check", "--output", output, &file]);
        assert!(!stdout(&output).contains(canary) && !stderr(&output).contains(canary));
    }
}

#[test]
fn a_baseline_lets_a_repository_with_findings_start_today() {
    let scratch = Scratch::new();
    let file = scratch.file("a.yaml", format!("{BAD}---\n{WARNED}"));
    let baseline = scratch.path().join("baseline.json").display().to_string();
    assert_eq!(report(&[&file, "--write-baseline", &baseline]).0, Some(0));
    let (code, known) = report(&[&file, "--baseline", &baseline, "--fail-on", "warn"]);
    assert_eq!((code, &known["summary"]["findings"]), (Some(0), &json!(0)));
    let moved = scratch.file("b.yaml", format!("# moved\n{BAD}"));
    assert_eq!(report(&[&moved, "--baseline", &baseline]).0, Some(0));
    let twice = scratch.file("c.yaml", format!("{BAD}---\n{BAD}"));
    assert_eq!(
        report(&[&twice, "--baseline", &baseline]).1["summary"]["denied"],
        1
    );
    let bad = scratch.file("bad.json", "[]");
    let output = run(&["check", "--baseline", &bad, &file]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("bad.json: it is no baseline"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_code_is_explained_and_an_unknown_one_names_the_others() {
    let known = stdout(&run(&["explain", "image-latest"]));
    assert!(
        known.starts_with("image-tags/image-latest: error, leads to deny\n"),
        "{known}"
    );
    assert!(known.contains("portcullis policy show image-tags"));
    let unknown = run(&["explain", "image-lates"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        stderr(&unknown).contains("there is `") && stderr(&unknown).contains("`image-latest`"),
        "{}",
        stderr(&unknown)
    );
}
