//! Somebody reaches the port, against the operator's word, and says that he is
//! an administrator. What he gets is a Secret of what he sent, under a name
//! that nobody uses; nothing that is there changes.

use portcullis_cluster::caller::{Bundle, review};
use serde_json::{Value, json};

use super::super::Stage;
use super::Kept;
use super::world::World;

/// An AdmissionReview as an API server would send it.
fn forged(namespace: &str, (object, old): (&Value, &Value), resource: &str, kind: &str) -> Value {
    let operation = match old.is_null() {
        true => "CREATE",
        false => "UPDATE",
    };
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "00000000-0000-4000-8000-000000000001",
        "kind": {"group": "", "version": "v1", "kind": kind},
        "resource": {"group": "", "version": "v1", "resource": resource},
        "requestKind": {"group": "", "version": "v1", "kind": kind},
        "requestResource": {"group": "", "version": "v1", "resource": resource},
        "name": object["metadata"]["name"], "namespace": namespace, "operation": operation,
        "userInfo": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
        "object": object, "oldObject": old, "dryRun": false, "options": null,
    }})
}

fn map(namespace: &str, name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace}, "data": data})
}

/// Whether the reviews may have Secrets created: of those that are sent.
const JUNK: bool = true;

/// How many reviews were sent.
pub(super) fn run(stage: &Stage, world: &World, kept: &mut Kept) -> usize {
    let [_, mutating] = stage.installation.configurations().expect("registered");
    let bundle = mutating["webhooks"][0]["clientConfig"]["caBundle"].as_str();
    let bundle = Bundle::parse(bundle.expect("a bundle")).expect("certificates");
    let (host, port) = (stage.installation.host(), stage.installation.service.port());
    let reviews = reviews(world);
    for (name, review_of, junk) in &reviews {
        for half in ["mutate", "validate"] {
            let path = format!("/relocate/{half}");
            let (_, answer) =
                review(&bundle, (&host, port), &path, &review_of.to_string()).expect("an answer");
            assert_eq!(world.told(name, &answer), Ok(()));
        }
        let after = world.kept();
        assert!(
            after.maps == kept.maps && after.enrolled == kept.enrolled,
            "{name}"
        );
        for (secret, held) in &kept.secrets {
            assert!(after.secrets.get(secret) == Some(held), "{name}: {secret}");
        }
        let new = after.secrets.len() - kept.secrets.len();
        assert!(new == usize::from(*junk), "{name}: {new} Secrets");
        *kept = after;
    }
    reviews.len()
}

/// Each with its name, and whether a Secret comes of it.
fn reviews(world: &World) -> Vec<(&'static str, Value, bool)> {
    let (home, plain) = (&world.home, &world.plain);
    let maps = |namespace: &str, object: &Value, old: &Value| {
        forged(namespace, (object, old), "configmaps", "ConfigMap")
    };
    let sent = json!({"PASSWORD": "N0b0dy-Rz4Hw8Jm-knows-it"});
    let new = map(home, "junk", sent.clone());
    let strange = map(home, "junk", json!({"PASSWORD": world.of.other_map}));
    let over = map(home, "app", sent.clone());
    let mut foreign = new.clone();
    foreign["metadata"]["name"] = "portcullis-moved-t-app".into();
    let pod = |secret: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": home},
            "spec": {"containers": [{"name": "a", "image": "a:1",
                "envFrom": [{"secretRef": {"name": secret}}]}]}})
    };
    let pods = |secret: &str| forged(home, (&pod(secret), &Value::Null), "pods", "Pod");
    vec![
        (
            "a ConfigMap of nobody",
            maps(home, &new, &Value::Null),
            JUNK,
        ),
        (
            "one that is named as a Secret",
            maps(home, &foreign, &Value::Null),
            JUNK,
        ),
        (
            "an update of one that is there",
            maps(home, &over, &world.app),
            JUNK,
        ),
        (
            "where nothing is enrolled",
            maps(plain, &map(plain, "junk", sent), &Value::Null),
            !JUNK,
        ),
        (
            "another's placeholder",
            maps(home, &strange, &Value::Null),
            !JUNK,
        ),
        ("a pod", pods("portcullis-moved-t-none"), !JUNK),
        ("another pod", pods("private"), !JUNK),
    ]
}
