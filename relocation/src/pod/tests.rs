//! One test for each form and each trap of the table in `pod`; random ones are
//! in `tests/pods.rs`.

use serde_json::{Value, json};

use super::*;

/// ConfigMap `app`: `password` and `blob` (binary) have moved, `plain` and
/// `more` have not.
fn maps() -> Maps {
    let set = |keys: &[&str]| keys.iter().map(ToString::to_string).collect();
    let app = Known {
        exists: true,
        keys: set(&["blob", "more", "password", "plain"]),
        text: set(&["password"]),
        binary: set(&["blob"]),
    };
    [
        ("app".to_owned(), app),
        ("new".to_owned(), Known::default()),
    ]
    .into()
}

fn pod(spec: Value) -> Value {
    json!({"metadata": {"name": "web"}, "spec": spec})
}

fn container(fields: Value) -> Value {
    let mut container = fields;
    container["name"] = json!("web");
    pod(json!({"containers": [container]}))
}

fn volume(source: Value) -> Value {
    let mut volume = source;
    volume["name"] = json!("config");
    pod(json!({"volumes": [volume]}))
}

fn created(pod: &Value) -> Value {
    rewrite(pod, None, &maps()).expect("it can be expressed")
}

/// The sources of the one volume.
fn sources(pod: &Value) -> Value {
    created(pod)["spec"]["volumes"][0]["projected"]["sources"].clone()
}

#[test]
fn a_variable_is_read_from_the_secret_if_its_key_has_moved() {
    let from = |reference: Value| json!({"name": "V", "valueFrom": reference});
    let key = |name: &str| json!({"name": "app", "key": name, "optional": false});
    let before = container(json!({"env": [
        from(json!({"configMapKeyRef": key("password")})),
        from(json!({"configMapKeyRef": key("plain")})),
        // Natively a variable has no binary data: it stays missing.
        from(json!({"configMapKeyRef": key("blob")})),
        {"name": "L", "value": "$(V)"},
    ]}));
    let mut after = before.clone();
    after["spec"]["containers"][0]["env"][0]["valueFrom"] = json!({"secretKeyRef":
        {"name": "portcullis-moved-t-app", "key": "password", "optional": false}});
    assert_eq!(created(&before), after);
}

#[test]
fn a_whole_environment_is_followed_by_the_secret() {
    let before = container(json!({"envFrom": [
        {"configMapRef": {"name": "app"}, "prefix": "P_"},
        {"configMapRef": {"name": "app", "optional": true}},
        {"configMapRef": {"name": "new"}},
        {"configMapRef": {"name": "exempt"}},
        {"secretRef": {"name": "own"}},
    ]}));
    let served = "portcullis-moved-t-app";
    let after = container(json!({"envFrom": [
        {"configMapRef": {"name": "app"}, "prefix": "P_"},
        {"secretRef": {"name": served}, "prefix": "P_"},
        {"configMapRef": {"name": "app", "optional": true}},
        {"secretRef": {"name": served, "optional": true}},
        {"configMapRef": {"name": "new"}},
        {"secretRef": {"name": "portcullis-moved-t-new", "optional": true}},
        {"configMapRef": {"name": "exempt"}},
        {"secretRef": {"name": "own"}},
    ]}));
    assert_eq!(created(&before), after);
}

#[test]
fn a_whole_volume_is_followed_by_both_secrets() {
    let before = volume(json!({"configMap": {"name": "app", "defaultMode": 256}}));
    let after = volume(json!({"projected": {"defaultMode": 256, "sources": [
        {"configMap": {"name": "app"}},
        {"secret": {"name": "portcullis-moved-t-app"}},
        {"secret": {"name": "portcullis-moved-b-app"}},
    ]}}));
    assert_eq!(created(&before), after);
    // Not an empty list of items, which is the same.
    let before = volume(json!({"configMap": {"name": "app", "defaultMode": 256, "items": []}}));
    assert_eq!(created(&before), after);
}

#[test]
fn items_are_split_and_an_empty_rest_is_dropped() {
    let item = |key: &str, path: &str| json!({"key": key, "path": path, "mode": 256});
    let items = |items: Value| {
        volume(json!({"configMap": {"name": "app", "optional": true, "items": items}}))
    };
    let (password, plain, blob) = (item("password", "p"), item("plain", "q"), item("blob", "b"));
    let map = json!({"configMap": {"name": "app", "optional": true, "items": [plain]}});
    let text = json!({"secret": {"name": "portcullis-moved-t-app", "optional": true, "items": [password]}});
    let binary =
        json!({"secret": {"name": "portcullis-moved-b-app", "optional": true, "items": [blob]}});
    assert_eq!(
        sources(&items(json!([password, plain, blob]))),
        json!([map, text, binary])
    );
    // Without items it would be the whole ConfigMap.
    assert_eq!(sources(&items(json!([password]))), json!([text]));
    // Nothing of it has moved.
    assert_eq!(created(&items(json!([plain]))), items(json!([plain])));
}

