use portcullis_cluster::{Meddler, Turn};

use super::super::replay::unwritten;
use super::*;

/// A variable with a key of the ConfigMap `app`.
fn variable() -> Value {
    json!({"name": "ONE", "valueFrom": {"configMapKeyRef": {"name": "app", "key": "PASSWORD"}}})
}

fn container(name: &str) -> Value {
    json!({"name": name, "image": "example.com/a:1", "env": [variable()]})
}

fn pod(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "containers": [{"name": "plain", "image": "example.com/a:1"}]}})
    .to_string()
}

/// Whether it reads the moved key where it is.
fn is_rewritten(container: &Value) -> bool {
    container["env"][0]["valueFrom"]
        == json!({"secretKeyRef": {"name": "portcullis-moved-t-app", "key": "PASSWORD"}})
}

/// The API server calls it from now on.
fn is_called(meddler: &Meddler<'_>, namespace: &str, probe: &str) {
    let try_it = || {
        tried(namespace, &["create", "-f", "-"], probe);
        meddler.calls()
    };
    eventually("called", try_it, |calls| *calls > 0);
}

fn adds(path: &str, value: &Value) -> Value {
    json!([{"op": "add", "path": path, "value": value}])
}

pub(super) fn what_another_webhook_adds_is_moved_or_refused(namespace: &str) {
    let kinds: (&[&str], &[&str]) = (&["configmaps"], &["CREATE"]);
    let probe = config_map("probe", json!({}));
    let token = |object: &Value| match (
        &object["metadata"]["name"],
        &object["data"]["ADMIN_PASSWORD"],
    ) {
        (name, Value::Null) if name != "probe" => adds("/data/ADMIN_PASSWORD", &OTHER.into()),
        _ => json!([]),
    };
    let meddler = Meddler::of(cluster(), namespace, kinds, Turn::Last, token).expect("it is there");
    is_called(&meddler, namespace, &probe);
    apply(namespace, &config_map("app", json!({"PASSWORD": VALUE}))).passed();
    let stored = get(namespace, "configmap", "app");
    let data = stored["data"].as_object().expect("a map");
    assert!(
        data.len() == 2 && data.values().all(is_placeholder),
        "{stored}"
    );
    assert!(!stored.to_string().contains(OTHER), "{stored}");
    served(namespace, "app");
    serves(namespace, "app", "PASSWORD", VALUE);
    serves(namespace, "app", "ADMIN_PASSWORD", OTHER);
    drop(meddler);
    // Once it is asked again, nobody is asked after it but those who judge.
    let late = move |object: &Value| match &object["data"]["ADMIN_PASSWORD"] {
        moved if is_placeholder(moved) => adds("/data/LATE_PASSWORD", &OTHER.into()),
        _ => token(object),
    };
    let again = Turn::LastAgain;
    let meddler = Meddler::of(cluster(), namespace, kinds, again, late).expect("it is there");
    is_called(&meddler, namespace, &probe);
    let created = create(namespace, &config_map("second", json!({"PASSWORD": VALUE})));
    created.refused(&[
        "data.LATE_PASSWORD: a value that belongs in a Secret was put in after Portcullis had looked",
        "try again",
    ]);
    assert_eq!(get(namespace, "configmap", "second"), Value::Null);
}

pub(super) fn a_container_that_another_webhook_adds_reads_the_secret(namespace: &str) {
    let containers = |object: &Value| object["spec"]["containers"].as_array().map_or(0, Vec::len);
    let sidecar = move |object: &Value| match containers(object) {
        1 => adds("/spec/containers/-", &container("sidecar")),
        _ => json!([]),
    };
    let meddler = Meddler::start(cluster(), namespace, Turn::Last, sidecar).expect("it is there");
    is_called(&meddler, namespace, &pod("probe"));
    create(namespace, &pod("injected")).passed();
    let stored = get(namespace, "pod", "injected");
    assert!(is_rewritten(&stored["spec"]["containers"][1]), "{stored}");
    let started = || cluster().containers(namespace, "sidecar").expect("records");
    let started = eventually("started", started, |all| !all.is_empty());
    let given = ("ONE".to_owned(), VALUE.to_owned());
    assert!(started[0].environment.contains(&given), "{started:?}");
    drop(meddler);
    let late = move |object: &Value| match containers(object) {
        2 => adds("/spec/containers/-", &container("late")),
        _ => sidecar(object),
    };
    let again = Turn::LastAgain;
    let meddler = Meddler::start(cluster(), namespace, again, late).expect("it is there");
    is_called(&meddler, namespace, &pod("probe"));
    create(namespace, &pod("late")).refused(&["PASSWORD", "ConfigMap", "app", "late", "try again"]);
    assert_eq!(get(namespace, "pod", "late"), Value::Null);
}

pub(super) fn a_container_that_comes_later_reads_the_secret(namespace: &str) {
    create(namespace, &pod("debugged")).passed();
    let started = || cluster().containers(namespace, "plain").expect("records");
    eventually("started", started, |all| {
        all.iter().any(|one| one.pod == "debugged")
    });
    let mut body = get(namespace, "pod", "debugged");
    // As it is when the write comes.
    body["metadata"]
        .as_object_mut()
        .expect("metadata")
        .remove("resourceVersion");
    body["spec"]["ephemeralContainers"] = json!([container("debugger")]);
    let path = format!("/api/v1/namespaces/{namespace}/pods/debugged/ephemeralcontainers");
    let put = |path: &str| admin(&["replace", "--raw", path, "-f", "-"], &body.to_string());
    let tried = unwritten(namespace, || put(&format!("{path}?dryRun=All")));
    for answer in [tried, put(&path)] {
        assert_eq!(answer.code, 0, "{answer:?}");
        let pod: Value = serde_json::from_str(&answer.stdout).expect("JSON");
        assert!(
            is_rewritten(&pod["spec"]["ephemeralContainers"][0]),
            "{pod}"
        );
    }
    let started = || {
        cluster()
            .containers(namespace, "debugger")
            .expect("records")
    };
    let started = eventually("started", started, |all| !all.is_empty());
    let given = ("ONE".to_owned(), VALUE.to_owned());
    assert!(started[0].environment.contains(&given), "{started:?}");
    // Whoever names the Secret himself gets no more than that.
    body["spec"]["ephemeralContainers"] = json!([container("debugger"), {"name": "thief",
        "image": "example.com/a:1",
        "envFrom": [{"secretRef": {"name": "portcullis-moved-t-app"}}]}]);
    let refused = admin(&["replace", "--raw", &path, "-f", "-"], &body.to_string());
    refusal(&refused, &["portcullis-moved-t-app", "is Portcullis' own"]);
}
