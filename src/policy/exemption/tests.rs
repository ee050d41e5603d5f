use serde_json::json;

use super::*;

/// A good document with one member of the spec set to a value, or none.
fn parse(member: &str, value: Option<Value>) -> Result<Exemption, Error> {
    let mut document = json!({
        "apiVersion": API_VERSION, "kind": KIND,
        "metadata": {"name": "legacy", "namespace": "shop"},
        "spec": {"policy": "image-tags", "codes": ["image-latest"], "selector": {},
            "reason": "the vendor tags nothing", "expires": "2026-06-01T00:00:00Z"},
    });
    let spec = document["spec"].as_object_mut().expect("a spec");
    match value {
        Some(value) => drop(spec.insert(member.to_owned(), value)),
        None => drop(spec.remove(member)),
    }
    assert!(is_one(&document));
    Exemption::parse(&document)
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn every_member_is_required_and_faults_name_their_place() {
    for member in ["policy", "codes", "selector", "reason", "expires"] {
        let error = parse(member, None).expect_err(member).to_string();
        let says = format!("`spec`: missing field `{member}`");
        assert!(error.contains(&says), "{error}");
    }
    for (member, value, says) in [
        ("policy", json!(""), "`spec.policy`: is empty"),
        ("codes", json!([]), "`spec.codes`: is empty"),
        (
            "codes",
            json!(["a", "*"]),
            "`spec.codes`: `*` would forgive",
        ),
        ("reason", json!(" \n"), "`spec.reason`: is empty"),
        (
            "expires",
            json!("2026-06-01"),
            "`spec.expires`: `2026-06-01` is no date and time",
        ),
        (
            "expires",
            json!("2026-06-01 00:00:00Z"),
            "is no date and time",
        ),
        (
            "expires",
            json!("2026-06-01T00:00:00Z[Europe/Berlin]"),
            "is no date and time",
        ),
        ("until", json!("x"), "unknown field `until`"),
        ("selector", json!({"app": "web"}), "unknown field `app`"),
        (
            "selector",
            json!({"names": ["web-*"]}),
            "`spec.selector.names`: has no wildcards",
        ),
        (
            "selector",
            json!({"labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}),
            "`spec.selector.labelSelector.matchExpressions[0].values`: `In` and",
        ),
    ] {
        let error = parse(member, Some(value)).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_document_without_a_namespace_is_of_the_default_one() {
    let document = json!({"metadata": {"name": "legacy"}, "spec": {"policy": "p", "codes": ["c"],
        "selector": {}, "reason": "r", "expires": "2026-06-01T02:00:00+02:00"}});
    let exemption = Exemption::parse(&document).expect("an exemption");
    assert_eq!(exemption.path(), "default/legacy");
    assert_eq!(exemption.spec.expires.at(), at("2026-06-01T00:00:00Z"));
    assert_eq!(
        exemption.spec.expires.to_string(),
        "2026-06-01T02:00:00+02:00"
    );
}

#[test]
fn it_is_current_until_it_expires_and_for_a_year_at_most() {
    let exemption = parse("reason", Some(json!("r"))).expect("an exemption");
    for (now, is_current, code) in [
        ("2026-05-31T23:59:59Z", true, None),
        ("2026-06-01T00:00:00Z", false, Some(standing::EXPIRED)),
        ("2025-05-31T00:00:00Z", true, None),
        ("2025-05-30T23:59:59Z", false, Some(standing::TOO_LONG)),
    ] {
        assert_eq!(exemption.is_current(at(now)), is_current, "{now}");
        let problem = exemption.problem_of_time(at(now));
        assert_eq!(problem.map(|problem| problem.code), code, "{now}");
    }
}

#[test]
fn of_two_with_one_name_the_last_counts() {
    let first = parse("reason", Some(json!("first"))).expect("an exemption");
    let last = parse("reason", Some(json!("last"))).expect("an exemption");
    let book = book::Book::new([first, last], || Timestamp::MAX);
    let here = book.of("shop");
    assert_eq!((here.len(), here[0].spec.reason.as_str()), (1, "last"));
    assert!(book.of("default").is_empty());
}
