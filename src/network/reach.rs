//! Who reaches the pods of a namespace under a NetworkPolicy.
//!
//! What decides is the policy itself, and no name of a profile: a template of
//! an administrator is judged like our own.

use std::collections::BTreeMap;

use portcullis_contract::LabelSelector;
use serde_json::Value;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Who wants in.
#[derive(Debug, Clone, Copy)]
pub enum Who<'a> {
    /// Somebody outside of the cluster's pods, by an address. Which one is not
    /// known: any `ipBlock` lets it in.
    Outside,
    /// The API server. It comes from an address of a node or beyond, and only
    /// an `ipBlock` selects such; where it calls through agents (Konnectivity),
    /// they are pods of `kube-system`.
    ApiServer,
    /// Pods of a namespace with these labels.
    Namespace(&'a Labels),
}

/// A port of a pod.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// TCP, UDP or SCTP.
    pub protocol: String,
    /// Its number; None where nobody can tell.
    pub number: Option<u16>,
    /// Its name, where it has one.
    pub name: Option<String>,
}

impl Port {
    /// As flows of the annotation name it: `:8443`, `:53/UDP`; nothing where
    /// the number is not known.
    pub fn flow(&self) -> String {
        match (self.number, self.protocol.as_str()) {
            (None, _) => String::new(),
            (Some(number), "TCP") => format!(":{number}"),
            (Some(number), protocol) => format!(":{number}/{protocol}"),
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.number, &self.name) {
            (Some(number), _) => write!(f, "{} {number}", self.protocol),
            (None, Some(name)) => write!(f, "{} `{name}`", self.protocol),
            (None, None) => write!(f, "{} (port not known)", self.protocol),
        }
    }
}

/// Whether the policy (its `spec`) says who may reach pods with these labels.
pub fn isolates(spec: &Value, pods: &Labels) -> bool {
    let types = spec["policyTypes"].as_array();
    let judges = types.is_none_or(|types| types.iter().any(|one| one == "Ingress"));
    judges && selects(&spec["podSelector"], pods)
}

/// Whether the rules of the policy let `from` reach this port.
pub fn lets_in(spec: &Value, from: Who<'_>, port: &Port) -> bool {
    let rules = spec["ingress"].as_array().into_iter().flatten();
    let mut rules = rules.filter(|rule| is_about(&rule["ports"], port));
    rules.any(|rule| match rule["from"].as_array() {
        None => true,
        Some(peers) => peers.is_empty() || peers.iter().any(|peer| is_peer(peer, from)),
    })
}

/// The namespaces, by name and labels, of which a rule lets some pod in.
pub fn namespaces_in<'a>(
    spec: &Value,
    namespaces: impl Iterator<Item = (&'a str, &'a Labels)>,
    port: &Port,
) -> Vec<&'a str> {
    namespaces
        .filter(|(_, labels)| lets_in(spec, Who::Namespace(labels), port))
        .map(|(name, _)| name)
        .collect()
}

fn is_about(ports: &Value, port: &Port) -> bool {
    let Some(ports) = ports.as_array().filter(|ports| !ports.is_empty()) else {
        return true;
    };
    ports.iter().any(|one| is_port(one, port))
}

fn is_port(one: &Value, port: &Port) -> bool {
    if one["protocol"].as_str().unwrap_or("TCP") != port.protocol {
        return false;
    }
    let number = port.number.map(u64::from);
    match &one["port"] {
        Value::Null => true,
        Value::String(name) => Some(name) == port.name.as_ref(),
        first => {
            let first = first.as_u64();
            let last = one["endPort"].as_u64().or(first);
            number.is_some_and(|number| first <= Some(number) && Some(number) <= last)
        }
    }
}

fn is_peer(peer: &Value, from: Who<'_>) -> bool {
    let is_addresses = peer["ipBlock"].is_object();
    let namespaces = &peer["namespaceSelector"];
    match from {
        Who::Outside => is_addresses,
        Who::ApiServer => {
            let name = (
                "kubernetes.io/metadata.name".to_owned(),
                "kube-system".to_owned(),
            );
            is_addresses || (namespaces.is_object() && selects(namespaces, &[name].into()))
        }
        Who::Namespace(labels) => namespaces.is_object() && selects(namespaces, labels),
    }
}

/// A label selector that cannot be read selects nothing.
fn selects(selector: &Value, labels: &Labels) -> bool {
    let selector = match selector {
        Value::Null => Ok(LabelSelector::default()),
        selector => serde_json::from_value::<LabelSelector>(selector.clone()),
    };
    selector.is_ok_and(|selector| selector.selects(labels))
}

/// The labels of an object.
pub fn labels(object: &Value) -> Labels {
    serde_json::from_value(object["metadata"]["labels"].clone()).unwrap_or_default()
}

/// The ports of pods behind a port of a Service: those of the pods that it
/// selects where `targetPort` is a name.
pub fn targets(service: &Value, port: &Value, pods: &[Value]) -> Vec<Port> {
    let protocol = port["protocol"].as_str().unwrap_or("TCP").to_owned();
    let of = |number: Option<u64>, name: Option<&str>| Port {
        protocol: protocol.clone(),
        number: number.and_then(|number| number.try_into().ok()),
        name: name.map(str::to_owned),
    };
    match &port["targetPort"] {
        Value::String(name) => {
            let pods = pods.iter().filter(|pod| is_behind(service, pod));
            let ports = pods.flat_map(ports_of).filter(|one| one["name"] == **name);
            let mut all: Vec<Port> = ports
                .map(|one| of(one["containerPort"].as_u64(), Some(name)))
                .collect();
            all.sort();
            all.dedup();
            match all.is_empty() {
                true => vec![of(None, Some(name))],
                false => all,
            }
        }
        target => {
            let number = target.as_u64().or_else(|| port["port"].as_u64());
            vec![of(number, None)]
        }
    }
}

