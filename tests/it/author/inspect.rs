//! `policy inspect`: whatever a file may hold.

use serde_json::{Value, json};

use super::{Scratch, expect, policy, root};
use crate::guests::text::Guest;

fn inspected(code: i32, guest: &Guest) -> (String, Value) {
    let scratch = Scratch::new();
    scratch.file("g.wasm", guest.component());
    let (human, _) = expect(code, policy(scratch.path(), &["inspect", "g.wasm"]));
    let (text, _) = expect(
        code,
        policy(scratch.path(), &["inspect", "g.wasm", "--output", "json"]),
    );
    (human, serde_json::from_str(&text).expect("JSON"))
}

/// A guest whose description differs from the usual by this.
fn guest(members: Value) -> Guest {
    let mut guest = Guest::default();
    for (name, value) in members.as_object().expect("members") {
        guest.description[name] = value.clone();
    }
    guest
}

#[test]
fn a_policy_of_the_pack_needs_nothing() {
    let (human, _) = expect(
        0,
        policy(root(), &["inspect", "target/policies/image-tags.wasm"]),
    );
    assert!(
        human.starts_with("policy     image-tags 0.1.0: Images name a version"),
        "{human}"
    );
    for part in [
        "imports    nothing",
        "loads      yes",
        "image-latest (error)",
        "no grant is needed",
    ] {
        assert!(human.contains(part), "{human}");
    }
}

#[test]
fn what_a_policy_needs_of_the_operator_is_said() {
    for (reads, values) in [
        (json!(["object"]), "needed"),
        (json!(["pod"]), "needed"),
        (json!(["object.data.*"]), "blank"),
        (json!(["oldObject.stringData[\"a.b\"]"]), "blank"),
        (json!(["object.metadata.annotations.*"]), "blank"),
        (json!(["object.metadata"]), "blank"),
        (json!(["object.*"]), "blank"),
        (
            json!(["object.metadata.labels.*", "object.spec", "operation"]),
            "unread",
        ),
    ] {
        let (_, found) = inspected(0, &guest(json!({"reads": reads})));
        assert_eq!(found["needs"]["values"], values, "{reads}");
    }
    let wants = json!({"mutating": true, "effects": ["network-policy"]});
    let (human, found) = inspected(0, &guest(wants));
    assert_eq!(found["needs"]["mutating"], true);
    assert_eq!(found["needs"]["effects"], json!(["network-policy"]));
    assert!(human.contains("effects    network-policy"), "{human}");
    let settings = json!({"properties": {"fill": {}}});
    let wants = json!({"mutating": true, "mutatingSettings": ["fill"], "settings": settings});
    let (human, found) = inspected(0, &guest(wants));
    assert_eq!(found["needs"]["mutatingSettings"], json!(["fill"]));
    assert!(human.contains("objects, with the setting fill"), "{human}");
    assert_eq!(
        found["limits"],
        json!({"deadlineMilliseconds": 100, "memoryMebibytes": 64})
    );
    assert_eq!(found["description"]["codes"][0]["code"], "c");
}

#[test]
fn what_the_host_would_refuse_is_said_with_the_reason() {
    let import = Guest {
        import: true,
        ..Guest::default()
    };
    let (human, found) = inspected(1, &import);
    assert_eq!(
        found["imports"].as_array().map(Vec::len),
        Some(1),
        "{found}"
    );
    assert!(human.contains("loads      no: it imports `"), "{human}");
    let undescribed = Guest {
        embedded: Some(None),
        ..Guest::default()
    };
    let (human, found) = inspected(1, &undescribed);
    assert!(
        human.contains("no: it has no embedded description"),
        "{human}"
    );
    assert_eq!(found["description"], Value::Null);
    let lying = Guest {
        embedded: Some(Some(guest(json!({"name": "other"})).description)),
        ..Guest::default()
    };
    assert!(
        inspected(1, &lying)
            .0
            .contains("describes itself otherwise")
    );
    assert!(
        inspected(1, &guest(json!({"reads": ["objekt"]})))
            .0
            .contains("has no member `objekt`")
    );
}

#[test]
fn what_is_no_component_is_one_line() {
    let scratch = Scratch::new();
    scratch.file("text", "hello");
    scratch.file("empty", "");
    scratch.file("core", wat::parse_str("(module)").expect("a module"));
    let component = Guest::default().component();
    scratch.file("cut", &component[..component.len() / 2]);
    for (file, part) in [
        (
            "text",
            "text: this is no WebAssembly: give the `.wasm` file of a policy",
        ),
        ("empty", "empty: this is no WebAssembly"),
        (
            "core",
            "core: this is a core module, not a component: `portcullis policy build`",
        ),
        ("cut", "cut: the component is malformed at byte "),
        ("missing", "missing: No such file"),
    ] {
        let (out, said) = expect(2, policy(scratch.path(), &["inspect", file]));
        assert!(out.is_empty() && said.lines().count() == 1, "{said}");
        assert!(said.contains(part), "{said}");
    }
}
