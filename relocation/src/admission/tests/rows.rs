//! The failure table of the design (reliability.md, section 8), row by row, as far
//! as admission answers for it.

use super::*;

#[test]
fn called_twice_nothing_is_asked_or_written() {
    for dry_run in [false, true] {
        let mut request = create(config_map(json!({"password": "hunter22"})));
        request.dry_run = dry_run;
        request.object = request.stored();
        request.allowed = None;
        request.staged = names::staged(9);
        assert_eq!(request.admitted(), [""; 0]);
        assert_eq!(request.verified(&request.object), Ok(()));
    }
}

#[test]
fn called_again_after_another_hook_added_a_secret_only_that_is_moved() {
    let mut request = create(config_map(json!({"password": "hunter22"})));
    request.object = request.stored();
    request.object["data"]["token"] = "tok-12345".into();
    request.secret.insert(Field::text("token"));
    request.staged = names::staged(9);
    let (object, moved) = request.moved();
    assert_eq!(
        held(&moved.staged.unwrap()),
        [("token".into(), "tok-12345".into())]
    );
    assert_eq!(
        object["data"]["password"],
        request.object["data"]["password"]
    );
}

#[test]
fn an_update_after_a_conflict_is_planned_against_the_new_old() {
    let old = relocated();
    let rotated = update(&old, config_map(json!({"password": "hunter33"})));
    let (stored, _) = rotated.moved();
    // The same request, asked again: its object is as the client sent it.
    let again = update(&stored, config_map(json!({"password": "hunter33"})));
    let (object, moved) = again.moved();
    assert_eq!(moved.staged, None);
    assert_eq!(object["data"], stored["data"]);
}

#[test]
fn a_stale_put_of_an_older_placeholder_is_refused_even_at_once() {
    let at = |mut object: Value, version: &str| {
        object["metadata"]["resourceVersion"] = version.into();
        object
    };
    let first = at(relocated(), "70");
    let second = update(&first, config_map(json!({"password": "hunter33"})));
    // Asked again in the same request, over the same old object, it passes.
    let again = update(&first, second.stored());
    assert_eq!(again.admitted(), [""; 0]);
    let second = at(second.stored(), "71");
    let third = update(&second, config_map(json!({"password": "hunter44"})));
    let third = at(third.stored(), "72");
    for stale in [first, second] {
        let request = update(&third, stale);
        assert_eq!(request.denied().code, Code::ForgedPlaceholder);
    }
}

#[test]
fn dry_run_has_the_shape_and_no_write_and_says_the_same_twice() {
    let wet = create(config_map(json!({"password": "hunter22"})));
    let mut dry = create(config_map(json!({"password": "hunter22"})));
    dry.dry_run = true;
    let (object, moved) = dry.moved();
    assert_eq!(moved.staged, None);
    assert_eq!(
        placeholder(&object, &Field::text("password")).secret,
        names::DRY_RUN
    );
    let paths = |patch: &Value| -> Vec<Value> {
        let ops = patch.as_array().unwrap().iter();
        ops.map(|op| op["path"].clone()).collect()
    };
    assert_eq!(paths(&moved.patch), paths(&wet.moved().1.patch));
    dry.now += 77;
    dry.staged = names::staged(77);
    assert_eq!(dry.stored(), object);
    // What a dry run told cannot be stored.
    let real = create(object);
    assert_eq!(real.denied().code, Code::ForgedPlaceholder);
}

#[test]
fn dry_run_shows_no_drift_where_the_value_is_the_same_and_some_where_it_is_not() {
    let old = relocated();
    let mut same = update(
        &old,
        config_map(json!({"password": "hunter22", "user": "app"})),
    );
    same.dry_run = true;
    assert_eq!(same.stored()["data"], old["data"]);
    let mut other = update(
        &old,
        config_map(json!({"password": "hunter33", "user": "app"})),
    );
    other.dry_run = true;
    assert_ne!(other.stored()["data"], old["data"]);
}

#[test]
fn a_steady_re_apply_gets_its_placeholder_back_and_writes_nothing() {
    let old = relocated();
    let again = update(
        &old,
        config_map(json!({"password": "hunter22", "user": "app"})),
    );
    let (object, moved) = again.moved();
    assert_eq!((moved.staged, moved.moved), (None, BTreeSet::new()));
    assert_eq!(object["data"], old["data"]);
    assert_eq!(moved.carried, BTreeSet::from([Field::text("password")]));
    assert_eq!(again.planned().mismatches, BTreeSet::new());
    assert_eq!(again.verified(&object), Ok(()));
}

