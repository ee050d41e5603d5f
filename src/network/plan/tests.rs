use serde_json::json;

use super::*;

fn port(number: u16, target: Value) -> Value {
    json!({"port": number, "targetPort": target})
}

fn service(namespace: &str, name: &str, spec: Value) -> Value {
    let mut service = json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec});
    if service["spec"]["selector"].is_null() {
        service["spec"]["selector"] = json!({"app": name});
    }
    service
}

/// A namespace with something of each kind, under a policy that lets in the
/// namespace itself, `ingress-nginx` and `monitoring`.
fn seen() -> Seen {
    let named = |name: &str| {
        json!({"namespaceSelector":
        {"matchLabels": {"kubernetes.io/metadata.name": name}}})
    };
    let labels = |name: &str| -> Labels {
        [("kubernetes.io/metadata.name".to_owned(), name.to_owned())].into()
    };
    let names = ["shop", "edge", "ingress-nginx", "monitoring", "observe"];
    let pod = json!({"metadata": {"name": "web-7f-x", "namespace": "shop",
        "labels": {"app": "web", "pod-template-hash": "7f"},
        "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9100"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-7f", "controller": true}]},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080},
            {"name": "metrics", "containerPort": 9100}]}]}});
    Seen {
        namespace: "shop".into(),
        profile: "isolate-ingress".into(),
        spec: json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [
            {"from": [{"podSelector": {}}]},
            {"from": [named("ingress-nginx"), named("monitoring")]}]}),
        namespaces: names.map(|name| (name.to_owned(), labels(name))).into(),
        services: vec![
            service(
                "shop",
                "web",
                json!({"type": "LoadBalancer",
                "ports": [port(80, json!("http"))]}),
            ),
            service("shop", "plain", json!({"ports": [port(80, json!(80))]})),
        ],
        pods: vec![pod],
        ..Seen::default()
    }
}

fn lines(seen: &Seen) -> Vec<(State, String, Vec<String>)> {
    let plan = seen.plan();
    let all = plan.ways.into_iter();
    all.map(|way| (way.state, way.text, way.flows)).collect()
}

fn of(seen: &Seen, part: &str) -> (State, Vec<String>) {
    let found = lines(seen).into_iter().find(|line| line.1.contains(part));
    let (state, _, flows) = found.unwrap_or_else(|| panic!("{part}: {:?}", lines(seen)));
    (state, flows)
}

#[test]
fn clients_outside_are_closed_out_and_a_flow_lets_them_in() {
    let mut seen = seen();
    let expected = vec!["from=0.0.0.0/0:8080".to_owned()];
    assert_eq!(
        of(&seen, "LoadBalancer Service `web`"),
        (State::Closed, expected)
    );
    let flow = json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
        "ports": [{"protocol": "TCP", "port": 8080}]});
    seen.spec["ingress"]
        .as_array_mut()
        .expect("rules")
        .push(flow);
    assert_eq!(
        of(&seen, "LoadBalancer Service `web`"),
        (State::Open, vec![])
    );
    seen.services[0]["spec"]["type"] = "NodePort".into();
    assert_eq!(of(&seen, "NodePort Service `web`").0, State::Open);
    let inner = lines(&seen).iter().any(|line| line.1.contains("`plain`"));
    assert!(!inner, "a ClusterIP Service is no way in from outside");
}

#[test]
fn an_ingress_hangs_on_where_its_controller_is() {
    let ingress = json!({"metadata": {"name": "web", "namespace": "shop"},
        "spec": {"rules": [{"http": {"paths": [
            {"backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}});
    let mut seen = Seen {
        ingresses: vec![ingress],
        ..seen()
    };
    let unknown = (State::Unknown, vec!["from=NAMESPACE:8080".to_owned()]);
    assert_eq!(of(&seen, "Ingress `web`"), unknown);
    let mut controller = service("edge", "lb", json!({"type": "LoadBalancer"}));
    controller["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}});
    seen.services.push(controller);
    let closed = (State::Closed, vec!["from=edge:8080".to_owned()]);
    assert_eq!(of(&seen, "Ingress `web`"), closed);
    seen.services[2]["metadata"]["namespace"] = "ingress-nginx".into();
    assert_eq!(of(&seen, "Ingress `web`"), (State::Open, vec![]));
    seen.services.truncate(2);
    seen.namespaces
        .retain(|name, _| name == "shop" || name == "edge");
    assert_eq!(of(&seen, "Ingress `web`").0, State::Closed);
}

#[test]
fn scrapes_hang_on_where_prometheus_is() {
    let mut seen = seen();
    let path = "scrape of Deployment `web` (prometheus.io/scrape), TCP 9100";
    let unknown = (State::Unknown, vec!["from=NAMESPACE:9100".to_owned()]);
    assert_eq!(of(&seen, path), unknown);
    let mut prometheus = service("observe", "prometheus", json!({}));
    prometheus["metadata"]["labels"] = json!({"app.kubernetes.io/name": "prometheus"});
    seen.services.push(prometheus);
    let closed = (State::Closed, vec!["from=observe:9100".to_owned()]);
    assert_eq!(of(&seen, path), closed);
    let monitor = |kind: &str, endpoints: &str, selector: Value| {
        json!({"kind": kind,
        "metadata": {"name": "m", "namespace": "shop"}, "spec": {"selector": selector,
            endpoints: [{"port": "metrics"}]}})
    };
    let all = json!({});
    seen.services[0]["spec"]["ports"] = json!([{"name": "metrics", "port": 9000,
        "targetPort": "metrics"}]);
    seen.monitors = vec![
        monitor("ServiceMonitor", "endpoints", all.clone()),
        monitor(
            "PodMonitor",
            "podMetricsEndpoints",
            json!({"matchLabels": {"app": "web"}}),
        ),
    ];
    assert_eq!(of(&seen, "ServiceMonitor `m`, TCP 9100"), closed);
    assert_eq!(of(&seen, "PodMonitor `m`, TCP 9100"), closed);
    seen.monitors[0]["spec"]["namespaceSelector"] = json!({"matchNames": ["other"]});
    let other = lines(&seen)
        .iter()
        .any(|line| line.1.contains("ServiceMonitor"));
    assert!(!other, "it looks into another namespace");
    seen.services[2]["metadata"]["namespace"] = "monitoring".into();
    assert_eq!(of(&seen, path), (State::Open, vec![]));
}

#[test]
fn the_plan_says_what_to_write() {
    let seen = Seen {
        allow: "from=a".into(),
        callers: vec![Caller {
            title: "APIService `v1.a`".into(),
            namespace: "shop".into(),
            service: "web".into(),
            port: 80,
        }],
        ..seen()
    };
    let plan = seen.plan();
    assert!(!plan.closes_nothing());
    let text = plan.render();
    for part in [
        "shop: profile isolate-ingress would close 2 of 3 ways in",
        "closed   APIService `v1.a` calls the Service `web` at TCP 8080; enrolment is refused",
        "to keep it open, write from=ADDRESSES-OF-THE-API-SERVER:8080\n",
        "unknown  scrape of Deployment `web`",
        "kubectl annotate --overwrite namespace shop 'portcullis.dev/network-allow=from=a,\
         from=ADDRESSES-OF-THE-API-SERVER:8080,from=0.0.0.0/0:8080'",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let covered = Seen {
        spec: Value::Null,
        ..seen
    };
    let plan = covered.plan();
    assert!(plan.closes_nothing() && plan.render().contains("another policy covers it"));
}
