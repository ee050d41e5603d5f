//! What the API server calls in a namespace: webhooks, APIServices, and the
//! conversions of CustomResourceDefinitions.

use serde_json::Value;

use super::reach::{Port, Who, is_behind, isolates, labels, lets_in, targets};

/// Where the API server keeps what it calls: group and version, plural.
pub const KINDS: [(&str, &str); 4] = [
    (
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
    ),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions"),
    ("apiregistration.k8s.io/v1", "apiservices"),
];

/// The port of a Service that is called where none is written (API:
/// ServiceReference).
const HTTPS: u64 = 443;

/// Something that the API server calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// ValidatingWebhookConfiguration `x`.
    pub title: String,
    /// The namespace of the Service.
    pub namespace: String,
    /// The Service.
    pub service: String,
    /// And its port.
    pub port: u64,
}

/// What an object of one of [`KINDS`] has the API server call in the cluster.
pub fn of(plural: &str, object: &Value) -> Vec<Caller> {
    let (word, places): (&str, Vec<&Value>) = match plural {
        "apiservices" => ("APIService", vec![&object["spec"]["service"]]),
        "customresourcedefinitions" => {
            let webhook = &object["spec"]["conversion"]["webhook"];
            (
                "the conversion of",
                vec![&webhook["clientConfig"]["service"]],
            )
        }
        "mutatingwebhookconfigurations" => ("MutatingWebhookConfiguration", hooks(object)),
        _ => ("ValidatingWebhookConfiguration", hooks(object)),
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let text = |one: &Value, member: &str| one[member].as_str().unwrap_or_default().to_owned();
    // Others are called by their URL, or not at all.
    let services = places.into_iter().filter(|one| one.is_object());
    let mut all: Vec<Caller> = services
        .map(|one| Caller {
            title: format!("{word} `{name}`"),
            namespace: text(one, "namespace"),
            service: text(one, "name"),
            port: one["port"].as_u64().unwrap_or(HTTPS),
        })
        .collect();
    all.dedup();
    all
}

fn hooks(object: &Value) -> Vec<&Value> {
    let hooks = object["webhooks"].as_array().into_iter().flatten();
    hooks.map(|hook| &hook["clientConfig"]["service"]).collect()
}

/// A caller that a NetworkPolicy would keep out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutOff {
    /// Who.
    pub caller: Caller,
    /// The ports of pods that are called.
    pub ports: Vec<Port>,
}

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Caller { title, service, .. } = &self.caller;
        let ports: Vec<String> = self.ports.iter().map(Port::to_string).collect();
        write!(
            f,
            "{title} calls the Service `{service}` at {}",
            ports.join(", ")
        )
    }
}

/// Those that the policy (its `spec`) would keep out, given the Services and
/// pods of the namespace. Pods that are not there yet count as selected.
pub fn cut_off(
    spec: &Value,
    callers: Vec<Caller>,
    services: &[Value],
    pods: &[Value],
) -> Vec<CutOff> {
    let closed = callers.into_iter().filter_map(|caller| {
        let named = |one: &&Value| one["metadata"]["name"] == *caller.service;
        let service = services.iter().find(named);
        if service.is_some_and(|service| !selects_behind(spec, service, pods)) {
            return None;
        }
        let ports = called(service, caller.port, pods);
        let is_let_in = |port: &Port| lets_in(spec, Who::ApiServer, port);
        let ports: Vec<Port> = ports.into_iter().filter(|port| !is_let_in(port)).collect();
        (!ports.is_empty()).then_some(CutOff { caller, ports })
    });
    closed.collect()
}

/// Whether the policy isolates any pod behind a Service.
pub fn selects_behind(spec: &Value, service: &Value, pods: &[Value]) -> bool {
    let mut behind = pods.iter().filter(|pod| is_behind(service, pod)).peekable();
    match behind.peek() {
        Some(_) => behind.any(|pod| isolates(spec, &labels(pod))),
        None => {
            let selector = serde_json::from_value(service["spec"]["selector"].clone());
            isolates(spec, &selector.unwrap_or_default())
        }
    }
}