#[test]
fn a_value_that_no_secret_holds_is_moved_anew_when_it_is_written_again() {
    let old = relocated();
    let mut again = update(&old, config_map(json!({"password": "hunter22"})));
    again.lost.insert(Field::text("password"));
    let (object, moved) = again.moved();
    assert_eq!(
        held(&moved.staged.expect("staged")),
        [("password".into(), "hunter22".into())]
    );
    assert_ne!(object["data"]["password"], old["data"]["password"]);
    assert!(again.planned().mismatches.is_empty(), "it is no guess");
    assert_eq!(again.verified(&object), Ok(()));
    // Where no data can be written, it is as if nobody knew.
    again.terminating = true;
    assert_eq!(again.moved().1.staged, None);
    again.terminating = false;
    again.old.as_mut().expect("there")["immutable"] = true.into();
    again.object["immutable"] = true.into();
    assert_eq!(again.moved().1.staged, None);
}

#[test]
fn a_placeholder_left_alone_is_carried_over_without_a_question() {
    let old = relocated();
    let mut other = update(&old, old.clone());
    other.object["data"]["user"] = "shop".into();
    other.allowed = None;
    assert_eq!(other.admitted(), [""; 0]);
    assert_eq!(other.verified(&other.object), Ok(()));
}

#[test]
fn rotation_gets_a_new_secret_and_is_counted() {
    let old = relocated();
    let rotated = update(&old, config_map(json!({"password": "hunter33"})));
    let (object, moved) = rotated.moved();
    let told = placeholder(&object, &Field::text("password"));
    assert_eq!(told.secret, names::staged(2));
    assert_eq!(
        held(&moved.staged.unwrap()),
        [("password".into(), "hunter33".into())]
    );
    let counted = BTreeSet::from([Field::text("password")]);
    assert_eq!(rotated.planned().mismatches, counted);
}

#[test]
fn a_key_once_moved_stays_moved_whatever_its_new_value() {
    let old = relocated();
    let mut weak = update(&old, config_map(json!({"password": "none"})));
    weak.secret.clear();
    weak.stage = Stage::Prepare;
    assert_eq!(
        held(&weak.moved().1.staged.unwrap()),
        [("password".into(), "none".into())]
    );
    assert_eq!(
        weak.verified(&weak.object).unwrap_err().code,
        Code::NotMoved
    );
}

#[test]
fn a_removed_key_is_gone_and_the_mark_says_that_it_was_there() {
    let mut old = relocated();
    old["metadata"]["resourceVersion"] = "70".into();
    let mark = |object: &Value| object["metadata"]["labels"][marks::MOVED].clone();
    let mut gone = update(&old, old.clone());
    gone.object["data"]
        .as_object_mut()
        .unwrap()
        .remove("password");
    gone.allowed = None;
    let (mut object, moved) = gone.moved();
    assert_eq!((moved.staged, moved.carried), (None, BTreeSet::new()));
    assert!(mark(&object).is_string());
    assert_ne!(mark(&object), mark(&old));
    // Whatever users write there, and if they take it away.
    object["metadata"]["resourceVersion"] = "71".into();
    for label in [mark(&old), json!(null)] {
        let mut written = update(&object, object.clone());
        written.object["metadata"]["labels"][marks::MOVED] = label;
        assert_eq!(mark(&written.stored()), mark(&object));
    }
}

#[test]
fn a_name_that_the_api_server_makes_is_sealed_by_what_it_begins_with() {
    let mut request = create(config_map(json!({"password": "hunter22"})));
    request.name = None;
    request.object["metadata"] = json!({"generateName": "app-", "namespace": "shop"});
    let (mut stored, moved) = request.moved();
    let secret = moved.staged.unwrap();
    assert_eq!(secret.metadata.annotations[marks::CONFIG_MAP], "app-");
    // In the validating phase the name is there.
    stored["metadata"]["name"] = "app-x7k2m".into();
    let mut named = create(stored.clone());
    named.name = Some("app-x7k2m");
    assert_eq!(named.verified(&stored), Ok(()));
    // Sent again, the value is recognised.
    let mut again = update(&stored, stored.clone());
    again.name = Some("app-x7k2m");
    again.object["data"]["password"] = "hunter22".into();
    assert_eq!(again.moved().0["data"], stored["data"]);
}