/// Whether a Service selects a pod.
pub fn is_behind(service: &Value, pod: &Value) -> bool {
    let selector = service["spec"]["selector"].as_object();
    let labels = &pod["metadata"]["labels"];
    selector
        .is_some_and(|all| !all.is_empty() && all.iter().all(|(key, value)| labels[key] == *value))
}

fn ports_of(pod: &Value) -> impl Iterator<Item = &Value> {
    let containers = ["containers", "initContainers"].into_iter();
    let containers = containers.flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    containers.flat_map(|one| one["ports"].as_array().into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn port(number: u16) -> Port {
        Port {
            protocol: "TCP".into(),
            number: Some(number),
            name: Some("https".into()),
        }
    }

    fn labels_of(name: &str) -> Labels {
        [("kubernetes.io/metadata.name".to_owned(), name.to_owned())].into()
    }

    fn isolated(flows: Value) -> Value {
        let mut ingress = vec![
            json!({"from": [{"podSelector": {}}]}),
            json!({"from": [{"namespaceSelector":
                {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]}),
        ];
        ingress.extend(flows.as_array().cloned().unwrap_or_default());
        json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress})
    }

    #[test]
    fn who_is_named_gets_in() {
        let spec = isolated(json!([]));
        let nginx = labels_of("ingress-nginx");
        assert!(lets_in(&spec, Who::Namespace(&nginx), &port(80)));
        assert!(!lets_in(
            &spec,
            Who::Namespace(&labels_of("shop")),
            &port(80)
        ));
        assert!(!lets_in(&spec, Who::Outside, &port(80)));
        assert!(!lets_in(&spec, Who::ApiServer, &port(80)));
        assert!(lets_in(&json!({"ingress": [{}]}), Who::Outside, &port(80)));
        assert!(!lets_in(&json!({}), Who::Outside, &port(80)));
        let all = [("ingress-nginx", &nginx)];
        assert_eq!(
            namespaces_in(&spec, all.into_iter(), &port(80)),
            ["ingress-nginx"]
        );
    }

    #[test]
    fn the_api_server_comes_from_addresses_or_from_kube_system() {
        for (peer, expected) in [
            (json!({"ipBlock": {"cidr": "10.0.0.0/8"}}), true),
            (json!({"namespaceSelector": {}}), true),
            (
                json!({"namespaceSelector":
                {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}),
                true,
            ),
            (
                json!({"namespaceSelector": {"matchLabels": {"a": "b"}}}),
                false,
            ),
            (json!({"podSelector": {}}), false),
        ] {
            let flow = json!([{"from": [peer], "ports": [{"protocol": "TCP", "port": 8443}]}]);
            let spec = isolated(flow);
            assert_eq!(
                lets_in(&spec, Who::ApiServer, &port(8443)),
                expected,
                "{spec}"
            );
            assert!(!lets_in(&spec, Who::ApiServer, &port(9443)), "{spec}");
        }
    }

    #[test]
    fn a_port_is_a_number_a_range_or_a_name() {
        for (ports, expected) in [
            (json!([]), true),
            (json!([{"protocol": "TCP"}]), true),
            (json!([{"port": 8443}]), true),
            (json!([{"port": 8000, "endPort": 9000}]), true),
            (json!([{"port": "https"}]), true),
            (json!([{"port": "http"}]), false),
            (json!([{"port": 8000, "endPort": 8080}]), false),
            (json!([{"protocol": "UDP", "port": 8443}]), false),
        ] {
            let spec = json!({"ingress": [{"ports": ports}]});
            assert_eq!(
                lets_in(&spec, Who::Outside, &port(8443)),
                expected,
                "{spec}"
            );
        }
        let unknown = Port {
            number: None,
            ..port(1)
        };
        let spec = json!({"ingress": [{"ports": [{"port": 8443}]}]});
        assert!(!lets_in(&spec, Who::Outside, &unknown));
    }

    #[test]
    fn a_template_for_some_pods_isolates_those() {
        let spec = json!({"podSelector": {"matchLabels": {"tier": "web"}}});
        let web: Labels = [("tier".to_owned(), "web".to_owned())].into();
        assert!(isolates(&spec, &web) && !isolates(&spec, &Labels::new()));
        let egress = json!({"podSelector": {}, "policyTypes": ["Egress"]});
        assert!(!isolates(&egress, &web));
    }

    #[test]
    fn named_ports_are_those_of_the_pods() {
        let service = json!({"spec": {"selector": {"app": "hook"}}});
        let pod = |app: &str, number: u16| {
            json!({"metadata": {"labels": {"app": app}}, "spec":
            {"containers": [{"ports": [{"name": "https", "containerPort": number}]}]}})
        };
        let pods = [pod("hook", 9443), pod("hook", 9443), pod("other", 1)];
        let named = json!({"port": 443, "targetPort": "https"});
        let found = targets(&service, &named, &pods);
        assert_eq!(found, [port(9443)]);
        assert_eq!(found[0].flow(), ":9443");
        assert_eq!(targets(&service, &named, &[])[0].number, None);
        let number = json!({"port": 53, "protocol": "UDP"});
        assert_eq!(targets(&service, &number, &[])[0].flow(), ":53/UDP");
    }
}