fn called(service: Option<&Value>, number: u64, pods: &[Value]) -> Vec<Port> {
    let unknown = Port {
        protocol: "TCP".to_owned(),
        number: None,
        name: None,
    };
    let Some(service) = service else {
        return vec![unknown];
    };
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    let mut ports = ports.filter(|one| one["port"].as_u64() == Some(number));
    match ports.next() {
        Some(port) => targets(service, port, pods),
        None => vec![unknown],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hook(namespace: &str) -> Value {
        let service = json!({"namespace": namespace, "name": "hook"});
        json!({"metadata": {"name": "v"}, "webhooks": [
            {"name": "a", "clientConfig": {"service": service}},
            {"name": "b", "clientConfig": {"service": service}},
            {"name": "c", "clientConfig": {"url": "https://a.example"}}]})
    }

    fn service() -> Value {
        json!({"metadata": {"name": "hook"}, "spec": {"selector": {"app": "hook"},
            "ports": [{"port": 443, "targetPort": 8443}]}})
    }

    fn closed(flows: Value) -> Value {
        let mut ingress = vec![json!({"from": [{"podSelector": {}}]})];
        ingress.extend(flows.as_array().cloned().unwrap_or_default());
        json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress})
    }

    #[test]
    fn each_kind_names_the_service_that_it_calls() {
        let service = json!({"namespace": "shop", "name": "hook", "port": 8443});
        let conversion = json!({"metadata": {"name": "things.a"}, "spec": {"conversion":
            {"webhook": {"clientConfig": {"service": service}}}}});
        let api = json!({"metadata": {"name": "v1.a"}, "spec": {"service": service}});
        let local = json!({"metadata": {"name": "v1.b"}, "spec": {}});
        for (plural, object, title, port) in [
            ("apiservices", &api, "APIService `v1.a`", 8443),
            (
                "customresourcedefinitions",
                &conversion,
                "the conversion of `things.a`",
                8443,
            ),
            (
                "mutatingwebhookconfigurations",
                &hook("shop"),
                "MutatingWebhookConfiguration `v`",
                443,
            ),
            (
                "validatingwebhookconfigurations",
                &hook("shop"),
                "ValidatingWebhookConfiguration `v`",
                443,
            ),
        ] {
            let found = of(plural, object);
            let expected = Caller {
                title: title.into(),
                namespace: "shop".into(),
                service: "hook".into(),
                port,
            };
            assert_eq!(found, [expected], "{plural}");
        }
        assert!(of("apiservices", &local).is_empty());
    }

    #[test]
    fn only_a_flow_to_the_port_of_the_pods_lets_the_api_server_in() {
        let callers = of("validatingwebhookconfigurations", &hook("shop"));
        let flow = |port: u16| {
            json!([{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "ports": [{"protocol": "TCP", "port": port}]}])
        };
        let cut = |spec: &Value| cut_off(spec, callers.clone(), &[service()], &[]);
        let found = cut(&closed(json!([])));
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "ValidatingWebhookConfiguration `v` calls the Service `hook` at TCP 8443"
        );
        assert_eq!(
            cut(&closed(flow(443))).len(),
            1,
            "that is the Service's own port"
        );
        assert!(cut(&closed(flow(8443))).is_empty());
        let none = cut_off(&closed(flow(8443)), callers.clone(), &[], &[]);
        assert_eq!(none.len(), 1, "without the Service nobody knows the port");
        let any = json!([{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]);
        assert!(cut_off(&closed(any), callers, &[], &[]).is_empty());
    }

    #[test]
    fn a_template_for_other_pods_cuts_nothing_off() {
        let callers = of("validatingwebhookconfigurations", &hook("shop"));
        let spec = json!({"podSelector": {"matchLabels": {"tier": "web"}},
            "policyTypes": ["Ingress"]});
        assert!(cut_off(&spec, callers.clone(), &[service()], &[]).is_empty());
        let pod = json!({"metadata": {"labels": {"app": "hook", "tier": "web"}}});
        assert_eq!(cut_off(&spec, callers, &[service()], &[pod]).len(), 1);
    }
}
