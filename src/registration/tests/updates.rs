//! Which updates are sent.

use super::*;

fn reading(name: &str, reads: &[&str]) -> Policy {
    let mut policy = policy(name, "Fail", false, json!([rule(&["pods"])]));
    let description = policy.description.take().expect("a description");
    let mut description = (*description).clone();
    description.reads = reads.iter().map(ToString::to_string).collect();
    policy.description = Some(Arc::new(description));
    policy
}

fn condition(policies: Vec<Policy>) -> Option<String> {
    let [validating, _] = configured(policies);
    let conditions = validating["webhooks"][0]["matchConditions"].as_array()?;
    let changed = conditions.iter().find(|one| one["name"] == "changed")?;
    Some(changed["expression"].as_str().expect("CEL").to_owned())
}

#[test]
fn an_update_is_sent_only_where_something_changes_that_a_policy_reads() {
    let spec = condition(vec![
        reading(
            "a",
            &["object.spec.containers[*].image", "object.metadata.name"],
        ),
        reading("b", &["object.spec", "oldObject.spec.replicas"]),
    ]);
    let expected = "request.operation != \"UPDATE\" \
                    || has(object.spec) != has(oldObject.spec) \
                    || (has(object.spec) && object.spec != oldObject.spec)";
    assert_eq!(spec.as_deref(), Some(expected));
    let pods = condition(vec![reading(
        "a",
        &["pod.spec.containers", "pod.metadata.labels"],
    )]);
    let pods = pods.expect("a condition");
    for part in ["object.spec", "object.template", "object.metadata.labels"] {
        assert!(
            pods.contains(&format!("has({part}) != has(old")),
            "{part}: {pods}"
        );
    }
    assert!(!pods.contains("finalizers"), "{pods}");
}

#[test]
fn an_update_is_always_sent_where_it_is_not_known_what_counts() {
    for reads in [
        &["object"][..],
        &["object.metadata"],
        &["object.*.x"],
        &["userInfo.username", "object.spec"],
        &["object[\"a b\"]"],
        &["options", "object.spec"],
        &[],
    ] {
        assert_eq!(condition(vec![reading("a", reads)]), None, "{reads:?}");
    }
    let mut unknown = reading("b", &["object.spec"]);
    unknown.spec.match_constraints = unknown.description.take().map(|d| d.matches.clone());
    assert_eq!(
        condition(vec![reading("a", &["object.spec"]), unknown]),
        None
    );
}

#[test]
fn what_one_policy_reads_of_its_kind_does_not_count_for_the_kinds_of_others() {
    let of = |name: &str, resource: &str, reads: &[&str]| {
        let mut policy = reading(name, reads);
        let mut constraints = policy.constraints().expect("constraints").clone();
        constraints.resource_rules[0].resources = vec![resource.to_owned()];
        policy.spec.match_constraints = Some(constraints);
        policy
    };
    let pods = || of("a", "pods", &["object.spec"]);
    let ingresses = of(
        "b",
        "ingresses/status",
        &["object.spec", "object.metadata.annotations"],
    );
    let expected = "request.operation != \"UPDATE\" \
                    || (request.resource.resource in [\"ingresses\"] \
                    && (has(object.metadata.annotations) != has(oldObject.metadata.annotations) \
                    || (has(object.metadata.annotations) \
                    && object.metadata.annotations != oldObject.metadata.annotations))) \
                    || has(object.spec) != has(oldObject.spec) \
                    || (has(object.spec) && object.spec != oldObject.spec)";
    assert_eq!(
        condition(vec![pods(), ingresses]).as_deref(),
        Some(expected)
    );

    let unknown = of("b", "ingresses", &["object"]);
    let expected = "request.operation != \"UPDATE\" \
                    || request.resource.resource in [\"ingresses\"] \
                    || (request.resource.resource in [\"pods\"] \
                    && (has(object.spec) != has(oldObject.spec) \
                    || (has(object.spec) && object.spec != oldObject.spec)))";
    assert_eq!(condition(vec![pods(), unknown]).as_deref(), Some(expected));
    let anything = of("b", "*/*", &["object"]);
    assert_eq!(condition(vec![pods(), anything]), None);
}

#[test]
fn what_judges_creation_alone_brings_no_updates() {
    let spec = || reading("a", &["object.spec"]);
    let mut creating = reading("b", &["userInfo.username"]);
    let mut constraints = creating.constraints().expect("constraints").clone();
    for rule in &mut constraints.resource_rules {
        rule.operations = vec![portcullis_contract::Operation::Create];
    }
    creating.spec.match_constraints = Some(constraints);
    let alone = condition(vec![spec()]);
    assert!(alone.is_some());
    assert_eq!(condition(vec![spec(), creating]), alone);
}

#[test]
fn what_no_update_changes_is_not_compared_whatever_it_is_called() {
    let read = |more: &[&str]| condition(vec![reading("a", &[&["object.spec"], more].concat())]);
    let alone = read(&[]);
    assert!(alone.is_some());
    // `namespace` is a word of CEL's.
    let constant = [
        "object.metadata.namespace",
        "oldObject.metadata.name",
        "kind.kind",
    ];
    assert_eq!(read(&constant), alone);
    assert_ne!(read(&["pod.metadata.name"]), alone);
}

#[test]
fn a_selector_of_labels_makes_labels_count() {
    let mut selecting = reading("a", &["object.spec"]);
    let mut constraints = selecting.constraints().expect("constraints").clone();
    constraints.object_selector = Some(portcullis_contract::LabelSelector::default());
    selecting.spec.match_constraints = Some(constraints);
    let expression = condition(vec![selecting]).expect("a condition");
    assert!(expression.contains("object.metadata.labels != oldObject.metadata.labels"));
}