#[test]
fn a_projection_is_split_in_its_place() {
    let own = json!({"secret": {"name": "own"}});
    let item = json!({"key": "password", "path": "p"});
    let before = volume(json!({"projected": {"defaultMode": 420, "sources": [
        own,
        {"configMap": {"name": "app", "items": [item]}},
        {"configMap": {"name": "new", "optional": true}},
        own,
    ]}}));
    let after = json!([
        own,
        {"secret": {"name": "portcullis-moved-t-app", "items": [item]}},
        {"configMap": {"name": "new", "optional": true}},
        {"secret": {"name": "portcullis-moved-t-new", "optional": true}},
        {"secret": {"name": "portcullis-moved-b-new", "optional": true}},
        own,
    ]);
    assert_eq!(sources(&before), after);
}

#[test]
fn of_two_items_with_one_path_the_last_that_is_there_stays() {
    let items = |items: Value, optional: bool| {
        volume(json!({"configMap": {"name": "app", "optional": optional, "items": items}}))
    };
    let item = |key: &str| json!({"key": key, "path": "p"});
    let text = |optional: bool| json!([{"secret": {"name": "portcullis-moved-t-app", "items": [item("password")], "optional": optional}}]);
    assert_eq!(
        sources(&items(json!([item("plain"), item("password")]), false)),
        text(false)
    );
    assert_eq!(
        sources(&items(json!([item("password"), item("absent")]), true)),
        text(true)
    );
    // Natively this one waits until `absent` is there, and then it is `absent`.
    let refused = rewrite(
        &items(json!([item("password"), item("absent")]), false),
        None,
        &maps(),
    );
    let text = "/spec/volumes/0: path \"p\" is there twice and key \"absent\" is not in \
                ConfigMap \"app\"; give each item a path of its own";
    assert_eq!(
        refused.map_err(|refusal| refusal.to_string()),
        Err(text.to_owned())
    );
}

#[test]
fn an_apply_that_changes_something_reaches_the_api_server() {
    let key = |name: &str| json!({"name": "app", "key": name});
    let variable = |from: Value| container(json!({"env": [{"name": "V", "valueFrom": from}]}));
    let stored = created(&variable(json!({"configMapKeyRef": key("password")})));
    let ours = stored["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"].clone();
    let changed = variable(json!({"configMapKeyRef": key("plain"), "secretKeyRef": ours}));
    assert_eq!(
        rewrite(&changed, Some(&stored), &maps()),
        Ok(variable(json!({"configMapKeyRef": key("plain")})))
    );
    let stored = created(&volume(json!({"configMap": {"name": "app"}})));
    let mut changed = stored.clone();
    changed["spec"]["volumes"][0]["configMap"] = json!({"name": "new"});
    let updated = rewrite(&changed, Some(&stored), &maps());
    assert_eq!(
        updated,
        Ok(created(&volume(json!({"configMap": {"name": "new"}}))))
    );
}

#[test]
fn nobody_else_names_a_secret_of_ours() {
    let (staged, served) = (
        "portcullis-moved-s-0123456789abcdef",
        "portcullis-moved-t-app",
    );
    let items = json!([{"key": "plain", "path": "p"}]);
    let cases = [
        container(json!({"envFrom": [{"secretRef": {"name": staged}}]})),
        container(json!({"envFrom": [{"secretRef": {"name": served}}]})),
        container(
            json!({"envFrom": [{"configMapRef": {"name": "new"}}, {"secretRef": {"name": served}}]}),
        ),
        container(json!({"envFrom": [
            {"configMapRef": {"name": "app"}}, {"secretRef": {"name": served}, "prefix": "LD_"}]})),
        // Not a key that has moved.
        container(
            json!({"env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": "portcullis-moved-t-other", "key": "k"}}}]}),
        ),
        container(
            json!({"env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": "portcullis-moved-b-app", "key": "blob"}}}]}),
        ),
        container(
            json!({"env": [{"name": "V", "valueFrom": {"secretKeyRef": {"name": staged, "key": "password"}}}]}),
        ),
        volume(json!({"secret": {"secretName": served}})),
        volume(json!({"projected": {"sources": [{"secret": {"name": served}}]}})),
        volume(json!({"projected": {"sources": [{"secret": {"name": staged, "items": items}}]}})),
        // Of a ConfigMap that the webhook leaves alone.
        volume(
            json!({"projected": {"sources": [{"secret": {"name": "portcullis-moved-t-other", "items": items}}]}}),
        ),
        volume(json!({"projected": {"sources": [
            {"configMap": {"name": "new"}}, {"secret": {"name": served}}]}})),
        volume(json!({"csi": {"driver": "d", "nodePublishSecretRef": {"name": served}}})),
        volume(json!({"azureFile": {"secretName": served, "shareName": "s"}})),
        volume(json!({"rbd": {"secretRef": {"name": served}}})),
        pod(json!({"imagePullSecrets": [{"name": served}]})),
        pod(
            json!({"ephemeralContainers": [{"name": "d", "envFrom": [{"secretRef": {"name": served}}]}]}),
        ),
    ];
    for pod in cases {
        let refused = rewrite(&pod, None, &maps());
        assert!(
            matches!(refused, Err(Refusal::Reserved { .. })),
            "{pod}: {refused:?}"
        );
        assert_eq!(check_names(&pod, None, &maps()), refused.map(drop), "{pod}");
        // What is stored may stay, or an old pod could not be labelled.
        assert_eq!(rewrite(&pod, Some(&pod), &maps()), Ok(pod.clone()));
    }
}

