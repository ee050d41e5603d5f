//! A backup of a namespace is put back: where Portcullis runs, and where it does
//! not.

use portcullis_cluster::{Portcullis, User};
use serde_json::{Value, json};

use super::lives::serves;
use super::{Stage, VALUE, config_map, get, kubectl, served};
use crate::policies::{admin, eventually};
use crate::support::cluster;

/// Who may write and delete what is reserved.
pub(super) const RESTORER: [&str; 2] = ["--as=velero", "--as-group=system:masters"];

/// The ConfigMap and what holds its values, without what an API server adds.
fn backup(namespace: &str) -> Value {
    let select = [
        "get",
        "secrets",
        "-l",
        "portcullis.dev/relocation",
        "-o",
        "json",
    ];
    let list = kubectl(namespace, &select, "").ok().expect("a list");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let mut items = list["items"].as_array().cloned().expect("Secrets");
    assert_eq!(items.len(), 2, "one is staged, one serves");
    items.push(get(namespace, "configmap", "app"));
    for metadata in items.iter_mut().map(|item| &mut item["metadata"]) {
        let metadata = metadata.as_object_mut().expect("metadata");
        for added in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
            "ownerReferences",
        ] {
            metadata.remove(added);
        }
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}

/// All of it goes, as in a cluster that is lost.
fn lose(namespace: &str) {
    for what in [
        &["configmap", "app", "--ignore-not-found"][..],
        &["secrets", "--all"],
    ] {
        let deleted = kubectl(namespace, &[&["delete"], what, &RESTORER].concat(), "");
        assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    }
}

#[test]
fn a_backup_comes_back_with_portcullis_and_without() {
    let mut stage = Stage::new();
    let namespace = stage.enrolled("backup");
    let map = config_map("app", json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"}));
    let applied = kubectl(&namespace, &["apply", "-f", "-"], &map);
    assert_eq!(applied.code, 0, "{}", applied.stderr);
    served(&namespace, "app");
    let backup = backup(&namespace).to_string();

    lose(&namespace);
    let create = ["create", "-f", "-"];
    let refused = kubectl(&namespace, &create, &backup);
    assert_ne!(refused.code, 0, "an administrator is no restorer");
    assert!(refused.stderr.contains("restore"), "{}", refused.stderr);
    lose(&namespace);
    let restored = kubectl(&namespace, &[&create[..], &RESTORER].concat(), &backup);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let value = || serves(&namespace, "PASSWORD");
    eventually("served", value, |value| value.as_deref() == Some(VALUE));

    lose(&namespace);
    leave(&mut stage);
    let restored = kubectl(&namespace, &create, &backup);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    let config = cluster().kubeconfig(User::Admin).display().to_string();
    let restore = ["secrets", "restore", &namespace, "--kubeconfig", &config];
    let nobody = "--installation=default";
    let without_keys = Portcullis::print(&[&restore[..], &[nobody]].concat());
    let told = format!("{:#}", without_keys.expect_err("nobody knows the keys"));
    assert!(
        told.contains("--trusting") && !told.contains(VALUE),
        "{told}"
    );
    let said = Portcullis::print(&[&restore[..], &[nobody, "--trusting"]].concat());
    let said = said.expect("put back");
    assert!(
        said.contains("put back; Portcullis is not installed here"),
        "{said}"
    );
    let stored = get(&namespace, "configmap", "app");
    assert_eq!(
        stored["data"],
        json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"})
    );
}

/// Portcullis was never here.
fn leave(stage: &mut Stage) {
    stage.serving = None;
    for name in ["replica-0", "replica-1"] {
        stage.installation.kill(name);
    }
    let kinds = [
        "validatingwebhookconfiguration,mutatingwebhookconfiguration",
        "validatingadmissionpolicy,validatingadmissionpolicybinding",
    ];
    for kind in kinds {
        let deleted = admin(&["delete", "--all", kind], "");
        assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    }
    let deleted = admin(&["delete", "crd", "relocations.portcullis.dev"], "");
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    // The API server looks for ValidatingAdmissionPolicies once a second.
    let kept = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "portcullis-moved-probe", "namespace": "default"}})
    .to_string();
    let create = ["create", "--dry-run=server", "-f", "-"];
    eventually(
        "nothing is kept",
        || admin(&create, &kept),
        |answer| answer.code == 0,
    );
}
