//! What is found to be secret is told all over the cluster, and its value
//! nowhere.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_cluster::{Installation, Namespace, User};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::rounds::{events, get};
use super::{define_reports, place};
use crate::live::audit;
use crate::policies::{Turn, admin, apply, eventually, policy};
use crate::search::Search;
use crate::support::cluster;

/// Another one in each run, which nobody can guess.
fn value(of: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = format!("{of} {now:?}");
    let hash = Sha256::digest(seed);
    hash.iter()
        .take(18)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Kinds of secrets, and where each of them is.
struct Placed {
    values: Vec<String>,
    config_map: Value,
    deployment: Value,
}

impl Placed {
    fn new() -> Placed {
        let kinds = ["entry", "file", "token", "URL", "env", "argument"];
        let values: Vec<String> = kinds.map(value).into();
        let [entry, file, token, url, env, argument] = &values[..] else {
            unreachable!("one value of each kind")
        };
        let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings"}, "data": {
            "DB_PASSWORD": entry,
            "app.ini": format!("[mail]\nhost = mail\nsmtp_password = {file}\n"),
            "notes": format!("ghp_{token}"),
            "url": format!("postgres://app:{url}@db/app"),
        }});
        let container = json!({"name": "a", "image": "web:1.2.3",
            "env": [{"name": "API_TOKEN", "value": env}],
            "args": [format!("--admin-password={argument}")],
            "envFrom": [{"configMapRef": {"name": "settings"}}]});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web"}, "spec": {"replicas": 0,
                "selector": {"matchLabels": {"app": "web"}}, "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [container]}}}});
        Placed {
            values,
            config_map,
            deployment,
        }
    }

    /// Applies both, changed: nobody is asked about what stays the same. What
    /// was said of it.
    fn apply(&self, namespace: &Namespace<'_>) -> String {
        let mut list = json!({"apiVersion": "v1", "kind": "List",
            "items": [self.config_map, self.deployment]});
        for number in 0..2 {
            list["items"][number]["metadata"]["labels"] = json!({"run": value("run")});
        }
        let apply = ["apply", "--server-side", "-f", "-"];
        let answer = namespace.kubectl(User::Dev, &apply, &list.to_string());
        answer.expect("kubectl runs").stderr
    }
}

/// A policy of the pack that judges this namespace alone.
fn detecting(namespace: &Namespace<'_>, builtin: &str, rule: (&str, &str)) -> Value {
    let mut document = policy(namespace, builtin);
    let spec = &mut document["spec"];
    spec["program"] = json!({"builtin": builtin});
    spec["grants"] = json!(["values"]);
    spec["validationActions"] = json!(["Warn"]);
    let rule = json!({"apiGroups": [rule.0], "apiVersions": ["*"], "resources": [rule.1],
        "operations": ["CREATE", "UPDATE"]});
    spec["matchConstraints"]["resourceRules"] = json!([rule]);
    document
}

/// Everything that the installation says, each with a name.
fn said(installation: &Installation<'_>, namespace: &Namespace<'_>) -> Vec<(&'static str, String)> {
    let own = admin(&["get", "wasmpolicies", "-o", "json"], "");
    let namespaced = |kind: &str| get(namespace, &[kind]).to_string();
    vec![
        ("events", namespaced("events.events.k8s.io")),
        ("reports", namespaced("reports")),
        ("policies", own.stdout),
        ("state", installation.state().expect("a state").to_string()),
        ("log", installation.log()),
    ]
}

/// Warnings and annotations of the API server's own log.
fn annotations(namespace: &Namespace<'_>) -> Option<String> {
    let events = cluster().audit_events().expect("an audit log")?;
    let ours = events
        .iter()
        .filter(|event| event["objectRef"]["namespace"] == namespace.name());
    Some(ours.map(|event| event["annotations"].to_string()).collect())
}

#[test]
fn a_secret_is_told_everywhere_and_its_value_nowhere() {
    let _turn = Turn::take();
    define_reports();
    let (mut installation, namespace) = place();
    let placed = Placed::new();
    let search = Search::new(placed.values.iter().map(String::as_str));
    placed.apply(&namespace);
    let options = ["--settle=0s", "--audit-interval=10s", "--log=trace"];
    installation.start(&[&namespace], &options).unwrap();
    for (name, rule) in [
        ("configmap-secrets", ("", "configmaps")),
        ("env-secrets", ("apps", "deployments")),
    ] {
        let document = detecting(&namespace, name, rule);
        apply(&document.to_string()).ok().unwrap();
    }
    let reasons = || {
        let events = events(&namespace).into_iter();
        let reason = |event: Value| event["reason"].as_str().unwrap_or_default().to_owned();
        events.map(reason).collect::<Vec<_>>()
    };
    eventually("events of all", reasons, |reasons| {
        ["ConfigmapSecret", "EnvSecret", "CommandSecretLikely"]
            .iter()
            .all(|wanted| reasons.iter().any(|reason| reason == wanted))
    });
    let warnings = eventually(
        "warnings",
        || placed.apply(&namespace),
        |said| said.contains("configmap-secret") && said.contains("env-secret"),
    );
    let mut outputs = said(&installation, &namespace);
    outputs.push(("warnings", warnings));
    outputs.extend(annotations(&namespace).map(|text| ("annotations", text)));
    let hinted = audited(&namespace);
    outputs.push(("audit", hinted));
    for (name, text) in &outputs {
        assert!(text.len() > 10, "{name} says nothing");
        let hits = search.hits(text.as_bytes());
        let forms: Vec<_> = hits.iter().map(|hit| (hit.canary, hit.form)).collect();
        assert!(forms.is_empty(), "{name}: {forms:?}");
    }
    // The search finds what is there.
    let stored = get(&namespace, &["configmap", "settings"]).to_string();
    assert!(!search.hits(stored.as_bytes()).is_empty());
    installation.check().unwrap();
}

/// An audit with hints of what to write instead: all of both objects.
fn audited(namespace: &Namespace<'_>) -> String {
    let wanted = ["--namespace", namespace.name(), "--profile", "strict"];
    let audited = audit(&[&wanted[..], &["--fix-hints"]].concat());
    let findings = audited.report["findings"].as_array().expect("findings");
    let fix = |kind: &str| {
        let mut of_kind = findings.iter().filter(|one| one["kind"] == kind);
        let found = of_kind.find(|one| !one["fix"].is_null());
        found.unwrap_or_else(|| panic!("{kind}: {findings:#?}"))["fix"].clone()
    };
    let of_config_map = fix("ConfigMap");
    assert_eq!(of_config_map["secret"]["kind"], "Secret");
    let keys = of_config_map["secret"]["stringData"]
        .as_object()
        .expect("keys");
    assert!(keys.contains_key("DB_PASSWORD"), "{of_config_map:#}");
    // The Deployment that uses it was found in the cluster.
    let changes = of_config_map["changes"].as_array().expect("changes");
    let changed = changes.iter().find(|change| change["kind"] == "Deployment");
    assert_eq!(changed.expect("a Deployment")["name"], "web");
    let keys = &fix("Deployment")["secret"]["stringData"];
    let named: Vec<_> = keys.as_object().expect("keys").keys().collect();
    assert_eq!(named, ["ADMIN_PASSWORD", "API_TOKEN"]);
    audited.report.to_string()
}
