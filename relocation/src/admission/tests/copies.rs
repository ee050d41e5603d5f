//! Copies of the object in its annotations, and what else holds the value.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::*;

const RANCHER: &str = "objectset.rio.cattle.io/applied";

/// `app` with these annotations.
fn annotated(annotations: Value) -> Value {
    let mut object = config_map(json!({"password": "hunter22", "user": "app"}));
    object["metadata"]["annotations"] = annotations;
    object
}

fn manifest() -> String {
    config_map(json!({"password": "hunter22", "user": "app"})).to_string()
}

fn gzip(text: &str) -> String {
    use std::io::Write as _;
    let mut writer = flate2::write::GzEncoder::new(vec![], flate2::Compression::best());
    writer.write_all(text.as_bytes()).unwrap();
    STANDARD_NO_PAD.encode(writer.finish().unwrap())
}

#[test]
fn last_applied_holds_the_same_placeholder() {
    for name in [LAST_APPLIED, "kapp.k14s.io/original"] {
        let request = create(annotated(json!({name: manifest() + "\n"})));
        let (object, moved) = request.moved();
        let copy = object["metadata"]["annotations"][name].as_str().unwrap();
        assert!(copy.ends_with("}\n"));
        let copy: Value = serde_json::from_str(copy).unwrap();
        assert_eq!(copy["data"], object["data"]);
        assert!(!moved.patch.to_string().contains("hunter22"));
    }
}

#[test]
fn the_same_apply_makes_the_same_copy() {
    let old = create(annotated(json!({LAST_APPLIED: manifest() + "\n"}))).stored();
    let again = update(&old, annotated(json!({LAST_APPLIED: manifest() + "\n"})));
    let (object, _) = again.moved();
    assert_eq!(
        object["metadata"]["annotations"],
        old["metadata"]["annotations"]
    );
}

#[test]
fn a_former_value_in_the_copy_goes_too() {
    let former = manifest().replace("hunter22", "hunter11");
    let request = create(annotated(json!({LAST_APPLIED: former})));
    assert!(!request.stored().to_string().contains("hunter11"));
}

#[test]
fn a_packed_copy_is_rewritten_and_stays_packed() {
    for copy in [gzip(&manifest()), manifest()] {
        let request = create(annotated(json!({RANCHER: copy})));
        let (object, _) = request.moved();
        let text = object["metadata"]["annotations"][RANCHER].as_str().unwrap();
        assert_eq!(text.starts_with('{'), copy.starts_with('{'));
        let opened = crate::copies::opened(RANCHER, text).unwrap().unwrap();
        assert_eq!(opened["data"], object["data"]);
    }
}

#[test]
fn a_copy_that_cannot_be_read_is_refused_only_where_a_value_moves() {
    for (name, text) in [
        (RANCHER, "H4sI!"),
        ("banzaicloud.com/last-applied", "UEsDBA=="),
    ] {
        let request = create(annotated(json!({name: text})));
        let denial = request.denied();
        assert_eq!(denial.code, Code::UnreadableCopy);
        assert!(denial.message.contains(name));
        let mut old = relocated();
        old["metadata"]["annotations"] = json!({name: text});
        let labelled = update(&old, old.clone());
        assert_eq!(labelled.admitted(), [""; 0]);
    }
}

#[test]
fn a_bomb_is_not_unpacked() {
    let bomb = gzip(&" ".repeat(8 << 20));
    let request = create(annotated(json!({RANCHER: bomb})));
    assert_eq!(request.denied().code, Code::UnreadableCopy);
}

#[test]
fn the_value_elsewhere_is_refused_by_its_place() {
    let packed = json!({"metadata": {"annotations": {"x": "hunter22"}}}).to_string();
    let wrapped = STANDARD.encode("user: app\npassword: hunter22\n");
    let wrapped = format!("{}\n{}", &wrapped[..30], &wrapped[30..]);
    let cases = [
        (
            "/data/url",
            json!({"data": {"url": "https://app:hunter22@db"}}),
        ),
        (
            "/data/b64",
            json!({"data": {"b64": STANDARD.encode("xhunter22")}}),
        ),
        ("/data/wrapped", json!({"data": {"wrapped": wrapped}})),
        (
            "/binaryData/b",
            json!({"binaryData": {"b": STANDARD.encode("hunter22")}}),
        ),
        (
            "/metadata/labels/l",
            json!({"metadata": {"labels": {"l": "hunter22"}}}),
        ),
        (
            "/metadata/annotations/a~1b",
            json!({"metadata": {"annotations": {"a/b": "hunter22"}}}),
        ),
        (
            "/metadata/annotations/objectset.rio.cattle.io~1applied/metadata/annotations/x",
            json!({"metadata": {"annotations": {RANCHER: gzip(&packed)}}}),
        ),
    ];
    for (path, more) in cases {
        let mut object = config_map(json!({"password": "hunter22"}));
        merge(&mut object, &more);
        let denial = create(object).denied();
        assert_eq!(denial.code, Code::ValueRemains, "{path}");
        assert!(denial.message.contains(path), "{path}: {denial:?}");
        assert!(!denial.message.contains("hunter22"));
    }
}

#[test]
fn forms_of_a_value_in_json_and_urls_are_found() {
    let value = "p\"w<&>\u{e9}/\n";
    let mut shell = serde_json::to_string(&json!({"x": value})).unwrap();
    let go = shell
        .replace('<', "\\u003c")
        .replace('&', "\\u0026")
        .replace('>', "\\u003e");
    shell.push(' ');
    for text in [
        shell,
        go,
        "p%22w%3C%26%3E%C3%A9%2F".to_owned(),
        value.trim().to_owned(),
    ] {
        let request = create(config_map(json!({"password": value, "other": text})));
        assert_eq!(request.denied().code, Code::ValueRemains, "{text}");
    }
}

#[test]
fn a_value_that_is_a_word_of_ours_or_of_the_name_is_no_leftover() {
    for value in ["secret", "moved-secret", "ConfigMap", "portcullis-moved"] {
        let mut object = config_map(json!({"password": value}));
        let copy = object.to_string();
        object["metadata"]["annotations"] = json!({LAST_APPLIED: copy});
        assert!(create(object).moved().1.staged.is_some(), "{value}");
    }
    // Short values are in many texts by chance.
    let short = create(config_map(json!({"password": "admin", "user": "admin"})));
    assert!(short.moved().1.staged.is_some());
}

fn merge(object: &mut Value, more: &Value) {
    match (object, more) {
        (Value::Object(object), Value::Object(more)) => {
            for (key, value) in more {
                merge(object.entry(key).or_insert(Value::Null), value);
            }
        }
        (object, more) => *object = more.clone(),
    }
}
