use portcullis_contract::Description;
use serde_json::{Value, json};

use super::*;
use crate::policy::spec::{API_VERSION, KIND, Resource};

/// A description that looks Secrets up, and perhaps Services.
fn description() -> Description {
    serde_json::from_value(
        json!({"interface": "0.1.0", "name": "a", "version": "1.0.0",
        "summary": "s", "matches": {"resourceRules": []}, "reads": [], "codes": [],
        "settings": {}, "lookups": [
            {"apiVersion": "v1", "kind": "Secret", "resource": "secrets",
                "reads": ["object.metadata.name", "object.data.*"]},
            {"apiVersion": "v1", "kind": "Service", "resource": "services",
                "reads": ["object.spec.selector.*"], "optional": true}]}),
    )
    .expect("a description")
}

fn spec(more: Value) -> Result<Spec, crate::policy::spec::Error> {
    let mut spec = json!({"program": {"builtin": "a"}});
    spec.as_object_mut()
        .expect("members")
        .extend(more.as_object().expect("members").clone());
    let resource = Resource::parse(&json!({"apiVersion": API_VERSION, "kind": KIND,
        "metadata": {"name": "a"}, "spec": spec}));
    resource.map(|resource| resource.spec)
}

fn sight(lookups: Value) -> Result<Sight, Failure> {
    let spec = spec(json!({"lookups": lookups})).expect("a spec");
    Sight::new(&description(), &spec)
}

fn object(kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace,
        "labels": {"app": name}}, "data": {"key": "c2VjcmV0"}, "spec": {"selector": {"a": "b"}}})
}

/// In `shop`, where there are a few objects.
fn around(sight: &Sight) -> Around {
    let mut inventory = Inventory::new(sight.granted());
    for (kind, namespace, name) in [
        ("Secret", "shop", "b"),
        ("Secret", "shop", "a"),
        ("Secret", "other", "c"),
        ("Service", "shop", "web"),
    ] {
        inventory.add(&object(kind, namespace, name), |_, _| false);
    }
    Around {
        namespace: Some("shop".into()),
        others: Some(Arc::new(inventory)),
    }
}

fn ask(sight: &Sight, call: Call, query: Value) -> Result<Option<Value>, Failure> {
    let answer = sight.answer(call, &query.to_string(), &around(sight))?;
    Ok(answer.map(|answer| serde_json::from_str(&answer).expect("JSON")))
}

fn secret(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"key": ""}})
}

#[test]
fn what_is_granted_is_seen_as_far_as_it_is_read_and_without_values() {
    let sight = sight(json!([{"resource": "secrets"}])).expect("granted");
    let list = ask(&sight, Call::List, json!({"resource": "secrets"}));
    assert_eq!(list, Ok(Some(json!([secret("a"), secret("b")]))));
    let selected = json!({"resource": "secrets", "selector": {"matchLabels": {"app": "b"}}});
    let list = ask(&sight, Call::List, selected);
    assert_eq!(list, Ok(Some(json!([secret("b")]))));
    let get = |name| {
        ask(
            &sight,
            Call::Get,
            json!({"resource": "secrets", "name": name}),
        )
    };
    assert_eq!(get("b"), Ok(Some(secret("b"))));
    assert_eq!(get("c"), Ok(Some(Value::Null)), "it is elsewhere");
}

#[test]
fn values_are_seen_with_the_grant() {
    let spec = spec(json!({"lookups": [{"resource": "secrets"}], "grants": ["values"]}));
    let sight = Sight::new(&description(), &spec.expect("a spec")).expect("granted");
    let seen = ask(
        &sight,
        Call::Get,
        json!({"resource": "secrets", "name": "a"}),
    );
    assert_eq!(
        seen.expect("seen").expect("there")["data"]["key"],
        "c2VjcmV0"
    );
}

#[test]
fn no_other_namespace_is_seen_unless_the_grant_says_cluster() {
    let narrow = sight(json!([{"resource": "secrets"}])).expect("granted");
    let wide = sight(json!([{"resource": "secrets", "scope": "Cluster"}])).expect("granted");
    for (namespace, names) in [("other", &["c"][..]), ("*", &["c", "a", "b"])] {
        let query = json!({"resource": "secrets", "namespace": namespace});
        let failure = ask(&narrow, Call::List, query.clone()).expect_err("refused");
        assert_eq!(failure.cause, Cause::Grant, "{namespace}");
        assert!(
            failure.message.contains("`scope: Cluster` at `secrets`"),
            "{failure}"
        );
        let names: Vec<Value> = names.iter().map(|name| secret(name)).collect();
        assert_eq!(
            ask(&wide, Call::List, query),
            Ok(Some(json!(names))),
            "{namespace}"
        );
    }
    let own = json!({"resource": "secrets", "namespace": "shop", "name": "a"});
    assert_eq!(ask(&narrow, Call::Get, own), Ok(Some(secret("a"))));
}

