//! Least privilege: what is done for the policy, and what the chart grants for
//! it, are the same.

use std::collections::BTreeSet;

use portcullis_cluster::proxy::Proxy;
use portcullis_cluster::root;
use serde_json::{Value, json};

use super::{NAME, Stage, create_in, network_policy, pod};
use crate::policies::{admin, eventually};
use crate::support::cluster;

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
    let mut rights = BTreeSet::new();
    let list = |value: &Value| -> Vec<String> {
        let values = value.as_array().into_iter().flatten();
        values
            .filter_map(|v| v.as_str().map(str::to_owned))
            .collect()
    };
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in list(&rule["apiGroups"]) {
            for resource in list(&rule["resources"]) {
                for verb in list(&rule["verbs"]) {
                    rights.insert([group.clone(), resource.clone(), verb]);
                }
            }
        }
    }
    rights
}

#[test]
fn the_chart_grants_for_it_what_it_uses_and_nothing_else() {
    let proxy = Proxy::start(cluster()).expect("a proxy");
    let mut stage = Stage::through(Some(&proxy));
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

    let account = stage.installation.account_name();
    let granted = granted();
    let groups: BTreeSet<&String> = granted.iter().map(|[group, ..]| group).collect();
    let counts = proxy.counts().into_keys();
    let own = counts.filter(|access| access.account == account);
    let used: BTreeSet<[String; 3]> = own
        .filter(|access| groups.contains(&access.group))
        .map(|access| [access.group, access.resource, access.verb])
        .collect();
    // The audit, which is off here, lists Ingresses.
    let used: BTreeSet<_> = used
        .into_iter()
        .filter(|[_, one, _]| one != "ingresses")
        .collect();
    assert_eq!(used, granted);
}
