use super::*;

pub(super) fn what_comes_again_is_never_collected(namespace: &str) {
    let manifest = |value: &str| config_map("again", json!({"PASSWORD": value}));
    apply(namespace, &manifest(VALUE)).passed();
    serves(namespace, "again", "PASSWORD", VALUE);
    let value = |round: usize| format!("{OTHER}{round}");
    for round in 0..3 {
        let replace = ["replace", "--force", "-f", "-"];
        let replaced = kubectl(namespace, &replace, &manifest(&value(round)));
        assert_eq!(replaced.code, 0, "{replaced:?}");
    }
    serves(namespace, "again", "PASSWORD", &value(2));
    let uid = get(namespace, "configmap", "again")["metadata"]["uid"].clone();
    let secret = || get(namespace, "secret", "portcullis-moved-t-again");
    let owner = |secret: &Value| secret["metadata"]["ownerReferences"][0]["uid"].clone();
    assert_eq!(owner(&secret()), uid);
    // The garbage collector has looked at those before it.
    for _ in 0..10 {
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert_eq!(owner(&secret()), uid);
        serves(namespace, "again", "PASSWORD", &value(2));
    }
    served(namespace, "again");
}

/// But what was staged, which nobody names and which goes after an hour.
pub(super) fn nothing_is_left_behind(namespace: &str) {
    let secret = "portcullis-moved-t-again";
    assert_ne!(get(namespace, "secret", secret), Value::Null);
    write(namespace, &["delete", "configmap", "again"], "").passed();
    for (kind, name) in [("secret", secret), ("relocation", "again")] {
        let read = || get(namespace, kind, name);
        eventually("collected", read, Value::is_null);
    }
}
