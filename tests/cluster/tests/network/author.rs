//! Effects are nobody's privilege: a policy that an author wrote, built by
//! `portcullis policy build`, with objects of other kinds.

use std::path::Path;
use std::process::Command;

use portcullis_cluster::{binary, root};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::first::gated;
use super::witness::version_of;
use super::{Stage, create_in, pod};
use crate::policies::{admin, apply, eventually, shown};

const NAME: &str = "team-defaults";

/// Runs `portcullis policy ARGUMENTS`; guests share what they compile.
fn policy(arguments: &[&str]) {
    let output = Command::new(binary().expect("the binary"))
        .arg("policy")
        .args(arguments)
        .env("CARGO_TARGET_DIR", root().join("target/guests-tests"))
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("RUSTFLAGS")
        .output()
        .expect("it starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
}

/// The component of an author.
fn build(folder: &Path) -> String {
    let crate_ = folder.join(NAME).display().to_string();
    let sdk = root().join("policies/sdk").display().to_string();
    policy(&["new", NAME, "--path", &crate_, "--sdk", &sdk]);
    let source = root().join("tests/cluster/policies/team-defaults.rs");
    let source = std::fs::read_to_string(source).expect("the source");
    std::fs::write(format!("{crate_}/src/lib.rs"), source).expect("written");
    let component = format!("{crate_}/{NAME}.wasm");
    policy(&["build", &crate_, "--out", &component]);
    component
}

/// What the operator writes: the program, the grants, the rights.
fn install(stage: &Stage, component: &str) {
    let home = stage.installation.home.name();
    let from = format!("--from-file=program.wasm={component}");
    let create = ["create", "configmap", NAME, "-n", home, &from];
    admin(&create, "").ok().expect("a ConfigMap");
    let name = stage.name(NAME);
    let role = format!("--clusterrole={name}");
    let verbs = "--verb=get,list,watch,create,patch,delete";
    let resources = "--resource=limitranges,configmaps";
    let rights = ["create", "clusterrole", &name, verbs, resources];
    admin(&rights, "").ok().expect("a role");
    let account = format!("--serviceaccount={home}:{}", stage.installation.name());
    let binding = ["create", "clusterrolebinding", &name, &role, &account];
    admin(&binding, "").ok().expect("a binding");
    let bytes = std::fs::read(component).expect("the component");
    let digest = format!("sha256:{:x}", Sha256::digest(&bytes));
    let place = json!({"namespace": home, "name": NAME, "key": "program.wasm",
        "digest": digest});
    let document = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "WasmPolicy",
    "metadata": {"name": NAME},
    "spec": {
        "program": {"configMap": place},
        "effects": [{"resource": "limitranges", "mode": "Apply"}, {"resource": "configmaps"}],
        "limits": {"deadlineMilliseconds": 2_000},
    }});
    apply(&document.to_string()).ok().expect("a policy");
    for kind in ["Loaded", "Registered"] {
        let path = format!(".status.conditions[?(@.type==\"{kind}\")].status");
        eventually(kind, || shown(NAME, &path), |status| status == "True");
    }
}

fn get(namespace: &str, object: &str) -> Value {
    let get = [
        "get",
        object,
        "-n",
        namespace,
        "--ignore-not-found",
        "-o",
        "json",
    ];
    serde_json::from_str(&admin(&get, "").stdout).unwrap_or_default()
}

fn patch(namespace: &str, object: &str, patch: &Value) {
    let patch = patch.to_string();
    let patch = [
        "patch",
        object,
        "-n",
        namespace,
        "--type=merge",
        "-p",
        &patch,
    ];
    admin(&patch, "").ok().expect("changed");
}

#[test]
fn a_policy_of_an_author_has_objects_of_other_kinds_made_and_kept() {
    const LIMITS: &str = "limitrange/team-defaults";
    const MAP: &str = "configmap/team";
    let folder = std::env::temp_dir().join(format!("portcullis-author-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let component = build(&folder);
    let mut stage = Stage::new();
    install(&stage, &component);

    // Eventual, beside the Namespace.
    let namespace = stage.namespace("kept", None);
    let label = |label: &str| {
        let label = ["label", "--overwrite", "namespace", &namespace, label];
        admin(&label, "").ok().expect("labelled");
    };
    label("team=a");
    let limits = || get(&namespace, LIMITS);
    let map = || get(&namespace, MAP);
    eventually("limits", limits, |one| !one.is_null());
    let made = eventually("a map", map, |one| !one.is_null());
    assert_eq!(made["data"], json!({"team": "a"}));
    assert_eq!(
        made["metadata"]["annotations"]["portcullis.dev/policy"],
        NAME
    );

    // Required, before a pod; both replicas may be asked.
    for number in 0..6 {
        let name = format!("new-{number}");
        let object = stage
            .namespace_text(&name, "")
            .replace("portcullis.dev/network", "team");
        admin(&["create", "-f", "-"], &object)
            .ok()
            .expect("a namespace");
        let name = stage.name(&name);
        let account = [
            "wait",
            "--for=create",
            "serviceaccount/default",
            "-n",
            &name,
        ];
        admin(&account, "").ok().expect("its account");
        create_in(&name, &gated(&pod("first")).to_string())
            .ok()
            .expect("a pod");
        let came = version_of(&get(&name, "pod/first"));
        for object in [LIMITS, MAP] {
            assert!(version_of(&get(&name, object)) < came, "{object} in {name}");
        }
        admin(&["delete", "namespace", &name, "--wait=false"], "");
    }

    // One is brought back, the other is the team's.
    patch(
        &namespace,
        LIMITS,
        &json!({"spec": {"limits": [{"type": "PersistentVolumeClaim",
        "max": {"storage": "9Ti"}}]}}),
    );
    patch(&namespace, MAP, &json!({"data": {"team": "b"}}));
    eventually("brought back", limits, |one| {
        one["spec"]["limits"][0]["max"]["storage"] == "10Gi"
    });
    assert_eq!(map()["data"], json!({"team": "b"}));
    let delete = ["delete", "-n", &namespace, LIMITS, MAP];
    admin(&delete, "").ok().expect("deleted");
    eventually("limits again", limits, |one| !one.is_null());
    eventually("a map again", map, |one| one["data"]["team"] == "a");

    // Wanted no more: what somebody changed stays.
    patch(&namespace, MAP, &json!({"data": {"team": "b"}}));
    label("team-");
    eventually("withdrawn", limits, Value::is_null);
    assert_eq!(map()["data"], json!({"team": "b"}));

    let name = stage.name(NAME);
    admin(&["delete", "clusterrole,clusterrolebinding", &name], "");
    drop(std::fs::remove_dir_all(&folder));
}
