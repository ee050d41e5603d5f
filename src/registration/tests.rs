use std::sync::Arc;

use portcullis_contract::Description;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::certs;
use crate::policy::spec::Resource;
use crate::policy::{Cause, Failure, spec};

mod updates;

/// A policy whose program does not run; what it judges is known all the same.
fn policy(name: &str, failure_policy: &str, mutating: bool, rules: Value) -> Policy {
    let document = json!({"apiVersion": spec::API_VERSION, "kind": spec::KIND,
        "metadata": {"name": name},
        "spec": {"program": {"builtin": "x"}, "failurePolicy": failure_policy}});
    let resource = Resource::parse(&document).expect("a document");
    let description: Description = serde_json::from_value(json!({
        "interface": "0.1.0", "name": name, "version": "0.1.0", "summary": "s", "reads": [],
        "codes": [], "settings": {}, "mutating": mutating, "matches": {"resourceRules": rules}}))
    .expect("a description");
    Policy {
        name: resource.name,
        spec: resource.spec,
        description: Some(Arc::new(description)),
        program: Err(Failure::guest(Cause::Program, "it is no component")),
    }
}

fn rule(resources: &[&str]) -> Value {
    json!({"apiGroups": [""], "apiVersions": ["v1"], "resources": resources,
        "operations": ["CREATE", "UPDATE"]})
}

fn ca() -> String {
    let names = ["localhost".to_owned()];
    let made = certs::make(&names, time::OffsetDateTime::UNIX_EPOCH).expect("certificates");
    made.ca.certificate
}

fn registration(service: &str) -> Registration {
    Registration {
        name: name::Name::parse("portcullis").expect("a name"),
        target: Target::new(None, Some(service)).expect("a service"),
        ca_bundle: Some(target::CaBundle::parse(ca().as_bytes()).expect("a CA")),
        namespaces: vec![selector::parse("env in (a, b)").expect("a requirement")],
        objects: vec![],
    }
}

fn configured(policies: Vec<Policy>) -> [Value; 2] {
    let set = PolicySet::new(policies, ["elsewhere".to_owned()].into()).expect("a set");
    registration("here/portcullis")
        .configurations(&set)
        .expect("configurations")
}

fn values<'v>(configuration: &'v Value, pointer: &str) -> Vec<&'v Value> {
    let webhooks = configuration["webhooks"].as_array().expect("webhooks");
    webhooks
        .iter()
        .filter_map(|webhook| webhook.pointer(pointer))
        .collect()
}

#[test]
fn what_is_for_files_only_is_not_registered() {
    let mut offline = policy("a", "Fail", true, json!([rule(&["secrets"])]));
    let description = Arc::make_mut(offline.description.as_mut().expect("a description"));
    description.offline = true;
    let other = policy("b", "Ignore", false, json!([rule(&["pods"])]));
    let [validating, mutating] = configured(vec![offline, other]);
    assert_eq!(values(&validating, "/failurePolicy"), ["Ignore"]);
    assert_eq!(values(&validating, "/rules/0/resources/0"), ["pods"]);
    assert!(mutating.get("webhooks").is_none(), "{mutating}");
}

#[test]
fn each_path_that_has_a_policy_is_an_entry_with_its_failure_policy() {
    let [validating, mutating] = configured(vec![
        policy("a", "Fail", false, json!([rule(&["pods"])])),
        policy("b", "Ignore", true, json!([rule(&["services"])])),
    ]);
    let paths = "/clientConfig/service/path";
    assert_eq!(
        values(&validating, paths),
        ["/validate/fail", "/validate/ignore"]
    );
    assert_eq!(values(&validating, "/failurePolicy"), ["Fail", "Ignore"]);
    assert_eq!(values(&validating, "/timeoutSeconds"), [3, 3]);
    assert_eq!(values(&mutating, paths), ["/mutate/ignore"]);
    assert_eq!(values(&mutating, "/failurePolicy"), ["Ignore"]);
    assert_eq!(values(&mutating, "/timeoutSeconds"), [5]);
    assert_eq!(values(&mutating, "/reinvocationPolicy"), ["IfNeeded"]);
    assert_eq!(
        values(&mutating, "/rules/0/resources"),
        [&json!(["services"])]
    );
}

