use std::collections::BTreeSet;
use std::sync::Arc;

use kube::core::discovery::v2::APIGroupDiscoveryList;
use portcullis_contract::Description;
use serde_json::json;

use super::*;
use crate::policy::spec::{self, Resource};
use crate::policy::{Cause, Policy};

/// A policy whose program does not run; what it matches is known all the same.
fn policy(name: &str, matches: Value) -> Policy {
    let document = json!({"apiVersion": spec::API_VERSION, "kind": spec::KIND,
        "metadata": {"name": name}, "spec": {"program": {"builtin": "x"}}});
    let resource = Resource::parse(&document).expect("a document");
    let description: Description = serde_json::from_value(json!({
        "interface": "0.1.0", "name": name, "version": "0.1.0", "summary": "s", "reads": [],
        "codes": [], "settings": {}, "mutating": false, "matches": matches}))
    .expect("a description");
    Policy {
        name: resource.name,
        spec: resource.spec,
        description: Some(Arc::new(description)),
        program: Err(crate::policy::Failure::guest(Cause::Program, "none")),
    }
}

fn rule(groups: &[&str], resources: &[&str]) -> Value {
    json!({"apiGroups": groups, "apiVersions": ["*"], "resources": resources,
        "operations": ["CREATE", "UPDATE"]})
}

fn resource(plural: &str, kind: &str, scope: &str) -> Value {
    json!({"resource": plural, "scope": scope, "responseKind": {"kind": kind},
        "verbs": ["create", "delete", "get", "list", "watch"]})
}

/// A small API server.
fn groups() -> Vec<APIGroupDiscovery> {
    let namespaced = |plural, kind| resource(plural, kind, "Namespaced");
    let mut binding = namespaced("bindings", "Binding");
    binding["verbs"] = json!(["create"]);
    let mut status = resource("componentstatuses", "ComponentStatus", "Cluster");
    status["verbs"] = json!(["get", "list"]);
    let group =
        |name: &str, versions: Value| json!({"metadata": {"name": name}, "versions": versions});
    let version = |name: &str, resources: Vec<Value>| json!({"version": name, "resources": resources, "freshness": "Current"});
    let core = vec![
        namespaced("pods", "Pod"),
        namespaced("events", "Event"),
        resource("nodes", "Node", "Cluster"),
        resource("namespaces", "Namespace", "Cluster"),
        binding,
        status,
    ];
    let scaler = || {
        vec![namespaced(
            "horizontalpodautoscalers",
            "HorizontalPodAutoscaler",
        )]
    };
    let items = json!([
        group("", json!([version("v1", core)])),
        group(
            "apps",
            json!([version("v1", vec![namespaced("deployments", "Deployment")])])
        ),
        group(
            "autoscaling",
            json!([version("v2", scaler()), version("v1", scaler())])
        ),
        group(
            "coordination.k8s.io",
            json!([version("v1", vec![namespaced("leases", "Lease")])])
        ),
        group(
            "metrics.k8s.io",
            json!([{"version": "v1beta1", "freshness": "Stale"}])
        ),
    ]);
    let list: APIGroupDiscoveryList =
        serde_json::from_value(json!({"items": items})).expect("what an API server has");
    list.items
}

fn selected(policies: &[Value]) -> Selection {
    let policies = policies.iter().enumerate();
    let policies = policies.map(|(index, matches)| policy(&format!("p{index}"), matches.clone()));
    let set = PolicySet::new(policies.collect(), BTreeSet::new()).expect("a set");
    select(&set, &groups())
}

fn names(selection: &Selection) -> Vec<String> {
    let kinds = selection.kinds.iter();
    kinds
        .map(|kind| format!("{} {}", kind.api_version(), kind.plural))
        .collect()
}

#[test]
fn what_only_a_policy_for_files_matches_is_not_listed() {
    let mut offline = policy("a", json!({"resourceRules": [rule(&[""], &["pods"])]}));
    let description = Arc::make_mut(offline.description.as_mut().expect("a description"));
    description.offline = true;
    let set = PolicySet::new(vec![offline], BTreeSet::new()).expect("a set");
    assert_eq!(select(&set, &groups()), Selection::default());
}

#[test]
fn what_a_create_would_reach_is_listed() {
    let selection = selected(&[json!({"resourceRules": [
        rule(&["apps"], &["deployments", "deployments/scale"]), rule(&[""], &["pods"])]})]);
    assert_eq!(names(&selection), ["v1 pods", "apps/v1 deployments"]);
    assert_eq!(selection.kinds[1].path(None), "/apis/apps/v1/deployments");
    assert_eq!(
        selection.kinds[0].path(Some("shop")),
        "/api/v1/namespaces/shop/pods"
    );
    assert!(selection.passed_over.is_empty() && selection.failures.is_empty());
}

#[test]
fn updates_alone_are_no_reason_to_list() {
    let mut update = rule(&[""], &["pods"]);
    update["operations"] = json!(["UPDATE"]);
    assert_eq!(
        selected(&[json!({"resourceRules": [update]})]),
        Selection::default()
    );
}