#[test]
fn our_own_form_may_be_written_and_follows_the_configmap_back() {
    let served = "portcullis-moved-t-app";
    let variable = |from: Value| container(json!({"env": [{"name": "V", "valueFrom": from}]}));
    let ours = |key: &str| variable(json!({"secretKeyRef": {"name": served, "key": key}}));
    assert_eq!(created(&ours("password")), ours("password"));
    // Since then it has moved back, or the namespace is another.
    let plain = variable(json!({"configMapKeyRef": {"name": "app", "key": "plain"}}));
    assert_eq!(created(&ours("plain")), plain);
    let items = |key: &str| json!([{"key": key, "path": "p"}]);
    let secret = |key: &str| {
        volume(
            json!({"projected": {"sources": [{"secret": {"name": served, "items": items(key)}}]}}),
        )
    };
    assert_eq!(created(&secret("password")), secret("password"));
    assert_eq!(check_names(&secret("password"), None, &maps()), Ok(()));
    // A pod that was rewritten before the ConfigMap came, and the key is none to move.
    assert_eq!(check_names(&secret("plain"), None, &maps()), Ok(()));
    assert_eq!(check_names(&ours("plain"), None, &maps()), Ok(()));
    let plain = json!([{"configMap": {"name": "app", "items": items("plain")}}]);
    assert_eq!(sources(&secret("plain")), plain);
}

#[test]
fn what_would_show_a_placeholder_is_named() {
    let key = json!({"configMapKeyRef": {"name": "app", "key": "password"}});
    let pod = pod(json!({
        "containers": [{"name": "web", "env": [{"name": "V", "valueFrom": key}],
            "envFrom": [{"configMapRef": {"name": "app"}}]}],
        "volumes": [{"name": "config", "configMap": {"name": "app"}}],
    }));
    let told = |old| {
        let uses = unrewritten(&pod, old, &maps());
        let told = uses.iter().map(|one| format!("{} {one}", one.pointer));
        told.collect::<Vec<_>>()
    };
    let env = "/spec/containers/0/env/0 env \"V\" of container \"web\" reads password of ConfigMap \"app\"";
    let from = "/spec/containers/0/envFrom/0 envFrom of container \"web\" reads password of ConfigMap \"app\"";
    let files = "/spec/volumes/0 volume \"config\" reads blob, password of ConfigMap \"app\"";
    assert_eq!(told(None), [env, from, files]);
    let mut old = pod.clone();
    old["spec"]["volumes"] = json!([]);
    assert_eq!(told(Some(&old)), [files]);
    assert_eq!(unrewritten(&created(&pod), None, &maps()), vec![]);
}

#[test]
fn what_nobody_rewrote_is_told_though_nothing_has_moved_yet() {
    let nothing_moved = Known {
        text: BTreeSet::new(),
        binary: BTreeSet::new(),
        ..maps()["app"].clone()
    };
    let files = |source: Value| volume(json!({"configMap": source}));
    let whole = container(json!({"envFrom": [{"configMapRef": {"name": "app"}}]}));
    let items = json!([{"key": "plain", "path": "a"}]);
    let (app, none) = (BTreeSet::from(["app".to_owned()]), BTreeSet::new());
    let absent = Known::default();
    for (pod, known, expected) in [
        (&whole, &nothing_moved, &app),
        (&whole, &absent, &app),
        (&files(json!({"name": "app"})), &nothing_moved, &app),
        (
            &files(json!({"name": "app", "items": items})),
            &nothing_moved,
            &none,
        ),
        (
            &files(json!({"name": "app", "items": items})),
            &absent,
            &app,
        ),
        (&container(json!({})), &nothing_moved, &none),
    ] {
        let maps = Maps::from([("app".to_owned(), known.clone())]);
        assert_eq!(bypassed(pod, &maps).as_ref(), Ok(expected), "{pod}");
        let rewritten = rewrite(pod, None, &maps).expect("rewritten");
        assert_eq!(bypassed(&rewritten, &maps), Ok(BTreeSet::new()));
    }
}

#[test]
fn what_is_no_pod_is_left_alone() {
    for odd in [
        json!(null),
        json!([]),
        json!({"spec": []}),
        json!({"spec": {"containers": {}, "volumes": "x"}}),
        json!({"spec": {"containers": [null, {"env": [7], "envFrom": [{}]}], "volumes": [null, {"configMap": []}]}}),
    ] {
        assert_eq!(rewrite(&odd, Some(&odd), &maps()), Ok(odd.clone()));
        assert_eq!(rewrite(&odd, None, &maps()), Ok(odd));
    }
}