#[test]
fn another_name_does_not_look_generated() {
    let mut request = create(config_map(json!({"password": "hunter22"})));
    request.name = None;
    request.object["metadata"] = json!({"generateName": "app-", "namespace": "shop"});
    let mut copy = create(request.stored());
    for name in ["app-mine", "app-x7k2mm", "other-x7k2m"] {
        copy.name = Some(name);
        assert_eq!(copy.denied().code, Code::ForgedPlaceholder, "{name}");
    }
}

#[test]
fn what_was_issued_to_somebody_else_is_no_ones() {
    let mut named = create(config_map(json!({"password": "hunter22"})));
    let mut generated = create(config_map(json!({"password": "hunter22"})));
    generated.name = None;
    generated.object["metadata"] = json!({"generateName": "app-", "namespace": "shop"});
    for request in [&mut named, &mut generated] {
        // The ConfigMap is deleted, or there is another one of that prefix.
        let mut copy = create(request.stored());
        copy.name = request.name;
        assert_eq!(copy.admitted(), [""; 0], "asked again in the same request");
        copy.user = "eve";
        assert_eq!(copy.denied().code, Code::ForgedPlaceholder);
    }
}

#[test]
fn an_immutable_config_map_is_moved_when_it_is_created() {
    let mut request = create(config_map(json!({"password": "hunter22"})));
    request.object["immutable"] = true.into();
    let (old, _) = request.moved();
    // Applied again it stays; another value is refused.
    let mut again = update(&old, request.object.clone());
    assert_eq!(again.moved().0["data"], old["data"]);
    again.object["data"]["password"] = "hunter33".into();
    let plan = again.planned();
    assert_eq!(again.denied().code, Code::Immutable);
    assert_eq!(plan.mismatches.len(), 1);
}

#[test]
fn data_of_what_was_immutable_before_is_left() {
    let mut old = config_map(json!({"password": "hunter22"}));
    old["immutable"] = true.into();
    let mut labelled = update(&old, old.clone());
    labelled.object["metadata"]["labels"] = json!({"a": "b"});
    labelled.allowed = None;
    let warnings = labelled.admitted();
    assert!(warnings[0].contains("data.password"), "{warnings:?}");
    assert_eq!(labelled.verified(&labelled.object), Ok(()));
}

/// What `kubectl apply` prints: what, where to, what instead.
#[test]
fn a_warning_says_what_was_moved_and_what_to_write_instead() {
    let mut request = create(config_map(json!({"password": "hunter22"})));
    let (_, moved) = request.moved();
    let text = "data.password: moved to Secret portcullis-moved-t-app; instead, write it in a Secret \
                such as app-secret and name that in pods: `portcullis check --fix-hints FILE` shows both";
    assert_eq!(moved.warnings, [text]);
    request.dry_run = true;
    let (_, predicted) = request.moved();
    assert!(predicted.warnings[0].contains("would be moved to Secret"));
}

#[test]
fn binary_data_is_moved_as_bytes() {
    let mut request = create(config_map(json!({"user": "app"})));
    request.object["binaryData"] = json!({"key.p12": "AAECAwQFBgf/"});
    request.secret = BTreeSet::from([Field::binary("key.p12")]);
    let (object, moved) = request.moved();
    let secret = moved.staged.unwrap();
    assert_eq!(
        secret.data["key.p12"].expose(),
        [0, 1, 2, 3, 4, 5, 6, 7, 255]
    );
    placeholder(&object, &Field::binary("key.p12"));
    assert!(moved.warnings[0].contains(&names::serving("app", names::Half::Binary)));
    let mut again = update(&object, request.object.clone());
    again.secret = request.secret.clone();
    assert_eq!(again.moved().0["binaryData"], object["binaryData"]);
}

#[test]
fn sixty_four_keys_and_no_more() {
    let keys = |count: usize| -> Value {
        let keys = (0..count).map(|key| (format!("k{key}"), format!("value-{key:04}").into()));
        config_map(Value::Object(keys.collect()))
    };
    let mut request = create(keys(MOST_KEYS));
    request.secret = (0..100).map(|key| Field::text(format!("k{key}"))).collect();
    assert_eq!(request.moved().1.moved.len(), MOST_KEYS);
    let old = request.stored();
    request.object = keys(MOST_KEYS + 1);
    assert_eq!(request.denied().code, Code::TooManyKeys);
    let mut grown = update(&old, old.clone());
    grown.object["data"]["k99"] = "value-0099".into();
    grown.secret = request.secret;
    assert_eq!(grown.denied().code, Code::TooManyKeys);
}

