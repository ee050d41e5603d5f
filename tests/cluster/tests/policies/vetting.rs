use base64::Engine as _;
use portcullis_cluster::Portcullis;
use serde_json::{Value, json};

use super::{Stage, Turn, admin, apply, eventually, loaded, policy};

/// The registration of the path of policies, deleted when it is dropped.
struct Entry(String);

impl Entry {
    fn new(portcullis: &Portcullis, namespace: &str) -> Entry {
        let ca = std::fs::read(portcullis.ca()).expect("a CA");
        let ca = base64::engine::general_purpose::STANDARD.encode(ca);
        let url = format!("{}/policies", portcullis.url());
        let rule = json!({"apiGroups": ["portcullis.dev"], "apiVersions": ["*"],
            "resources": ["wasmpolicies"], "operations": ["CREATE", "UPDATE"]});
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": format!("vetting-{namespace}")},
            "webhooks": [{
                "name": "policies.portcullis.dev",
                "clientConfig": {"url": url, "caBundle": ca},
                "rules": [rule],
                "failurePolicy": "Ignore",
                "sideEffects": "None",
                "timeoutSeconds": 20,
                "admissionReviewVersions": ["v1"],
            }],
        });
        apply(&configuration.to_string()).ok().expect("registered");
        Entry(format!("vetting-{namespace}"))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let kind = "validatingwebhookconfiguration";
        admin(&["delete", kind, &self.0], "");
    }
}

fn with(document: &Value, member: &str, value: Value) -> String {
    let mut document = document.clone();
    document["spec"][member] = value;
    document.to_string()
}

#[test]
fn whoever_writes_a_policy_that_does_not_load_is_told_why() {
    let _turn = Turn::take();
    let stage = Stage::new();
    let document = policy(&stage.namespace, "tags");
    // Broken before anybody looked: it can still be labelled and mended.
    let broken = json!({"no-such-setting": 1});
    apply(&with(&document, "settings", broken.clone()))
        .ok()
        .unwrap();
    eventually(
        "refused",
        || loaded("tags"),
        |[status, ..]| status == "False",
    );
    let _entry = Entry::new(&stage.portcullis, stage.namespace.name());
    let refused = eventually(
        "called",
        || apply(&with(&document, "settings", json!({"another-bad-one": 1}))),
        |answer| answer.code != 0,
    );
    assert!(
        refused
            .stderr
            .contains("denied the request: it does not load: "),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("another-bad-one"), "{refused:?}");
    admin(&["label", "wasmpolicy", "tags", "a=b"], "")
        .ok()
        .unwrap();
    for (member, value, says) in [
        (
            "program",
            json!({"builtin": "image-tag"}),
            "there is no built-in program `image-tag`",
        ),
        (
            "overrides",
            json!([{"codes": ["image-newest"], "validationActions": ["Warn"]}]),
            "names the code `image-newest`, which the policy does not have",
        ),
    ] {
        let refused = apply(&with(&document, member, value));
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    apply(&document.to_string()).ok().unwrap();
    eventually("loaded", || loaded("tags"), |[status, ..]| status == "True");
    let again = {
        let mut document = document.clone();
        document["metadata"]["name"] = json!("tags-again");
        document["spec"]["settings"] = broken;
        document.to_string()
    };
    // On a busy machine it may take longer to try out than a request may.
    eventually(
        "told",
        || admin(&["create", "--dry-run=server", "-f", "-"], &again),
        |again| again.stderr.contains("no-such-setting"),
    );
}
