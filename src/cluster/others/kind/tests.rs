use kube::core::Status;
use portcullis_contract::{Redaction, reads::Reads};
use serde_json::{Value, json};

use super::*;

/// A watch of Secrets, of which name and keys are seen, and what it tells.
fn watch() -> (Watch, Column) {
    let reads = ["object.metadata.name", "object.data.*"];
    let column = Column {
        reads: Arc::new(Reads::parse(reads).expect("reads")),
        redaction: Redaction::Blank,
    };
    let lookup = Lookup {
        api_version: "v1".into(),
        kind: "Secret".into(),
        resource: "secrets".into(),
        reads: reads.map(str::to_owned).into(),
        optional: false,
    };
    let watch = Watch {
        lookup,
        columns: vec![column.clone()],
        incoming: Shelf::new(vec![column.clone()]),
        state: Arc::default(),
    };
    (watch, column)
}

/// As a list has it: without version and kind.
fn secret(name: &str) -> DynamicObject {
    let object = json!({"metadata": {"name": name, "namespace": "shop"},
        "data": {"password": "aHVudGVyMg=="}});
    serde_json::from_value(object).expect("an object")
}

fn listed(names: &[&str]) -> Vec<Event<DynamicObject>> {
    let objects = names.iter().map(|name| Event::InitApply(secret(name)));
    [Event::Init]
        .into_iter()
        .chain(objects)
        .chain([Event::InitDone])
        .collect()
}

fn names(watch: &Watch, column: &Column) -> Result<Vec<String>, Unseen> {
    let state = watch.state.read().expect("unharmed");
    let list = state.shelf()?.list(column, Some("shop"), None)?;
    let list: Vec<Value> = serde_json::from_str(&list).expect("JSON");
    let name = |object: &Value| {
        object["metadata"]["name"]
            .as_str()
            .expect("text")
            .to_owned()
    };
    Ok(list.iter().map(name).collect())
}

fn refused(code: u16) -> watcher::Error {
    let status = Status::failure("as this test wants", "Reason").with_code(code);
    watcher::Error::InitialListFailed(kube::Error::Api(status.boxed()))
}

#[test]
fn nothing_is_known_before_the_first_list_is_complete_and_changes_are_after() {
    let (mut watch, column) = watch();
    let mut events = listed(&["a", "b"]);
    let done = events.pop().expect("the end");
    events.into_iter().for_each(|event| watch.take(event));
    let unknown = names(&watch, &column).expect_err("not complete");
    assert!(matches!(unknown, Unseen::Unknown(_)));
    watch.take(done);
    watch.take(Event::Apply(secret("c")));
    watch.take(Event::Delete(secret("a")));
    assert_eq!(names(&watch, &column), Ok(vec!["b".into(), "c".into()]));
}

#[test]
fn a_value_is_never_kept() {
    let (mut watch, column) = watch();
    listed(&["a"])
        .into_iter()
        .for_each(|event| watch.take(event));
    let state = watch.state.read().expect("unharmed");
    let kept = state.shelf().expect("known").get(&column, "shop", "a");
    let kept = kept.expect("a column").expect("it is there");
    assert_eq!(kept, r#"{"data":{"password":""},"metadata":{"name":"a"}}"#);
}

#[test]
fn an_outage_leaves_what_is_known_and_a_new_list_replaces_it() {
    let (mut watch, column) = watch();
    listed(&["a", "b"])
        .into_iter()
        .for_each(|event| watch.take(event));
    assert!(
        !watch.fail(&watcher::Error::NoResourceVersion),
        "it is tried again soon"
    );
    assert_eq!(names(&watch, &column), Ok(vec!["a".into(), "b".into()]));
    listed(&["b"])
        .into_iter()
        .for_each(|event| watch.take(event));
    assert_eq!(names(&watch, &column), Ok(vec!["b".into()]));
}

#[test]
fn a_right_that_is_withdrawn_takes_with_it_what_was_known() {
    let (mut watch, column) = watch();
    listed(&["a"])
        .into_iter()
        .for_each(|event| watch.take(event));
    assert!(
        watch.fail(&refused(403)),
        "there is no use in trying again soon"
    );
    let forbidden = names(&watch, &column).expect_err("no right");
    let Unseen::Forbidden(why) = forbidden else {
        panic!("{forbidden:?}");
    };
    let rule = r#"{apiGroups: [""], resources: [secrets], verbs: [list, watch]}"#;
    assert!(why.contains(rule), "{why}");
    listed(&["a"])
        .into_iter()
        .for_each(|event| watch.take(event));
    assert_eq!(names(&watch, &column), Ok(vec!["a".into()]));
}

#[test]
fn a_kind_that_the_cluster_does_not_have_has_no_objects() {
    let (watch, column) = watch();
    assert!(watch.fail(&refused(404)));
    assert_eq!(names(&watch, &column), Ok(vec![]));
    assert!(!watch.fail(&refused(500)));
    assert_eq!(names(&watch, &column), Ok(vec![]), "what is known stays");
}

#[test]
fn a_column_that_is_new_is_not_known_until_it_is_listed() {
    let (mut watch, column) = watch();
    listed(&["a"])
        .into_iter()
        .for_each(|event| watch.take(event));
    let new = Column {
        redaction: Redaction::None,
        ..column
    };
    assert!(matches!(names(&watch, &new), Err(Unseen::Unknown(_))));
}

#[test]
fn what_is_in_no_namespace_is_known_by_its_name_alone() {
    let (mut watch, column) = watch();
    let mut object = secret("a");
    object.metadata.namespace = None;
    listed(&["a"])
        .into_iter()
        .for_each(|event| watch.take(event));
    watch.take(Event::Apply(object.clone()));
    let has = |watch: &Watch, namespace: &str| {
        let state = watch.state.read().expect("unharmed");
        let found = state.shelf().expect("known").get(&column, namespace, "a");
        found.expect("a column").is_some()
    };
    assert!(has(&watch, "") && has(&watch, "shop") && !has(&watch, "other"));
    watch.take(Event::Delete(object));
    assert!(!has(&watch, "") && has(&watch, "shop"));
}
