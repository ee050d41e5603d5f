//! Tools that compare what there is with what is written down, and the restarts
//! that follow a new value, beside a namespace that is not enrolled.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_cluster::container::Container;
use serde_json::{Value, json};

use super::replay::{apply, tried, write};
use super::{OTHER, Stage, VALUE, config_map, get, kubectl, served};
use crate::policies::eventually;
use crate::support::cluster;

/// As Flux applies.
const BY_SERVER: [&str; 6] = [
    "apply",
    "--server-side",
    "--force-conflicts",
    "--field-manager=kustomize-controller",
    "-f",
    "-",
];
/// What kubectl leaves out otherwise.
const SHOW: &str = "--show-managed-fields";
/// Where the value is mounted.
const FILE: &str = "/config/PASSWORD";

fn map(value: &str) -> String {
    config_map("app", json!({"PASSWORD": value, "LOG_LEVEL": "info"}))
}

/// One container that reads the ConfigMap in each way.
fn template() -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{
            "name": "a", "image": "example.com/a:1",
            "envFrom": [{"configMapRef": {"name": "app"}}],
            "env": [{"name": "ONE", "valueFrom": {"configMapKeyRef":
                {"name": "app", "key": "PASSWORD"}}}],
            "volumeMounts": [{"name": "config", "mountPath": "/config"}],
        }],
        "volumes": [{"name": "config", "configMap": {"name": "app"}}],
    }})
}

fn deployment() -> String {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template()}})
    .to_string()
}

fn pod() -> String {
    let mut pod = template();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"] = json!({"name": "bare"});
    pod.to_string()
}

/// All that is written down, as one file.
fn manifests(value: &str) -> String {
    [map(value), deployment(), pod()].join("\n---\n")
}

/// What Flux compares: what would be stored, and what is.
fn would_be(namespace: &str, manifest: &str) -> Value {
    let dry = [&BY_SERVER[..], &["-o", "json", SHOW]].concat();
    let said = tried(namespace, &dry, manifest).ok().expect("allowed");
    // Documents that follow one another.
    let all = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
    let all: Vec<Value> = all.map(|one| one.expect("JSON")).collect();
    let all = match &all[..] {
        [list] if list["kind"] == "List" => list["items"].as_array().cloned().unwrap_or_default(),
        _ => all,
    };
    all.into_iter().map(comparable).collect()
}

/// Without the times of managers, and what controllers write beside them.
fn comparable(mut object: Value) -> Value {
    for entry in object["metadata"]["managedFields"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        entry["time"] = Value::Null;
    }
    object
}

fn live(namespace: &str) -> Value {
    let all = [("configmap", "app"), ("deployment", "web"), ("pod", "bare")];
    all.map(|(kind, name)| {
        let get = ["get", kind, name, "-o", "json", SHOW];
        let found = kubectl(namespace, &get, "").ok().expect("there");
        comparable(serde_json::from_str(&found).expect("JSON"))
    })
    .into_iter()
    .collect()
}

/// Nothing drifts, neither now nor with the next look.
fn has_no_drift(namespace: &str, value: &str) {
    for _ in 0..2 {
        let same = || (would_be(namespace, &manifests(value)), live(namespace));
        // The kubelet and the controllers tell how far they are.
        let (would_be, live) = eventually("no drift", same, |(one, other)| one == other);
        assert!(!would_be.to_string().contains(VALUE), "{would_be}");
        assert!(live.to_string().contains("moved-secret:v1:"), "{live}");
    }
}

fn differs_from_nothing(namespace: &str, how: &[&str], value: &str) {
    let diff = [&["diff"], how, &["-f", "-"]].concat();
    let versions = || {
        let shown = "jsonpath={.items[*].metadata.resourceVersion}";
        let kinds = "configmaps,deployments,pods";
        kubectl(namespace, &["get", kinds, "-o", shown], "").stdout
    };
    let asked = || {
        let before = versions();
        let diff = kubectl(namespace, &diff, &manifests(value));
        (before == versions()).then_some(diff)
    };
    // kubectl reads twice, and controllers may tell how far they are between.
    let diff = eventually("nobody wrote meanwhile", asked, Option::is_some).expect("an answer");
    assert_eq!(diff.code, 0, "{how:?}: {diff:?}");
}

#[test]
fn what_is_as_it_is_written_does_not_drift() {
    let mut stage = Stage::new();
    let namespace = &stage.enrolled("drift");
    write(namespace, &BY_SERVER, &map(VALUE)).passed();
    served(namespace, "app");
    write(
        namespace,
        &BY_SERVER,
        &[deployment(), pod()].join("\n---\n"),
    )
    .passed();
    has_no_drift(namespace, VALUE);
    let by_server = ["--server-side", "--force-conflicts"];
    differs_from_nothing(namespace, &by_server, VALUE);
    // A new value, written the same way.
    write(namespace, &BY_SERVER, &map(OTHER)).passed();
    served(namespace, "app");
    has_no_drift(namespace, OTHER);
    // The value of before is drift, and seen without being told.
    let drift = would_be(namespace, &map(VALUE));
    let live = live(namespace);
    assert_ne!(drift[0]["data"], live[0]["data"]);
    assert_eq!(drift[0]["data"]["LOG_LEVEL"], "info");
    // Rotated elsewhere, by a person with kubectl.
    let edited = json!({"data": {"PASSWORD": VALUE}}).to_string();
    write(namespace, &["patch", "configmap", "app", "-p", &edited], "").passed();
    assert_ne!(
        would_be(namespace, &map(OTHER))[0]["data"],
        get(namespace, "configmap", "app")["data"]
    );
    write(namespace, &BY_SERVER, &map(OTHER)).passed();
    has_no_drift(namespace, OTHER);
    let client = &stage.enrolled("client");
    apply(client, &map(VALUE)).passed();
    served(client, "app");
    apply(client, &[deployment(), pod()].join("\n---\n")).passed();
    differs_from_nothing(client, &[], VALUE);
    for (kind, name, part) in [
        ("configmap", "app", "data"),
        ("deployment", "web", "spec"),
        ("pod", "bare", "spec"),
    ] {
        comes_back(client, (kind, name), part);
    }
}

