//! Which flows each profile leaves open, told by a model of NetworkPolicies
//! that is first held to the examples of the API's documentation.

mod model;

use default_network_policy::flows;
use default_network_policy::settings::{Profile, Settings};
use default_network_policy::template::policy;
use model::{End, Try, passes, pod};
use serde_json::{Value, json};

fn tcp(from: &End, to: &End, port: u16) -> Try {
    Try {
        from: from.clone(),
        to: to.clone(),
        protocol: "TCP",
        port,
    }
}

fn udp(from: &End, to: &End, port: u16) -> Try {
    Try {
        protocol: "UDP",
        ..tcp(from, to, port)
    }
}

fn address(text: &str) -> End {
    End::Address(text.parse().expect("an address"))
}

/// A policy in the namespace `shop`.
fn in_shop(mut policy: Value) -> Vec<Value> {
    policy["metadata"]["namespace"] = "shop".into();
    vec![policy]
}

fn spec(spec: Value) -> Vec<Value> {
    in_shop(json!({"metadata": {}, "spec": spec}))
}

/// kubernetes.io/docs/concepts/services-networking/network-policies, its long
/// example, in the namespace `shop`.
#[test]
fn the_model_reads_the_documented_example_as_the_documentation_does() {
    let policies = spec(json!({
        "podSelector": {"matchLabels": {"role": "db"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [
            {"ipBlock": {"cidr": "172.17.0.0/16", "except": ["172.17.1.0/24"]}},
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "project"}}},
            {"podSelector": {"matchLabels": {"role": "frontend"}}},
        ], "ports": [{"protocol": "TCP", "port": 6379}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}],
            "ports": [{"protocol": "TCP", "port": 5978}]}],
    }));
    let db = pod("shop", &[("role", "db")]);
    let frontend = pod("shop", &[("role", "frontend")]);
    for (connection, expected) in [
        (tcp(&frontend, &db, 6379), true),
        (tcp(&frontend, &db, 80), false),
        (udp(&frontend, &db, 6379), false),
        (tcp(&pod("project", &[]), &db, 6379), true),
        (
            tcp(&pod("other", &[("role", "frontend")]), &db, 6379),
            false,
        ),
        (tcp(&address("172.17.0.9"), &db, 6379), true),
        (tcp(&address("172.17.1.9"), &db, 6379), false),
        (tcp(&address("172.18.0.9"), &db, 6379), false),
        (tcp(&db, &address("10.0.0.7"), 5978), true),
        (tcp(&db, &address("10.0.1.7"), 5978), false),
        (tcp(&db, &frontend, 80), false),
        // Pods that it does not select are not isolated.
        (tcp(&db, &pod("project", &[]), 5978), false),
        (tcp(&pod("other", &[]), &frontend, 80), true),
    ] {
        assert_eq!(passes(&policies, &connection), expected, "{connection:?}");
    }
}

/// The same page: "Default policies", and "Targeting a range of ports".
#[test]
fn the_model_reads_the_default_policies_as_the_documentation_does() {
    let (own, other) = (pod("shop", &[]), pod("other", &[]));
    let open = |spec_of: Value| {
        let policies = spec(spec_of);
        let (inside, out) = (tcp(&other, &own, 80), tcp(&own, &other, 80));
        (passes(&policies, &inside), passes(&policies, &out))
    };
    for (policy, expected) in [
        (
            json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
            (false, true),
        ),
        (
            json!({"podSelector": {}, "ingress": [{}], "policyTypes": ["Ingress"]}),
            (true, true),
        ),
        (
            json!({"podSelector": {}, "policyTypes": ["Egress"]}),
            (true, false),
        ),
        (
            json!({"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]}),
            (true, true),
        ),
        (
            json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
            (false, false),
        ),
        (json!({"podSelector": {}}), (false, true)),
    ] {
        assert_eq!(open(policy.clone()), expected, "{policy}");
    }
    let range = spec(
        json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to":
        [{"ipBlock": {"cidr": "10.0.0.0/24"}}],
        "ports": [{"protocol": "TCP", "port": 32000, "endPort": 32768}]}]}),
    );
    for (port, expected) in [
        (31_999, false),
        (32_000, true),
        (32_768, true),
        (32_769, false),
    ] {
        let connection = tcp(&own, &address("10.0.0.1"), port);
        assert_eq!(passes(&range, &connection), expected, "{port}");
    }
}

/// "AND" within one element, "OR" between two: "Behavior of `to` and `from`
/// selectors" of the same page.
#[test]
fn the_model_joins_selectors_of_one_peer_and_parts_those_of_two() {
    let one = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "alice"}},
        "podSelector": {"matchLabels": {"role": "client"}}}]);
    let two = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "alice"}}},
        {"podSelector": {"matchLabels": {"role": "client"}}}]);
    let own = pod("shop", &[]);
    for (from, in_one, in_two) in [
        (pod("alice", &[("role", "client")]), true, true),
        (pod("alice", &[]), false, true),
        (pod("shop", &[("role", "client")]), false, true),
        (pod("bob", &[("role", "client")]), false, false),
    ] {
        let connection = tcp(&from, &own, 80);
        for (peers, expected) in [(&one, in_one), (&two, in_two)] {
            let policies = spec(json!({"podSelector": {}, "ingress": [{"from": peers}]}));
            assert_eq!(passes(&policies, &connection), expected, "{peers} {from:?}");
        }
    }
}

