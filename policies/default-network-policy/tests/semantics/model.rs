//! What a NetworkPolicy means, written from the API documentation
//! (networking.k8s.io/v1, "NetworkPolicySpec") and from nothing of the policy.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::Value;

/// Labels.
pub(crate) type Labels = BTreeMap<String, String>;

/// One end of a connection.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// A pod: labels of its namespace (its name among them), and its own.
    Pod { namespace: Labels, labels: Labels },
    /// Anything else.
    Address(Ipv4Addr),
}

/// A connection that is tried.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) from: End,
    pub(crate) to: End,
    pub(crate) protocol: &'static str,
    pub(crate) port: u16,
}

/// Labels, as pairs.
pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A pod of a namespace of this name.
pub(crate) fn pod(namespace: &str, own: &[(&str, &str)]) -> End {
    End::Pod {
        namespace: labels(&[("kubernetes.io/metadata.name", namespace)]),
        labels: labels(own),
    }
}

/// Whether all policies of the cluster let this pass: both ends have a say.
pub(crate) fn passes(policies: &[Value], connection: &Try) -> bool {
    let Try { from, to, .. } = connection;
    is_let(policies, "Egress", from, to, connection)
        && is_let(policies, "Ingress", to, from, connection)
}

/// "By default, a pod is non-isolated": one that no policy of this direction
/// selects lets everything pass; else one rule of one of them has to.
fn is_let(policies: &[Value], direction: &str, own: &End, other: &End, connection: &Try) -> bool {
    let End::Pod { namespace, labels } = own else {
        return true;
    };
    let name = &namespace["kubernetes.io/metadata.name"];
    let selecting: Vec<&Value> = policies
        .iter()
        .filter(|policy| policy["metadata"]["namespace"] == name.as_str())
        .filter(|policy| types(policy).contains(&direction))
        .filter(|policy| selects(&policy["spec"]["podSelector"], labels))
        .collect();
    let (member, side) = match direction {
        "Ingress" => ("ingress", "from"),
        _ => ("egress", "to"),
    };
    let rules = selecting.iter().flat_map(|policy| {
        let rules = policy["spec"][member].as_array();
        rules.into_iter().flatten()
    });
    let mut rules = rules;
    selecting.is_empty()
        || rules
            .any(|rule| is_peer(&rule[side], name, other) && is_port(&rule["ports"], connection))
}

/// "If this field is not specified, it will default based on the existence of
/// ingress or egress rules; policies that contain an egress section are assumed
/// to affect egress, and all policies are assumed to affect ingress."
fn types(policy: &Value) -> Vec<&str> {
    let spec = &policy["spec"];
    match spec["policyTypes"].as_array() {
        Some(types) => types.iter().filter_map(Value::as_str).collect(),
        None if spec["egress"].is_array() => vec!["Ingress", "Egress"],
        None => vec!["Ingress"],
    }
}

/// "If this field is empty or missing, this rule matches all sources."
fn is_peer(peers: &Value, own_namespace: &str, other: &End) -> bool {
    let Some(peers) = peers.as_array().filter(|peers| !peers.is_empty()) else {
        return true;
    };
    peers.iter().any(|peer| match other {
        End::Address(address) => in_block(&peer["ipBlock"], *address),
        End::Pod { namespace, labels } => {
            let (of_namespace, of_pod) = (&peer["namespaceSelector"], &peer["podSelector"]);
            let is_there = match of_namespace {
                Value::Null => namespace["kubernetes.io/metadata.name"] == own_namespace,
                selector => selects(selector, namespace),
            };
            let is_asked = !(of_namespace.is_null() && of_pod.is_null());
            is_asked && is_there && (of_pod.is_null() || selects(of_pod, labels))
        }
    })
}

/// "If this field is empty or missing, this rule matches all ports."
fn is_port(ports: &Value, connection: &Try) -> bool {
    let Some(ports) = ports.as_array().filter(|ports| !ports.is_empty()) else {
        return true;
    };
    ports.iter().any(|port| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        let from = port["port"].as_u64();
        let to = port["endPort"].as_u64().or(from);
        let number = u64::from(connection.port);
        let is_number = from.is_none_or(|from| from <= number) && to.is_none_or(|to| number <= to);
        protocol == connection.protocol && is_number
    })
}

fn in_block(block: &Value, address: Ipv4Addr) -> bool {
    let is_in = |cidr: &Value| {
        let cidr = cidr.as_str().and_then(|cidr| cidr.split_once('/'));
        let Some((network, bits)) = cidr else {
            return false;
        };
        let network: Ipv4Addr = network.parse().expect("an address");
        let bits: u32 = bits.parse().expect("a prefix");
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        u32::from(network) & mask == u32::from(address) & mask
    };
    let mut excepted = block["except"].as_array().into_iter().flatten();
    is_in(&block["cidr"]) && !excepted.any(is_in)
}

fn selects(selector: &Value, labels: &Labels) -> bool {
    let pairs = selector["matchLabels"].as_object().into_iter().flatten();
    let mut pairs = pairs;
    let expressions = selector["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten();
    let mut expressions = expressions;
    pairs.all(|(key, value)| labels.get(key).map(String::as_str) == value.as_str())
        && expressions.all(|one| {
            let label = one["key"].as_str().and_then(|key| labels.get(key));
            let values = one["values"].as_array().into_iter().flatten();
            let mut values = values.filter_map(Value::as_str);
            let is_listed = label.is_some_and(|label| values.any(|value| value == label));
            match one["operator"].as_str() {
                Some("In") => is_listed,
                Some("NotIn") => !is_listed,
                Some("Exists") => label.is_some(),
                Some("DoesNotExist") => label.is_none(),
                other => panic!("no operator: {other:?}"),
            }
        })
}
