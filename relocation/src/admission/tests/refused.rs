//! Nobody gains a right: forged and copied placeholders, guesses, users who may
//! not create Secrets.

use super::*;

#[test]
fn who_may_not_create_secrets_is_told_so_before_anything_is_compared() {
    let old = relocated();
    let mut texts = BTreeSet::new();
    for guess in ["hunter22", "hunter33"] {
        let mut request = update(&old, config_map(json!({"password": guess})));
        request.allowed = Some(false);
        let plan = request.planned();
        assert_eq!(plan.mismatches, BTreeSet::new());
        let denial = request.denied();
        assert_eq!(denial.code, Code::SecretsForbidden);
        texts.insert(denial.message);
    }
    assert_eq!(texts.len(), 1, "right and wrong guesses read the same");
}

#[test]
fn guesses_are_counted_on_a_dry_run_and_stopped() {
    let old = relocated();
    let mut request = update(&old, config_map(json!({"password": "hunter33"})));
    request.dry_run = true;
    assert_eq!(request.planned().mismatches.len(), 1);
    request.throttled = true;
    let wrong = request.denied();
    request.object = config_map(json!({"password": "hunter22"}));
    assert_eq!(request.denied(), wrong);
    assert_eq!(wrong.code, Code::Throttled);
    // What compares nothing passes.
    request.object = old.clone();
    assert_eq!(request.admitted(), [""; 0]);
}

#[test]
fn a_copy_in_another_place_is_refused_even_at_once() {
    let stored = relocated();
    let here = create(stored.clone());
    assert_eq!(
        here.admitted(),
        [""; 0],
        "in its place, at once, it is a second call"
    );
    let namespace = Request {
        namespace: "bank",
        ..create(stored.clone())
    };
    let name = Request {
        name: Some("other"),
        ..create(stored.clone())
    };
    let mut key = create(stored.clone());
    key.object["data"]["other"] = stored["data"]["password"].clone();
    let mut half = create(stored.clone());
    let text = stored["data"]["password"].as_str().unwrap();
    half.object["data"] = json!({});
    half.object["binaryData"] = json!({"password": written(text)});
    for (what, request) in [
        ("namespace", namespace),
        ("name", name),
        ("key", key),
        ("half", half),
    ] {
        assert_eq!(request.denied().code, Code::ForgedPlaceholder, "{what}");
        let verdict = request.verified(&request.object).unwrap_err();
        assert_eq!(verdict.code, Code::ForgedPlaceholder, "{what}");
    }
}

fn written(text: &str) -> String {
    crate::config_map::written(names::Half::Binary, text.as_bytes())
}

#[test]
fn a_placeholder_put_back_later_needs_a_restorer() {
    let mut late = create(relocated());
    late.now += FRESH_SECONDS + 1;
    assert_eq!(late.denied().code, Code::ForgedPlaceholder);
    late.restorer = true;
    let warnings = late.admitted();
    assert!(warnings[0].contains("data.password"), "{warnings:?}");
    // A clock that is behind by less than two may differ.
    let mut early = create(relocated());
    early.now -= SKEW_SECONDS;
    assert_eq!(early.admitted(), [""; 0]);
    early.now -= 1;
    assert_eq!(early.denied().code, Code::ForgedPlaceholder);
}

#[test]
fn invented_placeholders_are_refused_in_every_stage_and_to_everybody() {
    let secret = names::staged(5);
    let texts = [
        format!("moved-secret:v1:{secret}:{}", "0".repeat(76)),
        format!("moved-secret:v1:{secret}:"),
        "moved-secret:v1:".to_owned(),
        format!("moved-secret:v1:db-credentials:{}", "0".repeat(76)),
    ];
    for text in texts {
        for stage in [Stage::Audit, Stage::Prepare, Stage::Redact] {
            let mut request = create(config_map(json!({"note": text})));
            request.stage = stage;
            request.exempt = true;
            assert_eq!(request.denied().code, Code::ForgedPlaceholder, "{text}");
            let verdict = request.verified(&request.object).unwrap_err();
            assert_eq!(verdict.code, Code::ForgedPlaceholder, "{text}");
        }
    }
}

#[test]
fn what_was_stored_while_nobody_looked_can_still_be_labelled() {
    let text = format!("moved-secret:v1:{}:{}", names::staged(5), "0".repeat(76));
    let old = config_map(json!({"note": text, "other": "moved-secret:v1:"}));
    let mut request = update(&old, old.clone());
    request.object["metadata"]["labels"] = json!({"a": "b"});
    assert_eq!(request.stored()["data"], old["data"]);
}

#[test]
fn marks_that_users_write_change_nothing() {
    let mut request = create(config_map(json!({"password": "hunter22"})));
    request.object["metadata"]["labels"] = json!({marks::MOVED: "true", marks::ROLE: "staged"});
    request.object["metadata"]["annotations"] = json!({marks::MADE_FROM: "{}"});
    let (object, moved) = request.moved();
    placeholder(&object, &Field::text("password"));
    let secret = moved.staged.unwrap();
    assert_eq!(secret.metadata.annotations.len(), 1);
    assert_eq!(secret.metadata.labels[marks::ROLE], marks::STAGED);
}

#[test]
fn no_object_makes_it_panic() {
    let odd = [
        json!(null),
        json!([]),
        json!({"data": []}),
        json!({"data": {"password": 5}}),
        json!({"data": {"password": "hunter22"}}),
        json!({"data": {"password": "hunter22"}, "metadata": {"labels": 5, "annotations": []}}),
        json!({"binaryData": {"password": "%"}}),
        json!({"data": null, "binaryData": {}, "metadata": null}),
    ];
    for object in odd {
        for name in [None, Some(""), Some("app")] {
            let mut request = create(object.clone());
            request.name = name;
            request.planned();
            let mut request = update(&object, object.clone());
            request.name = name;
            request.planned();
            let _ = request.verified(&object);
        }
    }
}
