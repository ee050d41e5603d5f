//! A namespace whose pods the API server calls: not enrolled by mistake.

use std::process::Command;

use portcullis_cluster::{User, binary};
use serde_json::json;

use super::{Stage, create_in};
use crate::policies::{admin, apply, eventually, shown};
use crate::support::cluster;

/// A webhook that judges nothing there is, and its Service: no pods are needed
/// to be called.
pub(super) fn backed(name: &str, namespace: &str) -> String {
    let service = json!({"namespace": namespace, "name": "hook"});
    let hook = json!({"name": "hook.example.com", "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "failurePolicy": "Ignore",
        "clientConfig": {"service": service},
        "rules": [{"apiGroups": ["none.example.com"], "apiVersions": ["*"],
            "operations": ["CREATE"], "resources": ["things"]}]});
    json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name},
        "webhooks": [hook]})
    .to_string()
}

pub(super) fn service() -> String {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
        "spec": {"type": "NodePort", "selector": {"app": "hook"},
            "ports": [{"port": 443, "targetPort": 9443}]}})
    .to_string()
}

fn label(namespace: &str, text: &str) -> portcullis_cluster::Answer {
    admin(&["label", "--overwrite", "namespace", namespace, text], "")
}

fn annotate(namespace: &str, text: &str) -> portcullis_cluster::Answer {
    admin(
        &["annotate", "--overwrite", "namespace", namespace, text],
        "",
    )
}

/// Exit code and text of `portcullis network NAMESPACE --plan`.
fn plan(namespace: &str, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(binary().expect("a binary"))
        .args(["network", namespace, "--plan", "--kubeconfig"])
        .arg(cluster().kubeconfig(User::Admin))
        .args(arguments)
        .output()
        .expect("it starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    (output.status.code().expect("a code"), text)
}

const ENROLLING: &str = "portcullis.dev/network=isolate-ingress";

#[test]
fn nobody_cuts_the_api_server_off_from_a_webhook_without_meaning_to() {
    let mut stage = Stage::new();
    let namespace = stage.namespace("backs", None);
    let configuration = stage.name("hook");
    create_in(&namespace, &service()).ok().expect("a Service");
    apply(&backed(&configuration, &namespace))
        .ok()
        .expect("a webhook");

    let (code, text) = plan(&namespace, &[]);
    let title =
        format!("ValidatingWebhookConfiguration `{configuration}` calls the Service `hook`");
    for part in [
        &*title,
        "at TCP 9443; enrolment is refused until the API server is let in",
        "from=ADDRESSES-OF-THE-API-SERVER:9443",
        "closed   NodePort Service `hook`, TCP 9443",
        "from=0.0.0.0/0:9443",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(code, 1, "{text}");

    let refused = label(&namespace, ENROLLING);
    assert_eq!(refused.code, 1, "{refused:?}");
    for part in [
        "[default-network-policy/cuts-off-api-server]",
        &title,
        "TCP 9443",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    // To another port that would not help.
    let allow = "portcullis.dev/network-allow=";
    annotate(&namespace, &format!("{allow}from=10.0.0.0/8:443"))
        .ok()
        .expect("a flow");
    assert_eq!(label(&namespace, ENROLLING).code, 1);
    annotate(
        &namespace,
        &format!("{allow}from=10.0.0.0/8:9443,from=0.0.0.0/0:9443"),
    )
    .ok()
    .expect("a flow");
    let (code, text) = plan(&namespace, &[]);
    assert_eq!(code, 0, "{text}");
    label(&namespace, ENROLLING).ok().expect("enrolled");

    // Who takes the flow away cuts it off as well.
    let taken = annotate(&namespace, "portcullis.dev/network-allow-");
    let taken = match taken.code {
        0 => annotate(&namespace, &format!("{allow}from=a")),
        _ => taken,
    };
    assert!(taken.stderr.contains("cuts-off-api-server"), "{taken:?}");
    let force = "portcullis.dev/network-force=true";
    annotate(&namespace, force).ok().expect("forced");
    annotate(&namespace, &format!("{allow}from=a"))
        .ok()
        .expect("forced");
    admin(
        &["delete", "validatingwebhookconfiguration", &configuration],
        "",
    );
}

#[test]
fn the_status_tells_how_many_namespaces_are_covered_and_who_enforces() {
    let mut stage = Stage::new();
    let read = |kind: &str, member: &str| {
        let path = format!(".status.conditions[?(@.type==\"{kind}\")].{member}");
        shown("default-network-policy", &path)
    };
    let ours = stage.namespace("ours", Some("isolate-ingress"));
    let theirs = stage.namespace("theirs", None);
    let closed = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "theirs"}, "spec": {"podSelector": {}}});
    create_in(&theirs, &closed.to_string())
        .ok()
        .expect("theirs");
    label(&theirs, ENROLLING).ok().expect("enrolled");
    eventually(
        "both are told",
        || read("EffectsInPlace", "message"),
        |message| message.contains("1 are there, 1 are needless") && message.contains("0 are not"),
    );
    eventually(
        "nothing is unknown",
        || read("EffectsInPlace", "status"),
        |status| status == "True",
    );
    // No network plugin runs in the tests' control plane.
    assert_eq!(read("NetworkPoliciesEnforced", "status"), "Unknown");
    assert_eq!(read("Loaded", "status"), "True");

    // One whose name somebody else has taken waits.
    let taken = stage.namespace("taken", None);
    let foreign = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": super::NAME}, "spec": {"podSelector": {"matchLabels": {"a": "b"}}}});
    create_in(&taken, &foreign.to_string())
        .ok()
        .expect("theirs");
    label(&taken, ENROLLING).ok().expect("enrolled");
    eventually(
        "it waits",
        || read("EffectsInPlace", "status"),
        |status| status == "False",
    );
    assert!(read("EffectsInPlace", "message").contains("1 are not there yet"));
    for state in ["in_place", "covered", "waiting"] {
        let gauge =
            format!("portcullis_effects{{policy=\"default-network-policy\",state=\"{state}\"}}");
        // The other replica does not look after it.
        let told = stage.installation.metric(&gauge).expect("metrics");
        assert_eq!(told.iter().sum::<f64>().round(), 1.0, "{gauge}: {told:?}");
    }
    assert!(!super::network_policy(&ours).is_null());
}

