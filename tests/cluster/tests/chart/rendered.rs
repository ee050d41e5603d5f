//! What Helm makes of the chart, without a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use portcullis_cluster::{Answer, binary, helm, plane, root};
use serde_json::Value;

/// The chart with these values: `NAME=VALUE`.
pub(super) fn template(values: &[&str]) -> Answer {
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

/// What brings rules, services and alerts of its own.
const RELOCATION: [&str; 2] = ["relocation.enabled=true", "relocation.portIsGuarded=true"];

/// Everything, with all alerts.
fn everything() -> String {
    let values = [&EVERYTHING[..], &RELOCATION].concat();
    template(&values).ok().unwrap()
}

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

/// But for one: who serves what was moved reads Secrets, by a role that is bound
/// in enrolled namespaces alone.
#[test]
fn the_objects_of_relocation_pass_but_for_the_role_that_reads_secrets() {
    for metrics in ["relocation.metrics=true", "relocation.metrics=false"] {
        let on = [
            "relocation.enabled=true",
            "relocation.portIsGuarded=true",
            metrics,
        ];
        let rendered = template(&on).ok().unwrap();
        let (_, printed) = check(&rendered);
        assert!(
            printed.contains("1 denied   cluster-admin/role-reads-secrets"),
            "{printed}"
        );
        let probes = printed.contains("probes/");
        assert_eq!(probes, metrics.ends_with("false"), "{printed}");
        assert!(!printed.contains("disruption-budget/"), "{printed}");
    }
}

/// What the container is started with.
fn arguments(values: &[&str]) -> Vec<String> {
    let rendered = template(values).ok().unwrap();
    let lines = rendered.lines().map(str::trim);
    let arguments = lines.filter_map(|line| line.strip_prefix("- --"));
    arguments.map(str::to_owned).collect()
}

#[test]
fn networks_are_switched_on_with_their_rights_or_not_at_all() {
    let created = "may-create=networkpolicies.networking.k8s.io".to_owned();
    let on = ["networks.enabled=true", "profile=strict"];
    let enrols = |values: &[&str]| {
        let found = arguments(values);
        let enrolling = found.iter().find(|one| one.starts_with("enrol-new"));
        (found.contains(&created), enrolling.cloned())
    };
    assert_eq!(enrols(&[]), (false, None));
    assert_eq!(enrols(&["profile=strict"]), (false, None));
    assert_eq!(enrols(&["networks.enrolNew=isolate-full"]), (false, None));
    // What `strict` says: pack/strict/effects.
    assert_eq!(enrols(&on), (true, None));
    let none = [&on[..], &["networks.enrolNew=none"]].concat();
    assert_eq!(enrols(&none), (true, Some("enrol-new=none".into())));
    let rendered = template(&on).ok().unwrap();
    assert!(rendered.contains("name: portcullis-networks"), "{rendered}");
    let off = template(&["profile=strict"]).ok().unwrap();
    assert!(!off.contains("portcullis-networks"), "{off}");
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
            "networks.enrolNew=all",
            "/networks/enrolNew",
            "'isolate-ingress'",
        ),
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

/// The names of metrics in a text, without what the format appends.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter_map(|word| word.strip_prefix("portcullis_"));
    let stem = |name: &str| {
        let ends = ["_total", "_bucket", "_info"];
        let name = ends
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        name.strip_suffix("_seconds").unwrap_or(name).to_owned()
    };
    names.map(stem).collect()
}

#[test]
fn alerts_and_the_dashboard_ask_for_metrics_that_there_are() {
    let known: String = ["names", "audit", "relocation"]
        .iter()
        .map(|file| root().join(format!("src/telemetry/{file}.rs")))
        .map(|file| std::fs::read_to_string(file).unwrap())
        .collect();
    let rendered = everything();
    let asked = metrics(&rendered);
    assert!(asked.len() > 12, "{asked:?}");
    for metric in asked {
        assert!(
            known.contains(&format!("\"{metric}\"")),
            "no metric {metric}"
        );
    }
    let dashboard = std::fs::read_to_string(helm::chart().join("dashboards/portcullis.json"));
    let dashboard: Value = serde_json::from_str(&dashboard.unwrap()).unwrap();
    assert!(
        dashboard["panels"]
            .as_array()
            .is_some_and(|panels| panels.len() > 5)
    );
}

