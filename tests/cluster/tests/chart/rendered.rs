//! What Helm makes of the chart, without a cluster.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use portcullis_cluster::{Answer, binary, helm, plane, root};
use serde_json::Value;

/// The chart with these values: `NAME=VALUE`.
fn template(values: &[&str]) -> Answer {
    let chart = helm::chart().display().to_string();
    let mut arguments = vec!["template", "portcullis", &chart, "--namespace=portcullis"];
    for value in values {
        arguments.extend(["--set", value]);
    }
    helm::run(&arguments).expect("Helm runs")
}

/// All that can be switched on.
const EVERYTHING: [&str; 5] = [
    "namespace.create=true",
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "dashboard.enabled=true",
    "certificates.secretName=s,certificates.caFrom=portcullis/c",
];

/// `portcullis check --profile strict -`: exit code and what it prints.
fn check(manifests: &str) -> (i32, String) {
    let mut child = Command::new(binary().expect("it is built"))
        .args(["check", "--profile", "strict", "--show-audit", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(manifests.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn the_objects_of_the_chart_pass_the_profile_strict() {
    for values in [&[][..], &EVERYTHING] {
        let rendered = template(values).ok().unwrap();
        let (code, printed) = check(&rendered);
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("0 of "), "{printed}");
        assert!(printed.contains(" 0 not judged"), "{printed}");
    }
}

#[test]
fn values_that_are_wrong_are_refused_with_their_place_and_what_is_right() {
    for (value, place, remedy) in [
        (
            "profile=harsh",
            "/profile",
            "'observe', 'starter', 'strict', 'none'",
        ),
        ("auditProfile=all", "/auditProfile", "'strict'"),
        ("replicas=0", "/replicas", "minimum: got 0, want 1"),
        ("replicas=two", "/replicas", "want integer"),
        ("profil=strict", "'profil'", "not allowed"),
        ("image.name=x", "'name'", "not allowed"),
        (
            "networkPolicy.apiServerPorts={70000}",
            "/networkPolicy/apiServerPorts/0",
            "maximum",
        ),
        ("image.tag=latest", "image.tag", "write a version"),
        ("image.digest=abc", "image.digest", "sha256:"),
        ("auditInterval=1h", "auditInterval", "60m"),
        (
            "certificates.caFrom=a/b",
            "certificates.caFrom",
            "certificates.secretName",
        ),
        (
            "certificates.secretName=s",
            "certificates.secretName",
            "NAMESPACE/NAME",
        ),
    ] {
        let refused = template(&[value]);
        assert_ne!(refused.code, 0, "{value}: {}", refused.stdout);
        let said = refused.stderr;
        assert!(
            said.contains(place) && said.contains(remedy),
            "{value}: {said}"
        );
    }
}

#[test]
fn a_digest_wins_over_a_tag() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let rendered = template(&["image.tag=9.9.9", &format!("image.digest={digest}")]);
    let rendered = rendered.ok().unwrap();
    assert!(
        rendered.contains(&format!("portcullis@{digest}")),
        "{rendered}"
    );
    assert!(!rendered.contains("9.9.9"), "{rendered}");
}

#[test]
fn the_versions_of_the_chart_are_the_workspaces() {
    let chart = std::fs::read_to_string(helm::chart().join("Chart.yaml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        chart.contains(&format!("\nversion: {version}\n")),
        "{chart}"
    );
    assert!(
        chart.contains(&format!("\nappVersion: \"{version}\"\n")),
        "{chart}"
    );
}

/// The objects of a text by kind, namespace and name, read as YAML.
fn documents(text: &str) -> BTreeMap<String, String> {
    let stream = portcullis_manifest::read(text.as_bytes());
    assert!(
        stream.broken.is_empty(),
        "{:?}",
        stream.broken.first().map(|one| &one.message)
    );
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        format!(
            "{} {}/{}",
            object["kind"], metadata["namespace"], metadata["name"]
        )
    };
    let objects = stream.objects.iter().map(|one| &one.value);
    objects.map(|one| (name(one), one.to_string())).collect()
}

#[test]
fn what_kubectl_and_kustomize_apply_is_what_the_chart_says() {
    let plane = plane::build().unwrap();
    for (folder, values) in [
        ("base", &[][..]),
        ("overlays/ha", &["replicas=3"]),
        ("overlays/strict", &["profile=strict"]),
    ] {
        let folder = root().join("deploy/kustomize").join(folder);
        let output = Command::new(&plane)
            .arg("kubectl")
            .arg("kustomize")
            .arg(&folder)
            .output();
        let output = output.unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let built = String::from_utf8(output.stdout).unwrap();
        let rendered = template(&[values, &["namespace.create=true"]].concat());
        let (built, rendered) = (documents(&built), documents(&rendered.ok().unwrap()));
        let names: Vec<&str> = built.keys().map(String::as_str).collect();
        assert!(rendered.keys().eq(built.keys()), "{names:?}");
        for (name, text) in rendered {
            let is_same = built[&name] == text;
            assert!(is_same, "{}: another {name}", folder.display());
        }
    }
}