#[test]
fn what_one_secret_cannot_hold_is_refused() {
    let mut request = create(config_map(json!({"a": "x".repeat(600 << 10)})));
    request.secret = BTreeSet::from([Field::text("a"), Field::text("b")]);
    let old = request.stored();
    let mut grown = update(&old, old.clone());
    grown.secret = request.secret;
    grown.object["data"]["b"] = "y".repeat(600 << 10).into();
    assert_eq!(grown.denied().code, Code::TooLarge);
    grown.object["data"]["b"] = "y".repeat(400 << 10).into();
    assert!(grown.moved().1.staged.is_some());
}

#[test]
fn a_terminating_namespace_takes_no_new_value_and_lets_the_rest_pass() {
    let old = relocated();
    let mut request = update(&old, config_map(json!({"password": "hunter33"})));
    request.terminating = true;
    assert_eq!(request.denied().code, Code::NamespaceTerminating);
    request.object = config_map(json!({"password": "hunter22"}));
    assert_eq!(request.moved().1.staged, None);
    request.object = old.clone();
    assert_eq!(request.admitted(), [""; 0]);
    request.old = Some(config_map(json!({})));
    request.object = config_map(json!({"password": "hunter22"}));
    assert_eq!(request.denied().code, Code::NamespaceTerminating);
}

#[test]
fn a_lost_key_for_digests_costs_a_new_version_and_no_more() {
    let old = relocated();
    let mut again = update(&old, config_map(json!({"password": "hunter22"})));
    again.keyring = Keyring::new(&[9; 32], &[]).unwrap();
    assert!(again.moved().1.staged.is_some());
    again.object = old.clone();
    assert_eq!(again.admitted(), [""; 0]);
}

#[test]
fn a_key_that_running_pods_read_is_refused_with_the_way_there() {
    let old = config_map(json!({"password": "hunter22"}));
    let mut request = update(&old, old.clone());
    request.uses = BTreeMap::from([(Field::text("password"), vec!["web-1".to_owned()])]);
    let denial = request.denied();
    assert_eq!(denial.code, Code::InUse);
    let command = "portcullis secrets prepare shop app --key password";
    assert!(denial.message.contains(command), "{denial:?}");
    assert!(denial.message.contains("web-1"), "{denial:?}");
    request.on_use = OnUse::Warn;
    assert!(request.moved().1.warnings[0].contains("web-1"));
    // Once moved, it is not a matter of first use.
    let old = relocated();
    let mut rotated = update(&old, config_map(json!({"password": "hunter33"})));
    rotated.uses = request.uses;
    assert!(rotated.moved().1.staged.is_some());
}

#[test]
fn before_the_last_stage_values_stay_and_the_user_is_told() {
    for stage in [Stage::Audit, Stage::Prepare] {
        let mut request = create(config_map(json!({"password": "hunter22"})));
        request.stage = stage;
        request.allowed = None;
        assert!(request.admitted()[0].contains("data.password"));
        assert_eq!(request.verified(&request.object), Ok(()));
    }
}

#[test]
fn the_way_out_is_open_in_audit_alone() {
    let old = relocated();
    let mut restored = update(&old, config_map(json!({"password": "hunter22"})));
    restored.stage = Stage::Audit;
    restored.allowed = None;
    let (object, moved) = {
        restored.object["metadata"]["labels"] = json!({marks::MOVED: "a_0"});
        restored.moved()
    };
    assert_eq!(object["data"]["password"], "hunter22");
    assert_eq!(object["metadata"]["labels"], json!({}));
    assert_eq!(moved.staged, None);
}

#[test]
fn what_controllers_own_is_audited_only_unless_it_was_moved() {
    let mut request = create(config_map(json!({"password": "hunter22"})));
    request.exempt = true;
    request.allowed = None;
    assert_eq!(request.admitted(), [""; 0]);
    assert_eq!(request.verified(&request.object), Ok(()));
    let old = relocated();
    let mut owned = update(&old, config_map(json!({"password": "hunter33"})));
    owned.exempt = true;
    assert!(owned.moved().1.staged.is_some());
}
