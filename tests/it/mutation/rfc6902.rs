//! The situations of RFC 6902, appendix A, that add, remove, replace and test
//! give rise to, with values of our own; by both implementations.

use portcullis::policy::patch::apply;
use portcullis_contract::PatchOperation;
use serde_json::{Value, json};

use super::second;

/// Section, object, patch, and what it gives; null where it is refused.
fn examples() -> Vec<(&'static str, Value, Value, Value)> {
    let one =
        |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
    let remove = |path: &str| json!([{"op": "remove", "path": path}]);
    vec![
        (
            "A.1 add a member",
            json!({"a": 1}),
            one("add", "/b", json!("x")),
            json!({"a": 1, "b": "x"}),
        ),
        (
            "A.2 add an element",
            json!({"l": [1, 3]}),
            one("add", "/l/1", json!(2)),
            json!({"l": [1, 2, 3]}),
        ),
        (
            "A.3 remove a member",
            json!({"a": 1, "b": 2}),
            remove("/b"),
            json!({"a": 1}),
        ),
        (
            "A.4 remove an element",
            json!({"l": [1, 2, 3]}),
            remove("/l/1"),
            json!({"l": [1, 3]}),
        ),
        (
            "A.5 replace",
            json!({"a": 1, "b": 2}),
            one("replace", "/a", json!([0])),
            json!({"a": [0], "b": 2}),
        ),
        (
            "A.8 test that holds",
            json!({"a": {"l": [1, "x"]}}),
            one("test", "/a", json!({"l": [1, "x"]})),
            json!({"a": {"l": [1, "x"]}}),
        ),
        (
            "A.9 test that fails",
            json!({"a": "x"}),
            one("test", "/a", json!("y")),
            Value::Null,
        ),
        (
            "A.10 add a nested member",
            json!({"a": 1}),
            one("add", "/b", json!({"c": {}})),
            json!({"a": 1, "b": {"c": {}}}),
        ),
        (
            "A.12 add below what is not there",
            json!({"a": 1}),
            one("add", "/b/c", json!(1)),
            Value::Null,
        ),
        (
            "A.14 tilde and slash",
            json!({"/": 9, "~1": 10}),
            one("test", "/~01", json!(10)),
            json!({"/": 9, "~1": 10}),
        ),
        (
            "A.15 a string is no number",
            json!({"~1": 10}),
            one("test", "/~01", json!("10")),
            Value::Null,
        ),
        (
            "A.16 add a list as an element",
            json!({"l": [1]}),
            one("add", "/l/-", json!([2, 3])),
            json!({"l": [1, [2, 3]]}),
        ),
        (
            "4.1 an add to a member replaces it",
            json!({"a": 1}),
            one("add", "/a", json!(null)),
            json!({"a": null}),
        ),
        (
            "4.1 past the end",
            json!({"l": [1]}),
            one("add", "/l/2", json!(2)),
            Value::Null,
        ),
        (
            "4.2 remove what is not there",
            json!({}),
            remove("/a"),
            Value::Null,
        ),
        (
            "4.3 replace what is not there",
            json!({}),
            one("replace", "/a", json!(1)),
            Value::Null,
        ),
        (
            "5 all or nothing",
            json!({"a": 1}),
            json!([{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/b"}]),
            Value::Null,
        ),
    ]
}

#[test]
fn both_implementations_do_what_the_rfc_says() {
    for (about, object, patch, expected) in examples() {
        let operations: Vec<PatchOperation> = serde_json::from_value(patch).expect("a patch");
        let expected = Some(expected).filter(|value| !value.is_null());
        assert_eq!(apply(&object, &operations).ok(), expected, "{about}");
        assert_eq!(
            second(&object, &operations).ok(),
            expected,
            "{about}, second"
        );
    }
}

#[test]
fn what_is_no_patch_here_is_refused_before_it_is_applied() {
    for (about, patch) in [
        (
            "A.6 move",
            r#"[{"op": "move", "from": "/a", "path": "/b"}]"#,
        ),
        ("copy", r#"[{"op": "copy", "from": "/a", "path": "/b"}]"#),
        (
            "A.11 a member that is not known",
            r#"[{"op": "add", "path": "/a", "value": 1, "xyz": 2}]"#,
        ),
        (
            "A.13 two operations in one",
            r#"[{"op": "add", "path": "/a", "value": 1, "op": "remove"}]"#,
        ),
        ("no value", r#"[{"op": "add", "path": "/a"}]"#),
        ("no path", r#"[{"op": "remove"}]"#),
    ] {
        assert!(
            serde_json::from_str::<Vec<PatchOperation>>(patch).is_err(),
            "{about}"
        );
    }
}