#[test]
fn each_alert_has_a_page_and_each_page_an_alert() {
    let rendered = everything();
    let lines = rendered.lines().map(str::trim);
    let alerts = lines.filter_map(|line| line.strip_prefix("- alert: "));
    let alerts: BTreeSet<String> = alerts.map(|name| format!("{name}.md")).collect();
    let pages = std::fs::read_dir(root().join("docs/runbooks")).unwrap();
    let pages = pages.map(|page| page.unwrap().file_name().into_string().unwrap());
    assert_eq!(alerts, pages.collect());
    for page in &alerts {
        assert!(rendered.contains(&format!("/runbooks/{page}")), "{page}");
    }
}

const REGISTRATION: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// What has to be deleted before all else: nothing of it runs.
#[test]
fn the_registration_is_the_one_hook_of_helm_and_the_first_of_the_manifests() {
    let rendered = documents(&template(&[]).ok().unwrap());
    let hooks = rendered
        .iter()
        .filter(|(_, text)| text.contains("helm.sh/hook\""));
    let hooks = hooks.map(|(name, text)| {
        assert!(
            text.contains("before-hook-creation,hook-succeeded"),
            "{text}"
        );
        assert!(text.contains(r#""helm.sh/hook":"pre-delete""#), "{text}");
        name.split('"').nth(1).unwrap_or_default()
    });
    let hooks: Vec<_> = hooks.collect();
    assert_eq!(hooks, REGISTRATION);
    let install = std::fs::read_to_string(root().join("deploy/install.yaml")).unwrap();
    let kinds = install
        .lines()
        .filter_map(|line| line.strip_prefix("kind: "));
    assert_eq!(kinds.take(2).collect::<Vec<_>>(), REGISTRATION);
    assert!(!install.contains("helm.sh/hook:"), "kubectl knows no hooks");
}

/// Before the registration: what refuses to go has to go on judging.
#[test]
fn with_relocation_helm_asks_first_whether_anything_is_moved() {
    let rendered = documents(&template(&RELOCATION).ok().unwrap());
    let (name, job) = rendered
        .iter()
        .find(|(name, _)| name.contains("Job"))
        .expect("a Job");
    assert!(
        name.contains("portcullis-restore-moved-secrets-first"),
        "{name}"
    );
    for part in [
        r#""helm.sh/hook":"pre-delete""#,
        r#""helm.sh/hook-weight":"-10""#,
        r#""helm.sh/hook-output-log-policy":"hook-failed""#,
        r#""args":["secrets","moved"]"#,
        r#""backoffLimit":0"#,
    ] {
        assert!(job.contains(part), "{part}: {job}");
    }
    let role = rendered.iter().find(|(name, _)| {
        name.contains("\"ClusterRole\"") && name.contains("portcullis-uninstalling")
    });
    let (_, role) = role.expect("a role");
    let rules =
        r#""rules":[{"apiGroups":[""],"resources":["namespaces","configmaps"],"verbs":["list"]}]"#;
    assert!(role.contains(rules), "{role}");
    // Who applies manifests has no hooks; who relocates nothing, nothing to ask.
    let manifests = template(&[&RELOCATION[..], &["namespace.create=true"]].concat());
    for text in [manifests, template(&[])] {
        assert!(!text.ok().unwrap().contains("portcullis-uninstalling"));
    }
}

#[test]
fn no_audit_no_alert_about_it() {
    let values = ["prometheusRule.enabled=true", "auditInterval=off"];
    let rendered = template(&values).ok().unwrap();
    assert!(!rendered.contains("PortcullisAuditMissing"), "{rendered}");
    let values = ["prometheusRule.enabled=true", "auditInterval=30s"];
    let rendered = template(&values).ok().unwrap();
    assert!(rendered.contains("completed_seconds) > 1860"), "{rendered}");
}

#[test]
fn what_is_committed_for_kubectl_is_what_the_chart_says() {
    let read = |file: &str| std::fs::read_to_string(root().join("deploy").join(file)).unwrap();
    let (install, base) = (read("install.yaml"), read("kustomize/base/portcullis.yaml"));
    let rendered = template(&["namespace.create=true"]).ok().unwrap();
    let is_fresh = documents(&install) == documents(&rendered) && base == install;
    assert!(
        is_fresh,
        "stale: run `cargo xtask deploy` and commit what it writes"
    );
}
