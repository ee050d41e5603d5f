//! What nobody else may do.

use serde_json::json;

use super::{Stage, VALUE, config_map, get, kubectl};
use crate::policies::admin;
use crate::support::cluster;
use portcullis_cluster::User;

/// As a user who may write ConfigMaps and nothing else, unless `more` is given.
fn dev(namespace: &str, arguments: &[&str], stdin: &str) -> portcullis_cluster::Answer {
    let arguments = [arguments, &["-n", namespace]].concat();
    cluster()
        .kubectl(User::Dev, &arguments, stdin)
        .expect("kubectl runs")
}

#[test]
fn who_may_not_create_secrets_gets_none_created() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("rights");
    let role = [
        "create",
        "role",
        "maps",
        "--verb=get,list,create,update,patch",
        "--resource=configmaps",
    ];
    kubectl(&namespace, &role, "").ok().expect("a role");
    let bind = [
        "create",
        "rolebinding",
        "maps",
        "--role=maps",
        "--group=devs",
    ];
    kubectl(&namespace, &bind, "").ok().expect("a binding");
    let refused = dev(
        &namespace,
        &["apply", "-f", "-"],
        &config_map("app", json!({"PASSWORD": VALUE})),
    );
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("may not create Secrets"),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains(VALUE), "{}", refused.stderr);
    let plain = dev(
        &namespace,
        &["apply", "-f", "-"],
        &config_map("app", json!({"LOG_LEVEL": "info"})),
    );
    assert_eq!(plain.code, 0, "{}", plain.stderr);
}

#[test]
fn names_and_labels_are_kept_for_portcullis() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("names");
    for name in [
        "portcullis-moved-t-app",
        "portcullis-moved-s-00000000000000aa",
    ] {
        let create = [
            "create",
            "secret",
            "generic",
            name,
            "--from-literal=LD_PRELOAD=/tmp/x",
        ];
        let refused = kubectl(&namespace, &create, "");
        assert_ne!(refused.code, 0, "{name}");
        assert!(
            refused.stderr.contains("hold what Portcullis moved"),
            "{}",
            refused.stderr
        );
    }
    // A pod that names one that is not its ConfigMap's.
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {
        "containers": [{"name": "a", "image": "example.com/a:1",
            "envFrom": [{"secretRef": {"name": "portcullis-moved-t-other"}}]}]}});
    let refused = kubectl(&namespace, &["create", "-f", "-"], &pod.to_string());
    assert_ne!(refused.code, 0);
    assert!(
        refused.stderr.contains("is Portcullis' own"),
        "{}",
        refused.stderr
    );
    // A placeholder that was made for another ConfigMap.
    let made = config_map("app", json!({"PASSWORD": VALUE}));
    assert_eq!(kubectl(&namespace, &["apply", "-f", "-"], &made).code, 0);
    let stored = get(&namespace, "configmap", "app");
    let copy = config_map("copy", json!({"PASSWORD": stored["data"]["PASSWORD"]}));
    let refused = kubectl(&namespace, &["create", "-f", "-"], &copy);
    assert_ne!(refused.code, 0);
    let wrong = admin(
        &[
            "label",
            "namespace",
            &namespace,
            "portcullis.dev/secrets=maybe",
            "--overwrite",
        ],
        "",
    );
    assert_ne!(wrong.code, 0);
    assert!(wrong.stderr.contains("one value"), "{}", wrong.stderr);
}
