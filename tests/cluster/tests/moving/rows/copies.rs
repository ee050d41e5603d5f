use super::*;

/// What is said where a placeholder is not its own.
const FORGED: [&str; 2] = [
    "data.PASSWORD: a placeholder that was not issued for this ConfigMap and key",
    "write the value in its stead",
];

pub(super) fn a_placeholder_is_good_for_its_place_alone(stage: &mut Stage, namespace: &str) {
    apply(
        namespace,
        &config_map("app", json!({"PASSWORD": VALUE, "LOG_LEVEL": "info"})),
    )
    .passed();
    let stored = get(namespace, "configmap", "app");
    assert!(is_placeholder(&stored["data"]["PASSWORD"]), "{stored}");
    served(namespace, "app");
    let before = ours(namespace);
    let copy = anew(&stored, json!({"name": "copy"}));
    create(namespace, &copy).refused(&FORGED);
    apply(namespace, &copy).refused(&FORGED);
    let elsewhere = stage.enrolled("elsewhere");
    create(&elsewhere, &anew(&stored, json!({"name": "app"}))).refused(&FORGED);
    // Another key of its own.
    let patch = json!({"data": {"TOKEN": stored["data"]["PASSWORD"]}}).to_string();
    let patch = ["patch", "configmap", "app", "-p", &patch];
    write(namespace, &patch, "").refused(&["data.TOKEN: a placeholder that was not issued"]);
    assert_eq!(get(namespace, "configmap", "copy"), Value::Null);
    assert_eq!(get(&elsewhere, "configmap", "app"), Value::Null);
    assert_eq!(get(namespace, "configmap", "app"), stored);
    assert_eq!((ours(namespace), ours(&elsewhere)), (before, vec![]));
}

pub(super) fn a_name_that_is_made_is_as_good(namespace: &str) {
    let manifest = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "made-"},
            "data": {"PASSWORD": value}})
    };
    let created = create(namespace, &manifest(VALUE).to_string())
        .passed()
        .stdout;
    let name = created.trim().trim_start_matches("configmap/");
    let name = name.trim_end_matches(" created").to_owned();
    assert!(
        name.starts_with("made-") && name.len() > "made-".len(),
        "{created}"
    );
    let stored = get(namespace, "configmap", &name);
    assert!(is_placeholder(&stored["data"]["PASSWORD"]), "{stored}");
    served(namespace, &name);
    serves(namespace, &name, "PASSWORD", VALUE);
    // Written again under its name, it is what it was; and it rotates.
    let named = |value: &str| config_map(&name, json!({"PASSWORD": value}));
    let replace = ["replace", "-f", "-"];
    write(namespace, &replace, &named(VALUE)).passed();
    assert_eq!(get(namespace, "configmap", &name)["data"], stored["data"]);
    write(namespace, &replace, &named(OTHER)).passed();
    serves(namespace, &name, "PASSWORD", OTHER);
}

/// Audited, that is to say: it stays as it is written.
pub(super) fn what_a_controller_writes_is_left(namespace: &str) {
    let cluster_ca = get(namespace, "configmap", "kube-root-ca.crt");
    assert!(cluster_ca["metadata"]["labels"].is_null(), "{cluster_ca}");
    let certificate = cluster_ca["data"]["ca.crt"].as_str().unwrap_or_default();
    assert!(
        certificate.starts_with("-----BEGIN CERTIFICATE"),
        "{cluster_ca}"
    );
    assert_eq!(
        get(namespace, "relocation", "kube-root-ca.crt"),
        Value::Null
    );
    let before = staged(namespace);
    let owner = get(namespace, "configmap", "app");
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "app",
        "uid": owner["metadata"]["uid"]});
    let owned = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"PASSWORD": VALUE},
        "metadata": {"name": "owned", "ownerReferences": [owner]}});
    create(namespace, &owned.to_string()).passed();
    let system = [
        "create",
        "-f",
        "-",
        "--as=system:serviceaccount:kube-system:some-controller",
        "--as-group=system:masters",
    ];
    write(
        namespace,
        &system,
        &config_map("system", json!({"PASSWORD": VALUE})),
    )
    .passed();
    for name in ["owned", "system"] {
        let stored = get(namespace, "configmap", name);
        assert_eq!(stored["data"]["PASSWORD"], VALUE, "{name}");
        assert_eq!(get(namespace, "relocation", name), Value::Null, "{name}");
    }
    assert_eq!(staged(namespace), before);
    // The system's accounts may forge as little as anybody.
    let stored = get(namespace, "configmap", "app");
    write(namespace, &system, &anew(&stored, json!({"name": "copy"}))).refused(&FORGED);
}
