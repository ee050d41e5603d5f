use super::*;

/// The largest ConfigMap, of its values.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn binary_data_has_a_secret_of_its_own(namespace: &str) {
    let file = format!("password: {VALUE}\n");
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "binary"},
        "binaryData": {"a.yaml": STANDARD.encode(&file)}});
    apply(namespace, &manifest.to_string()).passed();
    let stored = get(namespace, "configmap", "binary");
    let placeholder = stored["binaryData"]["a.yaml"].as_str().expect("text");
    let placeholder = STANDARD.decode(placeholder).expect("base64");
    assert!(is_placeholder(
        &String::from_utf8(placeholder).expect("text").into()
    ));
    let status = served(namespace, "binary")["status"].clone();
    assert_eq!(status["keys"], json!(["binaryData.a.yaml"]));
    assert_eq!(status["secrets"], json!(["portcullis-moved-b-binary"]));
    let held = held(namespace, "portcullis-moved-b-binary", "a.yaml");
    assert_eq!(held, Some(file));
    assert_eq!(
        get(namespace, "secret", "portcullis-moved-t-binary"),
        Value::Null
    );
    apply(namespace, &manifest.to_string()).passed();
    assert_eq!(get(namespace, "configmap", "binary"), stored);
}

pub(super) fn so_many_keys_and_no_more(namespace: &str) {
    let manifest = |count: usize| {
        let key = |number: usize| (format!("PASSWORD_{number}"), format!("{VALUE}{number}"));
        let data: std::collections::BTreeMap<_, _> = (0..count).map(key).collect();
        config_map("many", json!(data))
    };
    let before = ours(namespace);
    let parts = ["65 keys", "at most 64", "split it"];
    create(namespace, &manifest(65)).refused(&parts);
    assert_eq!(get(namespace, "configmap", "many"), Value::Null);
    assert_eq!(ours(namespace), before);
    create(namespace, &manifest(64)).passed();
    let stored = get(namespace, "configmap", "many");
    let all = stored["data"].as_object().expect("a map");
    assert!(
        all.len() == 64 && all.values().all(is_placeholder),
        "{stored}"
    );
    serves(namespace, "many", "PASSWORD_63", &format!("{VALUE}63"));
    write(namespace, &["replace", "-f", "-"], &manifest(65)).refused(&parts);
    assert_eq!(get(namespace, "configmap", "many"), stored);
}

pub(super) fn so_many_bytes_and_no_more(namespace: &str) {
    let file = |bytes: usize| {
        let line = "# how it is set up, and why\n";
        format!("password: {VALUE}\n{}", line.repeat(bytes / line.len()))
    };
    let large = MOST_BYTES * 2 / 3;
    let first = json!({"a.yaml": file(large)});
    create(namespace, &config_map("large", first.clone())).passed();
    let stored = get(namespace, "configmap", "large");
    assert!(is_placeholder(&stored["data"]["a.yaml"]), "{stored}");
    let before = staged(namespace);
    // The API server itself sees two short texts.
    let mut both = first;
    both["b.yaml"] = file(large).into();
    let mut more = stored.clone();
    more["data"]["b.yaml"] = both["b.yaml"].clone();
    let parts = [
        "data.b.yaml: ",
        "more than a ConfigMap or Secret holds (1 MiB)",
        "split",
    ];
    write(namespace, &["replace", "-f", "-"], &more.to_string()).refused(&parts);
    assert_eq!(get(namespace, "configmap", "large"), stored);
    assert_eq!(staged(namespace), before);
    // Without the one, there is room for the other.
    more["data"] = json!({"b.yaml": both["b.yaml"]});
    write(namespace, &["replace", "-f", "-"], &more.to_string()).passed();
    serves(
        namespace,
        "large",
        "b.yaml",
        both["b.yaml"].as_str().expect("text"),
    );
}

pub(super) fn a_quota_is_told_of_and_nothing_changes(stage: &mut Stage) {
    let namespace = &stage.enrolled("quota");
    let manifest = |name: &str, value: &str| config_map(name, json!({"PASSWORD": value}));
    apply(namespace, &manifest("app", VALUE)).passed();
    served(namespace, "app");
    let stored = get(namespace, "configmap", "app");
    let create = ["create", "quota", "few", "--hard=secrets=2"];
    kubectl(namespace, &create, "").ok().expect("a quota");
    let quota = |count: &str| {
        let patch = json!({"spec": {"hard": {"secrets": count}}}).to_string();
        let patch = ["patch", "resourcequota", "few", "-p", &patch];
        kubectl(namespace, &patch, "").ok().expect("patched");
        let read = || get(namespace, "resourcequota", "few")["status"].clone();
        let is_known =
            |status: &Value| status["hard"]["secrets"] == count && status["used"] != json!({});
        eventually("counted", read, is_known)
    };
    assert_eq!(quota("2")["used"]["secrets"], "2");
    let refused = apply(namespace, &manifest("app", OTHER)).refused_when_done(&[
        &format!("the Secret {namespace}/{STAGED}"),
        "exceeded quota: few, requested: secrets=1, used: secrets=2, limited: secrets=2",
        "to try again is safe",
    ]);
    assert!(
        refused.starts_with("secrets cannot be moved: "),
        "{refused}"
    );
    assert_eq!(get(namespace, "configmap", "app"), stored);
    assert_eq!(ours(namespace).len(), 2);
    quota("3");
    apply(namespace, &manifest("app", OTHER)).passed();
    serves(namespace, "app", "PASSWORD", OTHER);
    // Enough to be staged, and not to be served: that is told, and mended later.
    quota("4");
    apply(namespace, &manifest("late", VALUE)).passed();
    let status = || get(namespace, "relocation", "late")["status"].clone();
    let status = eventually("told", status, |status| status["state"] == "Pending");
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.contains("exceeded quota: few"), "{status}");
    quota("10");
    served(namespace, "late");
    serves(namespace, "late", "PASSWORD", VALUE);
}

fn kept(value: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"PASSWORD": value},
        "metadata": {"name": "kept", "finalizers": ["example.com/kept"]}})
    .to_string()
}

/// A namespace that is being deleted and cannot go.
pub(super) fn going(stage: &mut Stage) -> String {
    let namespace = stage.enrolled("going");
    apply(&namespace, &kept(VALUE)).passed();
    served(&namespace, "kept");
    admin(&["delete", "namespace", &namespace, "--wait=false"], "")
        .ok()
        .expect("deleted");
    namespace
}

pub(super) fn a_namespace_that_goes_takes_no_value(namespace: &str) {
    let read = || get(namespace, "configmap", "kept");
    let is_going = |found: &Value| !found["metadata"]["deletionTimestamp"].is_null();
    let stored = eventually("told to go", read, is_going);
    // All that can go has gone.
    let list = || ours(namespace);
    eventually("emptied", list, Vec::is_empty);
    apply(namespace, &kept(OTHER)).refused(&[
        "data.PASSWORD: ",
        &format!("namespace {namespace} is being deleted and takes no new Secret"),
    ]);
    assert_eq!(get(namespace, "configmap", "kept"), stored);
    write(namespace, &["replace", "-f", "-"], &kept(VALUE)).passed();
    assert_eq!(get(namespace, "configmap", "kept")["data"], stored["data"]);
    let patch = json!({"metadata": {"finalizers": null}}).to_string();
    write(namespace, &["patch", "configmap", "kept", "-p", &patch], "").passed();
    let find = || admin(&["get", "namespace", namespace], "").code;
    eventually("gone", find, |code| *code != 0);
}
