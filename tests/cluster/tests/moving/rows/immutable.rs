use super::*;

fn fixed(name: &str, value: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "immutable": true,
        "data": {"PASSWORD": value, "LOG_LEVEL": "info"}})
    .to_string()
}

/// A namespace with one that was there when it was enrolled.
pub(super) fn before(stage: &mut Stage) -> String {
    let namespace = stage.namespace("old");
    let created = kubectl(&namespace, &["apply", "-f", "-"], &fixed("old", VALUE));
    created.ok().expect("created");
    stage.enrol(&namespace);
    namespace
}

pub(super) fn created_with_values_it_stays_as_it_is(namespace: &str) {
    apply(namespace, &fixed("fixed", VALUE)).passed();
    let stored = get(namespace, "configmap", "fixed");
    assert!(is_placeholder(&stored["data"]["PASSWORD"]), "{stored}");
    assert_eq!(stored["immutable"], true);
    served(namespace, "fixed");
    serves(namespace, "fixed", "PASSWORD", VALUE);
    let again = apply(namespace, &fixed("fixed", VALUE)).passed();
    assert!(again.stdout.contains("unchanged") || again.stdout.contains("configured"));
    assert_eq!(get(namespace, "configmap", "fixed"), stored);
    let diff = kubectl(namespace, &["diff", "-f", "-"], &fixed("fixed", VALUE));
    assert_eq!(diff.code, 0, "{diff:?}");
    let other = apply(namespace, &fixed("fixed", OTHER));
    other.refused(&[
        "data.PASSWORD: ",
        "is immutable",
        "delete and create the ConfigMap",
    ]);
    // As the refusal says.
    write(namespace, &["delete", "configmap", "fixed"], "").passed();
    apply(namespace, &fixed("fixed", OTHER)).passed();
    serves(namespace, "fixed", "PASSWORD", OTHER);
}

pub(super) fn one_that_was_there_is_made_anew(stage: &Stage, namespace: &str) {
    let before = get(namespace, "configmap", "old");
    let mut labelled = before.clone();
    labelled["metadata"]["labels"] = json!({"seen": "yes"});
    let warned = write(namespace, &["replace", "-f", "-"], &labelled.to_string()).passed();
    assert!(
        warned.stderr.contains("data.PASSWORD: secret"),
        "{warned:?}"
    );
    assert_eq!(
        get(namespace, "configmap", "old")["data"]["PASSWORD"],
        VALUE
    );
    let refused = stage.secrets(&["redact", namespace, "old"]);
    let refused = refused.expect_err("refused");
    for part in [
        namespace,
        "immutable",
        "delete it and create it again",
        "prepare",
    ] {
        assert!(refused.contains(part), "no {part:?}: {refused}");
    }
    super::super::replay::says_no_value(&refused);
    assert_eq!(ours(namespace), Vec::<String>::new());
    write(namespace, &["delete", "configmap", "old"], "").passed();
    apply(namespace, &fixed("old", VALUE)).passed();
    let stored = get(namespace, "configmap", "old");
    assert!(is_placeholder(&stored["data"]["PASSWORD"]), "{stored}");
    serves(namespace, "old", "PASSWORD", VALUE);
}