#[test]
fn a_configuration_without_a_policy_is_there_without_an_entry() {
    let [_, mutating] = configured(vec![policy("a", "Fail", false, json!([rule(&["pods"])]))]);
    assert_eq!(mutating["metadata"]["name"], "portcullis");
    assert_eq!(mutating.get("webhooks"), None);
}

#[test]
fn namespaces_that_must_work_without_us_are_left_out() {
    let [validating, _] = configured(vec![policy("a", "Fail", false, json!([rule(&["pods"])]))]);
    let requirements = values(&validating, "/namespaceSelector/matchExpressions");
    let excluded = [
        "elsewhere",
        "here",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    ];
    let expected = json!([
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": excluded},
        {"key": "env", "operator": "In", "values": ["a", "b"]},
    ]);
    assert_eq!(requirements, [&expected]);
}

#[test]
fn rules_are_a_union_that_the_api_server_takes() {
    let mut named = rule(&["*", "pods", "pods/*", "pods/log", "services/status"]);
    named["resourceNames"] = json!(["x"]);
    named["apiGroups"] = json!(["apps", "*", "apps"]);
    named["operations"] = json!(["CREATE", "*"]);
    named["scope"] = json!("Namespaced");
    let [validating, _] = configured(vec![
        policy("a", "Fail", false, json!([rule(&["pods"]), named])),
        policy("b", "Fail", false, json!([rule(&["pods"])])),
    ]);
    let expected = json!([
        rule(&["pods"]),
        {"apiGroups": ["*"], "apiVersions": ["v1"], "operations": ["*"],
            "resources": ["*", "pods/*", "services/status"], "scope": "Namespaced"},
    ]);
    assert_eq!(values(&validating, "/rules"), [&expected]);
}