#[test]
fn a_request_of_no_namespace_has_no_own_one() {
    let sight = sight(json!([{"resource": "secrets"}])).expect("granted");
    let nowhere = Around {
        namespace: None,
        ..around(&sight)
    };
    for query in [
        json!({"resource": "secrets"}),
        json!({"resource": "secrets", "namespace": "shop"}),
    ] {
        assert!(
            sight
                .answer(Call::List, &query.to_string(), &nowhere)
                .is_err(),
            "{query}"
        );
    }
}

#[test]
fn what_is_optional_is_answered_with_none_and_what_is_needed_is_refused_by_name() {
    let sight = sight(json!([{"resource": "secrets"}])).expect("granted");
    assert_eq!(
        ask(&sight, Call::List, json!({"resource": "services"})),
        Ok(None)
    );
    let failure = super::tests::sight(json!([{"resource": "services"}])).expect_err("refused");
    assert_eq!(failure.cause, Cause::Grant);
    assert!(
        failure
            .message
            .contains("`spec.lookups: [{resource: secrets}]`"),
        "{failure}"
    );
}

#[test]
fn without_a_right_what_was_granted_breaks_though_it_is_optional() {
    let both = json!([{"resource": "secrets"}, {"resource": "services"}]);
    let sight = sight(both).expect("granted");
    let mut inventory = Inventory::new(sight.granted());
    for lookup in &description().lookups {
        inventory.lose(lookup, Unseen::Forbidden("no right".into()));
    }
    let around = Around {
        namespace: Some("shop".into()),
        others: Some(Arc::new(inventory)),
    };
    let ask = |resource| {
        sight.answer(
            Call::List,
            &json!({"resource": resource}).to_string(),
            &around,
        )
    };
    for resource in ["services", "secrets"] {
        let failure = ask(resource).expect_err("not known");
        assert_eq!(
            (failure.cause, failure.blame),
            (Cause::Lookup, crate::policy::Blame::Host)
        );
        assert!(failure.message.contains("no right"), "{failure}");
    }
}

#[test]
fn a_grant_that_does_nothing_is_refused_with_what_it_may_be() {
    let both = json!([{"resource": "secrets"}, {"resource": "secret"}]);
    let failure = sight(both).expect_err("misspelt").message;
    assert!(
        failure.contains("grants `secret`") && failure.contains("`secrets`, `services`"),
        "{failure}"
    );
    for (lookups, text) in [
        (
            json!([{"resource": "secrets"}, {"resource": "secrets"}]),
            "granted twice",
        ),
        (
            json!([{"resource": "*"}]),
            "`spec.lookups[0].resource`: `*` is no resource",
        ),
        (
            json!([{"resource": "secrets", "scope": "All"}]),
            "expected `Namespace` or `Cluster`",
        ),
        (json!([{"name": "secrets"}]), "unknown field `name`"),
    ] {
        let error = spec(json!({"lookups": lookups}))
            .expect_err("refused")
            .to_string();
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn questions_that_only_a_broken_guest_asks_end_it() {
    let sight = sight(json!([{"resource": "secrets"}])).expect("granted");
    for (call, query) in [
        (Call::List, json!({"resource": "pods"})),
        (Call::List, json!({"resource": "secrets", "name": "a"})),
        (Call::Get, json!({"resource": "secrets"})),
        (
            Call::Get,
            json!({"resource": "secrets", "kind": "x", "name": "a"}),
        ),
        (Call::List, json!("secrets")),
    ] {
        let failure = ask(&sight, call, query.clone()).expect_err("refused");
        assert_eq!(failure.cause, Cause::Output, "{query}");
    }
}

#[test]
fn an_answer_has_an_end() {
    let sight = sight(json!([{"resource": "secrets"}])).expect("granted");
    let mut inventory = Inventory::new(sight.granted());
    let long = "x".repeat(MAX_ANSWER_BYTES / 4);
    for name in 0..5 {
        let secret = object("Secret", "shop", &format!("{name}{long}"));
        inventory.add(&secret, |_, _| false);
    }
    let around = Around {
        namespace: Some("shop".into()),
        others: Some(Arc::new(inventory)),
    };
    let failure = sight.answer(Call::List, r#"{"resource": "secrets"}"#, &around);
    let failure = failure.expect_err("too long");
    assert!(failure.message.contains("1048576 bytes"), "{failure}");
}

#[test]
fn who_looks_nothing_up_that_was_granted_is_blind() {
    let mut lookups = description();
    lookups.lookups.remove(0);
    let blind = Sight::new(&lookups, &spec(json!({})).expect("a spec")).expect("optional");
    assert!(blind.is_blind());
    assert!(
        !sight(json!([{"resource": "secrets"}]))
            .expect("granted")
            .is_blind()
    );
}

#[test]
fn a_withdrawn_grant_is_no_less_for_being_narrowed() {
    let of = |lookups: Value| spec(json!({"lookups": lookups})).expect("a spec");
    let wide = of(json!([{"resource": "secrets", "scope": "Cluster"}]));
    let narrow = of(json!([{"resource": "secrets"}]));
    let none = of(json!([]));
    assert!(narrow.grants_no_more_than(&wide) && none.grants_no_more_than(&narrow));
    assert!(!wide.grants_no_more_than(&narrow) && !narrow.grants_no_more_than(&none));
}