fn of(profile: Profile, settings: &Settings, allow: &str) -> Vec<Value> {
    let (flows, bad) = flows::parse(allow);
    assert_eq!(bad, []);
    in_shop(policy(profile, settings, &flows).expect("a policy"))
}

fn hold(policies: &[Value], expected: &[(Try, bool)]) {
    for (connection, expected) in expected {
        assert_eq!(passes(policies, connection), *expected, "{connection:?}");
    }
}

#[test]
fn isolate_ingress_lets_in_the_namespace_controllers_and_monitoring_and_everything_out() {
    let policies = of(Profile::IsolateIngress, &Settings::default(), "");
    let (web, db) = (
        pod("shop", &[("app", "web")]),
        pod("shop", &[("app", "db")]),
    );
    hold(
        &policies,
        &[
            (tcp(&web, &db, 5432), true),
            (tcp(&pod("other", &[]), &db, 5432), false),
            (udp(&pod("other", &[]), &db, 53), false),
            (tcp(&pod("ingress-nginx", &[]), &web, 8080), true),
            (tcp(&pod("traefik", &[]), &web, 8080), true),
            (tcp(&pod("monitoring", &[]), &web, 9090), true),
            (tcp(&pod("kube-system", &[]), &web, 80), false),
            (tcp(&address("203.0.113.7"), &web, 80), false),
            (tcp(&web, &pod("other", &[]), 80), true),
            (tcp(&web, &address("203.0.113.7"), 443), true),
            (
                udp(&web, &pod("kube-system", &[("k8s-app", "kube-dns")]), 53),
                true,
            ),
        ],
    );
}

#[test]
fn isolate_full_lets_out_to_names_the_api_server_and_the_namespace_alone() {
    let mut settings = Settings::default();
    settings.api_server.cidrs = vec!["10.0.0.0/28".into()];
    let policies = of(Profile::IsolateFull, &settings, "");
    let (web, db) = (
        pod("shop", &[("app", "web")]),
        pod("shop", &[("app", "db")]),
    );
    let dns = pod("kube-system", &[("k8s-app", "kube-dns")]);
    hold(
        &policies,
        &[
            (tcp(&web, &db, 5432), true),
            (tcp(&pod("other", &[]), &db, 5432), false),
            (tcp(&pod("monitoring", &[]), &web, 9090), true),
            (udp(&web, &dns, 53), true),
            (tcp(&web, &dns, 53), true),
            (tcp(&web, &dns, 9153), false),
            (udp(&web, &pod("kube-system", &[]), 53), false),
            (
                udp(&web, &pod("other", &[("k8s-app", "kube-dns")]), 53),
                false,
            ),
            (udp(&web, &address("169.254.20.10"), 53), true),
            (udp(&web, &address("169.254.20.11"), 53), false),
            (tcp(&web, &address("169.254.169.254"), 80), false),
            (tcp(&web, &address("10.0.0.3"), 6443), true),
            (tcp(&web, &address("10.0.0.3"), 443), false),
            (tcp(&web, &address("10.0.0.16"), 6443), false),
            (tcp(&web, &pod("other", &[]), 80), false),
            (tcp(&web, &address("203.0.113.7"), 443), false),
        ],
    );
}

#[test]
fn what_the_annotation_opens_is_open_and_nothing_besides() {
    let (web, arr) = (pod("shop", &[]), pod("arr-stack", &[]));
    let allow = "from=arr-stack:5432, to=10.0.0.0/8:443, to=arr-stack";
    let policies = of(Profile::IsolateFull, &Settings::default(), allow);
    hold(
        &policies,
        &[
            (tcp(&arr, &web, 5432), true),
            (udp(&arr, &web, 5432), false),
            (tcp(&arr, &web, 5433), false),
            (tcp(&pod("arr", &[]), &web, 5432), false),
            (tcp(&web, &arr, 1), true),
            (tcp(&web, &address("10.9.9.9"), 443), true),
            (tcp(&web, &address("10.9.9.9"), 80), false),
            (tcp(&web, &address("11.9.9.9"), 443), false),
        ],
    );
}

#[test]
fn nobody_is_let_in_where_no_controller_is_named() {
    let settings = Settings {
        ingress_controllers: vec![],
        monitoring: vec![],
        ..Settings::default()
    };
    let policies = of(Profile::IsolateIngress, &settings, "");
    let web = pod("shop", &[]);
    hold(
        &policies,
        &[
            (tcp(&pod("monitoring", &[]), &web, 80), false),
            (tcp(&pod("traefik", &[]), &web, 80), false),
            (tcp(&web, &web, 80), true),
        ],
    );
}
