//! Least privilege: what is done for the policy, and what the chart grants for
//! it, are the same.

use std::collections::BTreeSet;

use portcullis_cluster::proxy::Proxy;
use portcullis_cluster::root;
use serde_json::{Value, json};

use super::{NAME, Stage, callers, create_in, network_policy, pod};
use crate::policies::{admin, apply, eventually};
use crate::support::{cluster, rights_of};

/// The rights as the chart has them, without what Helm fills in.
pub(super) fn of_chart() -> String {
    let file = root().join("deploy/chart/templates/networks.yaml");
    let text = std::fs::read_to_string(file).expect("the chart");
    let is_plain = |line: &&str| {
        let line = line.trim();
        !line.starts_with("{{") && line != "labels:"
    };
    let lines: Vec<&str> = text.lines().filter(is_plain).collect();
    lines.join("\n") + "\n"
}

/// Group, resource and verb of each right.
fn granted() -> BTreeSet<[String; 3]> {
    let name = "deploy/chart/templates/networks.yaml";
    let role = of_chart();
    let role = role.split("\n---\n").next().expect("a role");
    let applied = admin(
        &["create", "--dry-run=client", "-o", "json", "-f", "-"],
        role,
    );
    let role: Value = serde_json::from_str(&applied.ok().expect(name)).expect("JSON");
    rights_of(&role)
}

#[test]
fn the_chart_grants_for_it_what_it_uses_and_nothing_else() {
    let proxy = Proxy::start(cluster()).expect("a proxy");
    let mut stage = Stage::audited(Some(&proxy), "10s");
    let namespace = stage.namespace("a", Some("isolate-ingress"));
    create_in(&namespace, &pod("a")).ok().expect("a pod");
    // Changed, deleted, and wanted no more.
    let spec = json!({"spec": {"ingress": [{}]}}).to_string();
    let patch = [
        "patch",
        "networkpolicy",
        NAME,
        "-n",
        &namespace,
        "--type=merge",
        "-p",
        &spec,
    ];
    admin(&patch, "").ok().expect("changed");
    let all = |policy: &Value| policy["spec"]["ingress"] == json!([{}]);
    eventually(
        "brought back",
        || network_policy(&namespace),
        |one| !all(one),
    );
    let label = ["label", "namespace", &namespace, "portcullis.dev/network-"];
    admin(&label, "").ok().expect("taken out");
    eventually("withdrawn", || network_policy(&namespace), Value::is_null);

    // What the API server calls is looked at, and the pods behind it.
    create_in(&namespace, &callers::service())
        .ok()
        .expect("a Service");
    let hook = stage.name("rights");
    apply(&callers::backed(&hook, &namespace))
        .ok()
        .expect("a webhook");
    let refused = admin(
        &[&label[..3], &["portcullis.dev/network=isolate-full"]].concat(),
        "",
    );
    assert!(
        refused.stderr.contains("cuts-off-api-server"),
        "{refused:?}"
    );
    admin(&["delete", "validatingwebhookconfiguration", &hook], "");

    let account = stage.installation.account_name();
    let granted = granted();
    let used = || -> BTreeSet<[String; 3]> {
        let counts = proxy.counts().into_keys();
        let own = counts.filter(|access| access.account == account);
        own.map(|access| [access.group, access.resource, access.verb])
            .collect()
    };
    let missing = || -> Vec<[String; 3]> { granted.difference(&used()).cloned().collect() };
    // The audit comes when it comes.
    eventually("each right is used", missing, Vec::is_empty);
    // Of other groups it has rights besides, and the audit lists Ingresses.
    let shared = ["", "admissionregistration.k8s.io", "apps"];
    let own: BTreeSet<&String> = granted.iter().map(|[group, ..]| group).collect();
    let is_own = |[group, resource, _]: &[String; 3]| {
        own.contains(group) && !shared.contains(&group.as_str()) && resource != "ingresses"
    };
    let besides: Vec<_> = used().into_iter().filter(is_own).collect();
    let besides = besides.iter().filter(|right| !granted.contains(*right));
    assert_eq!(besides.collect::<Vec<_>>(), Vec::<&[String; 3]>::new());
}
