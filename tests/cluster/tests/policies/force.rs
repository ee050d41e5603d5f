use std::time::Duration;

use portcullis_cluster::{Portcullis, User, root};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Stage, Turn, admin, apply, eventually, is_denied, loaded, policy, shown, timed};
use crate::support::cluster;

#[test]
fn a_policy_is_in_force_within_seconds_until_it_is_deleted() {
    let _turn = Turn::take();
    let stage = Stage::new();
    assert_eq!(stage.ask().code, 0, "no policy is there");
    let mut document = policy(&stage.namespace, "tags");
    apply(&document.to_string()).ok().unwrap();
    let (_, took) = timed("denied", || stage.ask(), is_denied);
    assert!(took < Duration::from_secs(10), "{took:?}");
    document["spec"]["validationActions"] = json!(["Warn"]);
    apply(&document.to_string()).ok().unwrap();
    let warned = stage.eventually_allowed();
    assert!(warned.stderr.contains("Warning: "), "{warned:?}");
    document["spec"]["validationActions"] = json!(["Deny"]);
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();
    admin(&["delete", "wasmpolicy", "tags"], "").ok().unwrap();
    stage.eventually_allowed();
}

#[test]
fn a_policy_that_never_loaded_fails_by_its_failure_policy_and_says_so() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let mut document = policy(&stage.namespace, "tags");
    document["spec"]["settings"] = json!({"no-such-setting": 1});
    apply(&document.to_string()).ok().unwrap();
    let denied = eventually("denied", || stage.ask(), |answer| answer.code != 0);
    assert!(denied.stderr.contains("no-such-setting"), "{denied:?}");
    let [status, reason, message] = eventually(
        "reported",
        || loaded("tags"),
        |[status, ..]| !status.is_empty(),
    );
    assert_eq!(
        (status.as_str(), reason.as_str()),
        ("False", "SettingsRefused")
    );
    assert!(message.contains("failurePolicy Fail"), "{message}");
    let list = ["get", "events.events.k8s.io", "-n", "default", "-o"];
    let of = "jsonpath={range .items[?(@.regarding.kind==\"WasmPolicy\")]}{.reason} {.note}{\"\\n\"}{end}";
    eventually(
        "an event",
        || admin(&[&list[..], &[of]].concat(), "").stdout,
        |events| events.contains("SettingsRefused") && events.contains("no-such-setting"),
    );
}

/// A ConfigMap with a built-in program, as an own one would be put there;
/// `program` of a policy that names it.
pub(crate) fn config_map(namespace: &str) -> (String, serde_json::Value) {
    let file = root().join("target/policies/image-tags.wasm");
    let bytes = std::fs::read(&file).expect("`cargo xtask build` made it");
    let digest = format!("sha256:{:x}", Sha256::digest(&bytes));
    let from = format!("--from-file=tags.wasm={}", file.display());
    let create = ["create", "configmap", "tags", "-n", namespace, &from];
    admin(&create, "").ok().expect("a ConfigMap");
    let place = json!({"namespace": namespace, "name": "tags", "key": "tags.wasm",
        "digest": digest});
    (digest, json!({"configMap": place}))
}

#[test]
fn a_bad_change_leaves_the_last_good_form_in_force_for_a_new_replica_too() {
    let _turn = Turn::take();
    let mut stage = Stage::new();
    let home = stage.namespace.name().to_owned();
    let (digest, program) = config_map(&home);
    let mut document = policy(&stage.namespace, "tags");
    document["spec"]["program"] = program.clone();
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();
    eventually("loaded", || loaded("tags"), |[status, ..]| status == "True");
    assert_eq!(shown("tags", ".status.inForce.digest"), digest);

    // Both the settings and the program are broken after this.
    document["spec"]["settings"] = json!({"no-such-setting": 1});
    document["spec"]["validationActions"] = json!(["Warn"]);
    apply(&document.to_string()).ok().unwrap();
    let [_, reason, message] = eventually(
        "refused",
        || loaded("tags"),
        |[status, ..]| status == "False",
    );
    assert_eq!(reason, "SettingsRefused");
    assert!(message.contains("generation 1 stays in force"), "{message}");
    assert!(is_denied(&stage.ask()));
    admin(&["delete", "configmap", "tags", "-n", &home], "")
        .ok()
        .unwrap();
    eventually(
        "gone",
        || loaded("tags"),
        |[_, reason, _]| reason == "ProgramMissing",
    );

    // A new replica has nothing but what is in the cluster.
    stage.portcullis.stop();
    let kubeconfig = cluster().kubeconfig(User::Admin);
    let restarted =
        Portcullis::start_in(cluster(), &kubeconfig, "default", "other").expect("it gets ready");
    let Stage {
        namespace,
        registration,
        ..
    } = stage;
    drop(registration);
    let stage = Stage::of(namespace, restarted);
    assert!(is_denied(&stage.ask()), "from its first answer on");
    let health = stage.portcullis.health().unwrap();
    assert!(health.contains("last good form"), "{health}");
    assert_eq!(shown("tags", ".status.inForce.generation"), "1");

    // And a good change ends it.
    document["spec"]["program"] = json!({"builtin": "image-tags"});
    document["spec"]["settings"] = json!({});
    apply(&document.to_string()).ok().unwrap();
    let warned = stage.eventually_allowed();
    assert!(warned.stderr.contains("Warning: "), "{warned:?}");
    eventually("loaded", || loaded("tags"), |[status, ..]| status == "True");
}

#[test]
fn a_program_that_comes_later_or_is_another_is_told() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let home = stage.namespace.name();
    let wrong = format!("sha256:{}", "0".repeat(64));
    let mut document = policy(&stage.namespace, "tags");
    document["spec"]["program"] = json!({"configMap": {"namespace": home, "name": "tags",
        "key": "tags.wasm", "digest": wrong}});
    apply(&document.to_string()).ok().unwrap();
    let [_, reason, message] = eventually(
        "missing",
        || loaded("tags"),
        |[status, ..]| status == "False",
    );
    assert_eq!(reason, "ProgramMissing");
    assert!(message.contains("there is no ConfigMap"), "{message}");
    let (digest, program) = config_map(home);
    let [_, _, message] = eventually(
        "another",
        || loaded("tags"),
        |[_, _, message]| message.contains("has the digest"),
    );
    assert!(message.contains(&digest), "{message}");
    document["spec"]["program"] = program;
    apply(&document.to_string()).ok().unwrap();
    stage.eventually_denied();
}