#[test]
fn one_version_is_listed_unless_policies_match_different_ones() {
    let of = |version: &str| {
        let mut rule = rule(&["autoscaling"], &["horizontalpodautoscalers"]);
        rule["apiVersions"] = json!([version]);
        json!({"resourceRules": [rule]})
    };
    let listed = |policies: &[Value]| names(&selected(policies));
    let (first, second) = (
        "autoscaling/v2 horizontalpodautoscalers",
        "autoscaling/v1 horizontalpodautoscalers",
    );
    assert_eq!(listed(&[of("*")]), [first]);
    assert_eq!(listed(&[of("v1")]), [second]);
    assert_eq!(listed(&[of("v2"), of("*")]), [first]);
    assert_eq!(listed(&[of("v2"), of("v1")]), [second, first]);
}

#[test]
fn a_star_leaves_out_what_no_webhook_is_asked_about_unless_it_is_named() {
    let star = json!({"resourceRules": [rule(&["*"], &["*"])]});
    let selection = selected(std::slice::from_ref(&star));
    assert_eq!(
        names(&selection),
        [
            "v1 namespaces",
            "v1 pods",
            "apps/v1 deployments",
            "autoscaling/v2 horizontalpodautoscalers"
        ]
    );
    let events = json!({"resourceRules": [rule(&[""], &["events"])]});
    assert!(names(&selected(&[star, events])).contains(&"v1 events".to_owned()));
}

#[test]
fn a_policy_that_names_its_namespaces_has_nothing_listed_elsewhere() {
    let of = |names: &[&str]| {
        let mut rule = rule(&[""], &["pods"]);
        rule["scope"] = json!("Namespaced");
        let expression = json!({"key": "kubernetes.io/metadata.name", "operator": "In",
            "values": names});
        json!({"resourceRules": [rule],
            "namespaceSelector": {"matchExpressions": [expression]}})
    };
    let all = json!({"resourceRules": [rule(&[""], &["pods"])]});
    let shop = ["shop".to_owned(), "b".to_owned()];
    for (policies, places, of_shop) in [
        (
            vec![of(&["a"]), of(&["b"])],
            vec![Some("a"), Some("b")],
            vec![Some("b")],
        ),
        (
            vec![of(&["a"]), all],
            vec![None],
            vec![Some("shop"), Some("b")],
        ),
    ] {
        let kind = &selected(&policies).kinds[0];
        assert_eq!(kind.places(&[]), places);
        assert_eq!(kind.places(&shop), of_shop);
    }
}

#[test]
fn what_is_excluded_as_a_whole_need_not_be_listed() {
    let mut one_name = rule(&[""], &["pods"]);
    one_name["resourceNames"] = json!(["web"]);
    let matches = json!({"resourceRules": [rule(&["", "apps"], &["pods", "deployments"])],
        "excludeResourceRules": [rule(&["apps"], &["deployments"]), one_name]});
    let selection = selected(&[matches]);
    assert_eq!(names(&selection), ["v1 pods"]);
}

#[test]
fn what_is_named_and_not_there_is_told() {
    let selection = selected(&[json!({"resourceRules": [
        rule(&["traefik.io"], &["ingressroutes"]), rule(&[""], &["pods", "bindings"])]})]);
    let told = selection.passed_over.iter();
    let told: Vec<_> = told
        .map(|one| (one.resource.as_str(), one.code.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("bindings", "never-listed"),
            ("ingressroutes.traefik.io", "unknown-resource")
        ]
    );
}

#[test]
fn a_group_that_nobody_serves_is_a_failure_where_it_may_hold_something() {
    let of = |group: &str| selected(&[json!({"resourceRules": [rule(&[group], &["pods"])]})]);
    let causes: Vec<_> = of("*").failures;
    assert!(
        causes[0]
            .cause
            .contains("kubectl get apiservice v1beta1.metrics.k8s.io"),
        "{causes:?}"
    );
    assert!(of("").failures.is_empty());
}

/// What `registration` keeps the API server from asking about.
#[test]
fn nothing_is_left_out_that_the_registration_has() {
    use crate::registration::{Registration, name::Name, target::Target};
    let star = policy("star", json!({"resourceRules": [rule(&["*"], &["*"])]}));
    let set = PolicySet::new(vec![star], BTreeSet::new()).expect("a set");
    let registration = Registration {
        name: Name::parse("portcullis").expect("a name"),
        target: Target::new(None, Some("here/portcullis")).expect("a service"),
        ca_bundle: None,
        namespaces: vec![],
        objects: vec![],
    };
    let [validating, _] = registration.configurations(&set).expect("configurations");
    let conditions = validating["webhooks"][0]["matchConditions"].as_array();
    let names: Vec<&str> = conditions
        .expect("conditions")
        .iter()
        .filter_map(|condition| condition["name"].as_str())
        .filter(|name| *name != "changed")
        .collect();
    // `no-root-ca` is known by its name (`judging`); a status is no object, and
    // whose write an object was is not to be seen later.
    let known = [
        "no-leases",
        "no-events",
        "no-nodes",
        "no-token-reviews",
        "no-access-reviews",
        "no-csi-nodes",
        "no-signing-requests",
        "no-policies",
    ];
    let others = ["no-root-ca", "not-the-api-server"];
    assert_eq!(names, [&known[..], &others].concat());
}