/// `kubectl get -o yaml | kubectl apply -f -` changes nothing.
fn comes_back(namespace: &str, (kind, name): (&str, &str), part: &str) {
    let before = get(namespace, kind, name);
    // Who writes the status may have come between.
    let round = || {
        let read = kubectl(namespace, &["get", kind, name, "-o", "yaml"], "");
        kubectl(namespace, &["apply", "-f", "-"], &read.stdout)
    };
    let said = eventually("applied", round, |said| said.code == 0);
    assert!(!said.stdout.contains(VALUE) && !said.stderr.contains(VALUE));
    let after = get(namespace, kind, name);
    assert_eq!(after[part], before[part], "{kind}: {said:?}");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
}

/// What the container of a pod was given of the key: by both variables, and, as
/// it began, in a file.
fn given(container: &Container) -> (Vec<&str>, Vec<&str>) {
    let variables = container.environment.iter();
    let variables = variables.filter(|(name, _)| name == "ONE" || name == "PASSWORD");
    let files = container.files.iter().filter(|(path, ..)| path == FILE);
    (
        variables.map(|(_, value)| value.as_str()).collect(),
        files.map(|(.., content)| content.as_str()).collect(),
    )
}

/// The first attempts of the Deployment's pods, of those that are there now.
fn of_deployment(namespace: &str) -> Vec<Container> {
    let pods = ["get", "pods", "-l", "app=web", "-o", "name"];
    let rolled = ["rollout", "status", "deployment/web", "--timeout=60s"];
    kubectl(namespace, &rolled, "").ok().expect("rolled out");
    let ask = || {
        let pods = kubectl(namespace, &pods, "").ok().expect("a list");
        let is_there = |one: &Container| pods.contains(&format!("pod/{}\n", one.pod));
        let all = cluster().containers(namespace, "a").expect("records");
        let all = all.into_iter().filter(|one| one.pod != "bare");
        (
            pods.lines().count(),
            all.filter(is_there).collect::<Vec<_>>(),
        )
    };
    // One that goes is there for a moment more.
    let (_, all) = eventually("one pod", ask, |(count, all)| *count == 1 && all.len() == 1);
    all
}

/// An attempt of the bare pod's container.
fn bare(namespace: &str, attempt: u64) -> Container {
    let find = || {
        let all = cluster().containers(namespace, "a").expect("records");
        let mut all = all.into_iter();
        all.find(|one| one.pod == "bare" && one.attempt == attempt)
    };
    eventually("an attempt", find, Option::is_some).expect("there")
}

#[test]
fn a_restart_brings_what_it_would_have_brought() {
    let mut stage = Stage::new();
    let places = [stage.namespace("native"), stage.enrolled("moved")];
    let encoded = |value: &str| STANDARD.encode(value);
    for place in &places {
        apply(place, &map(VALUE)).passed();
        apply(place, &[deployment(), pod()].join("\n---\n")).passed();
    }
    let before = places.clone().map(|place| {
        let (first, bare) = (of_deployment(&place).remove(0), bare(&place, 0));
        for one in [&first, &bare] {
            assert_eq!(
                given(one),
                (vec![VALUE; 2], vec![&*encoded(VALUE)]),
                "{place}"
            );
        }
        first.pod
    });
    for (place, before) in places.iter().zip(&before) {
        apply(place, &map(OTHER)).passed();
        let restart = ["rollout", "restart", "deployment/web"];
        kubectl(place, &restart, "").ok().expect("restarted");
        let after = of_deployment(place).remove(0);
        assert_ne!(&after.pod, before);
        assert_eq!(
            given(&after),
            (vec![OTHER; 2], vec![&*encoded(OTHER)]),
            "{place}"
        );
    }
    let template = |place: &String| {
        let mut spec = get(place, "deployment", "web")["spec"]["template"].clone();
        spec["metadata"]["annotations"] = Value::Null;
        spec
    };
    assert_eq!(
        template(&places[0]),
        template(&places[1]),
        "templates are left"
    );
    for place in &places {
        // What runs was not touched, and gets the value when it is begun again.
        let all = cluster().containers(place, "a").expect("records");
        let attempts = all.iter().filter(|one| one.pod == "bare").count();
        let (first, uid) = (
            bare(place, 0),
            get(place, "pod", "bare")["metadata"]["uid"].clone(),
        );
        assert_eq!((attempts, given(&first).0), (1, vec![VALUE; 2]), "{place}");
        cluster().restart(place, "bare", "a").expect("restarted");
        let again = bare(place, 1);
        assert_eq!(
            (&again.uid, &json!(again.uid)),
            (&first.uid, &uid),
            "{place}"
        );
        assert_eq!(given(&again).0, [OTHER; 2], "{place}");
    }
}
