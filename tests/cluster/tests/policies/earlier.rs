use portcullis_cluster::Portcullis;
use serde_json::{Value, json};

use super::{Stage, Turn, admin, apply, eventually, is_denied, loaded, policy, shown};
use crate::support::cluster;

/// The definitions as the first release had them.
const FIRST: &str = include_str!("../../../data/crd/v1alpha1-first.yaml");

fn spec(kind: &str, name: &str, namespace: &str) -> Value {
    let get = ["get", kind, name, "-n", namespace, "-o", "json"];
    let text = admin(&get, "").ok().unwrap();
    let object: Value = serde_json::from_str(&text).unwrap();
    object["spec"].clone()
}

#[test]
fn what_was_stored_under_the_first_definition_is_read_reported_on_and_enforced() {
    let _turn = Turn::take();
    // With nothing stored, so that nothing is lost by going back.
    apply(FIRST).ok().unwrap();
    let namespace = cluster().namespace().unwrap();
    let home = namespace.name().to_owned();
    let mut document = policy(&namespace, "tags");
    document["spec"]["exemptible"] = json!(true);
    document["spec"]["settings"] = json!({});
    let exemption = json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "PolicyExemption",
        "metadata": {"name": "old", "namespace": home},
        "spec": {"policy": "tags", "codes": ["image-latest"], "selector": {},
            "reason": "it is moved next week", "expires": "2027-01-31T00:00:00Z"}});
    apply(&document.to_string()).ok().unwrap();
    // Without a replica nobody looks at when it ends.
    apply(&exemption.to_string()).ok().unwrap();
    let stored = || [spec("wp", "tags", &home), spec("pex", "old", &home)];
    let before = stored();

    let current = Portcullis::print(&["crd"]).unwrap();
    apply(&current).ok().unwrap();
    assert_eq!(stored(), before, "it is read as it was written");
    // Written as a whole, which the API server validates as a whole.
    for kind in ["wp/tags", "pex/old"] {
        let touch = ["annotate", kind, "-n", &home, "touched=yes"];
        admin(&touch, "").ok().unwrap();
    }
    admin(&["delete", "pex", "old", "-n", &home], "")
        .ok()
        .unwrap();

    let stage = Stage::in_namespace(namespace);
    let denied = stage.eventually_denied();
    assert!(is_denied(&denied), "{denied:?}");
    let [status, ..] = eventually(
        "reported on",
        || loaded("tags"),
        |[status, ..]| status == "True",
    );
    assert_eq!(
        (
            status.as_str(),
            shown("tags", ".status.inForce.generation").as_str()
        ),
        ("True", "1")
    );
}