#[test]
fn a_wildcard_leaves_out_what_a_cluster_hangs_on_unless_it_is_named() {
    let names = |rules: Value| {
        let [validating, _] = configured(vec![policy("a", "Fail", false, rules)]);
        let conditions = values(&validating, "/matchConditions");
        let conditions = conditions.into_iter().flat_map(|c| c.as_array().cloned());
        let conditions: Vec<Value> = conditions.flatten().collect();
        conditions
            .iter()
            .map(|condition| condition["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let always = [
        "no-leases",
        "no-events",
        "no-nodes",
        "no-token-reviews",
        "no-access-reviews",
        "no-csi-nodes",
        "no-signing-requests",
        "no-policies",
    ];
    let rest = ["no-root-ca", "not-the-api-server"];
    assert_eq!(names(json!([rule(&["*"])])), [&always[..], &rest].concat());
    let with_nodes = names(json!([rule(&["*"]), rule(&["nodes"])]));
    assert!(
        !with_nodes.contains(&"no-nodes".to_owned()),
        "{with_nodes:?}"
    );
    assert_eq!(names(json!([rule(&["pods/*"])])), ["no-status"]);
    assert_eq!(names(json!([rule(&["configmaps"])])), ["no-root-ca"]);
    assert_eq!(
        names(json!([rule(&["clusterroles"])])),
        ["not-the-api-server"]
    );
    assert_eq!(names(json!([rule(&["pods"])])), Vec::<String>::new());
}

/// What `asked-for` says, where it is.
fn asked_for(policies: Vec<Policy>) -> Option<String> {
    let [validating, _] = configured(policies);
    let conditions = values(&validating, "/matchConditions");
    let conditions = conditions.into_iter().flat_map(|c| c.as_array().cloned());
    let mut conditions = conditions.flatten();
    let asked = conditions.find(|condition| condition["name"] == "asked-for")?;
    Some(asked["expression"].as_str().expect("text").to_owned())
}

#[test]
fn a_policy_whose_settings_let_it_change_nothing_is_called_once() {
    let filling = |settings: Value| {
        let mut policy = policy("filling", "Fail", true, json!([rule(&["pods"])]));
        let description = policy.description.take().expect("a description");
        policy.description = Some(Arc::new(Description {
            mutating_settings: ["defaults".to_owned()].into(),
            ..Arc::unwrap_or_clone(description)
        }));
        policy.spec.settings = settings.as_object().cloned().expect("settings");
        configured(vec![policy])
    };
    let [validating, mutating] = filling(json!({"max": {"cpu": 1}}));
    assert_eq!(values(&validating, "/failurePolicy"), ["Fail"]);
    assert_eq!(mutating.get("webhooks"), None);
    let [_, mutating] = filling(json!({"defaults": {}}));
    assert_eq!(values(&mutating, "/failurePolicy"), ["Fail"]);
}

#[test]
fn a_wildcard_for_some_namespaces_does_not_bring_the_writes_of_all_others() {
    let star = |namespaces: &[&str]| {
        let mut policy = policy("star", "Fail", false, json!([]));
        let matches = portcullis_contract::MatchConstraints::anything_created_in(namespaces);
        let description = policy.description.take().expect("a description");
        let description = Description {
            matches,
            ..Arc::unwrap_or_clone(description)
        };
        policy.description = Some(Arc::new(description));
        policy
    };
    let own = r#"has(request.namespace) && request.namespace in ["default","old"]"#;
    assert_eq!(
        asked_for(vec![star(&["default", "old"])]).as_deref(),
        Some(own)
    );

    let mut scaled = rule(&["deployments", "deployments/scale", "deployments"]);
    scaled["apiGroups"] = json!(["apps"]);
    let mut any = rule(&["widgets"]);
    any["apiGroups"] = json!(["*"]);
    let others = json!([rule(&["pods"]), scaled, any]);
    let others = policy("others", "Fail", false, others);
    let expected = [
        r#"has(request.namespace) && request.namespace in ["default"]"#,
        r#"(request.resource.group + "/" + request.resource.resource) in ["/pods","apps/deployments"]"#,
        r#"request.resource.resource in ["widgets"]"#,
    ];
    let both = asked_for(vec![star(&["default"]), others]);
    assert_eq!(both, Some(expected.join(" || ")));

    // One that looks everywhere wants everything.
    let everywhere = policy("everywhere", "Fail", false, json!([rule(&["*"])]));
    assert_eq!(asked_for(vec![star(&["default"]), everywhere]), None);
    let pods = policy("pods", "Fail", false, json!([rule(&["pods"])]));
    assert_eq!(asked_for(vec![pods]), None);
}

#[test]
fn a_policy_that_nobody_knows_is_refused_by_name() {
    let mut unknown = policy("riddle", "Fail", false, json!([]));
    unknown.description = None;
    let set = PolicySet::new(vec![unknown], BTreeSet::new()).expect("a set");
    let refused = registration("a/b").configurations(&set);
    let text = refused.expect_err("refused").to_string();
    assert!(
        text.contains("`riddle`") && text.contains("no component"),
        "{text}"
    );
}

fn anything() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,8}",
        "[a-z]{1,5}",
        Just("no".to_owned()),
        "\\PC{0,4}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_the_same(value in anything()) {
        let text = yaml::documents(std::slice::from_ref(&value));
        let read = portcullis_manifest::parse_document(text.as_bytes());
        prop_assert_eq!(read.ok(), Some(value), "{}", text);
    }
}

#[test]
fn objects_are_opted_in_and_a_bundle_may_be_somebody_elses() {
    let set = PolicySet::new(
        vec![policy("a", "Fail", false, json!([rule(&["pods"])]))],
        BTreeSet::new(),
    )
    .expect("a set");
    let registration = Registration {
        ca_bundle: None,
        objects: vec![selector::parse("judge=yes").expect("a requirement")],
        ..registration("a/b")
    };
    let [validating, _] = registration.of_known(&set);
    let entry = &validating["webhooks"][0];
    assert_eq!(entry["clientConfig"].get("caBundle"), None);
    let expected =
        json!({"matchExpressions": [{"key": "judge", "operator": "In", "values": ["yes"]}]});
    assert_eq!(entry["objectSelector"], expected);
    assert_eq!(entry["sideEffects"], "None");
}
