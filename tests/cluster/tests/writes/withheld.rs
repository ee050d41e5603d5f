use std::time::Duration;

use portcullis_cluster::{Installation, Namespace, User};
use serde_json::json;

use super::told::eventually_told;
use super::{SOON, STRICT, installed, is_closed, is_open};

/// A look comes with each pass, every five seconds; the rest is for settling
/// and for a busy machine.
const HEEDED: Duration = Duration::from_secs(20);

/// A network plugin, as far as anybody can tell.
fn cni_stand_in(namespace: &Namespace<'_>) {
    // Nothing that any policy could find fault with.
    let probe = json!({"exec": {"command": ["true"]}});
    let amounts = json!({"cpu": "1m", "memory": "1Mi"});
    let container = json!({"name": "cni", "image": "registry.example/cni:1.0.0",
        "livenessProbe": probe,
        "resources": {"requests": amounts, "limits": {"memory": "1Mi"}}});
    let spec = json!({"hostNetwork": true, "containers": [container],
        "volumes": [{"name": "conf", "hostPath": {"path": "/etc/cni/net.d"}}]});
    let set = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "cni-stand-in"},
        "spec": {"selector": {"matchLabels": {"app": "cni"}},
            "template": {"metadata": {"labels": {"app": "cni"}}, "spec": spec}},
    });
    let created = namespace
        .kubectl(User::Admin, &["create", "-f", "-"], &set.to_string())
        .unwrap();
    assert_eq!(created.code, 0, "{created:?}");
}

#[test]
fn nothing_fails_closed_where_the_network_would_wait_for_it() {
    let (mut installation, namespace) = installed();
    let network = super::cluster().namespace().unwrap();
    cni_stand_in(&network);
    installation
        .start(
            &[&namespace, &network],
            &[&STRICT[..], &["--settle=1s"]].concat(),
        )
        .unwrap();
    let name = network.name();
    let is_told = |installation: &Installation<'_>| {
        let state = installation.state()?;
        let conditions = state["conditions"].as_array().cloned().unwrap_or_default();
        let withheld = conditions.iter().find(|one| one["type"] == "FailWithheld");
        let message = withheld
            .map(|one| one["message"].to_string())
            .unwrap_or_default();
        Ok(message.contains(&format!(
            "{name} holds the pod network (DaemonSet cni-stand-in)"
        )) && message.contains(&format!("--exclude-namespace={name}"))
            && is_open(installation)?
            && installation.metric(&format!("portcullis_fail_withheld{{namespace=\"{name}\"}}"))?
                == [1.0])
    };
    installation
        .eventually("a condition says why", SOON, is_told)
        .unwrap();
    assert!(installation.log().contains("failurePolicy stays Ignore"));
    eventually_told(&installation, "FailWithheld", "cni-stand-in");

    // Who waits for this looks with every pass, and not twice a minute.
    let delete = ["delete", "daemonset", "cni-stand-in"];
    assert_eq!(network.kubectl(User::Admin, &delete, "").unwrap().code, 0);
    installation
        .eventually("it fails closed", HEEDED, is_closed)
        .unwrap();
    // And open again as soon as it has to.
    cni_stand_in(&network);
    installation
        .eventually("it fails open again", SOON + SOON, is_open)
        .unwrap();
}

#[test]
fn an_excluded_namespace_keeps_nothing_from_failing_closed() {
    let (mut installation, namespace) = installed();
    let network = super::cluster().namespace().unwrap();
    cni_stand_in(&network);
    let exclude = format!("--exclude-namespace={}", network.name());
    installation
        .start(
            &[&namespace, &network],
            &[&STRICT[..], &[&exclude]].concat(),
        )
        .unwrap();
    installation
        .eventually("it fails closed", SOON, is_closed)
        .unwrap();
}