/// What an audit of the cluster tells of namespaces that nobody enrolled.
#[test]
fn an_audit_finds_namespaces_that_nothing_covers() {
    let mut stage = Stage::new();
    let (bare, partly) = (
        stage.namespace("bare", None),
        stage.namespace("partly", None),
    );
    let enrolled = stage.namespace("enrolled", Some("isolate-ingress"));
    let some = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": "some"}, "spec": {"podSelector": {"matchLabels": {"a": "b"}}}});
    create_in(&partly, &some.to_string()).ok().expect("theirs");
    let audited = crate::live::audit(&["--profile", "starter"]);
    let of = |name: &str| {
        let findings = audited.report["findings"].as_array().into_iter().flatten();
        let own = findings.filter(|one| one["kind"] == "Namespace" && one["name"] == *name);
        let own = own.filter(|one| one["policy"] == "default-network-policy");
        own.cloned().collect::<Vec<_>>()
    };
    let [bare, partly, enrolled] = [bare, partly, enrolled].map(|name| (of(&name), name));
    assert_eq!(bare.0.len(), 1, "{:?}", audited.report["findings"]);
    assert_eq!(bare.0[0]["code"], "namespace-without-networkpolicy");
    assert_eq!(bare.0[0]["creates"]["metadata"]["namespace"], *bare.1);
    assert_eq!(partly.0.len(), 1, "{partly:?}");
    assert_eq!(partly.0[0]["code"], "namespace-partly-covered");
    assert_eq!(enrolled.0.len(), 0, "{enrolled:?}");
}

#[test]
fn with_strict_and_the_rights_each_new_namespace_is_enrolled() {
    let _turn = crate::policies::Turn::take();
    let mut installation = portcullis_cluster::Installation::new(cluster()).expect("a place");
    super::grant(&installation);
    let name = installation.name().to_owned();
    let selector = format!("--namespace-selector=run={name}");
    let options = [
        "--settle=0s",
        "--audit-interval=off",
        "--profile=strict",
        "--may-create=networkpolicies.networking.k8s.io",
        &selector,
    ];
    installation.start(&[], &options).expect("it starts");
    let mut made = Vec::new();
    // The API server learns of a registration a moment later than who asks.
    let create = || {
        let new = format!("{name}-new-{}", made.len());
        let object = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": new, "labels": {"run": name}}});
        let created = admin(&["create", "-o", "json", "-f", "-"], &object.to_string());
        let created = created.ok().expect("a namespace");
        made.push(new);
        let created: serde_json::Value = serde_json::from_str(&created).expect("JSON");
        created["metadata"]["labels"]["portcullis.dev/network"].clone()
    };
    eventually("enrolled", create, |label| *label == "isolate-ingress");
    let last = made.last().expect("one").clone();
    let ours = || super::network_policy(&last);
    eventually("its NetworkPolicy", ours, |policy| !policy.is_null());
    for namespace in &made {
        admin(&["delete", "namespace", namespace, "--wait=false"], "");
    }
    let rights = format!("{name}-networks");
    admin(&["delete", "clusterrole,clusterrolebinding", &rights], "");
}
