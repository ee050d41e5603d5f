//! Ingresses: their controller has to reach the pods behind them.

use serde_json::Value;

use super::{Seen, State, Way};
use crate::network::callers::selects_behind;
use crate::network::reach::Port;

pub(super) fn ways(seen: &Seen) -> Vec<Way> {
    let all = seen.ingresses.iter();
    all.map(|ingress| way(seen, ingress)).collect()
}

fn way(seen: &Seen, ingress: &Value) -> Way {
    let name = ingress["metadata"]["name"].as_str().unwrap_or_default();
    let ports = ports(seen, ingress);
    if ports.is_empty() {
        return Way {
            state: State::Open,
            text: format!("Ingress `{name}`: nothing behind it would be closed"),
            flows: vec![],
        };
    }
    let controllers = controllers(seen, ingress);
    let title = format!("Ingress `{name}`, {}", super::words(&ports));
    seen.of_others(&title, "ingress controller", &controllers, &ports)
}

/// The ports of isolated pods behind it.
fn ports(seen: &Seen, ingress: &Value) -> Vec<Port> {
    let rules = ingress["spec"]["rules"].as_array().into_iter().flatten();
    let paths = rules.flat_map(|rule| rule["http"]["paths"].as_array().into_iter().flatten());
    let backends = paths.map(|path| &path["backend"]["service"]);
    let backends = backends.chain([&ingress["spec"]["defaultBackend"]["service"]]);
    let mut all: Vec<Port> = backends.flat_map(|backend| behind(seen, backend)).collect();
    all.sort();
    all.dedup();
    all
}

fn behind(seen: &Seen, backend: &Value) -> Vec<Port> {
    let mut own = seen.own_services();
    let service = own.find(|one| one["metadata"]["name"] == backend["name"]);
    let Some(service) = service else {
        return vec![];
    };
    if !selects_behind(&seen.spec, service, &seen.pods) {
        return vec![];
    }
    let meant = &backend["port"];
    seen.ports_behind(service, |port| match &meant["name"] {
        Value::Null => port["port"] == meant["number"],
        name => port["name"] == *name,
    })
}

/// The namespaces of the Services whose address the Ingress has: a controller
/// publishes the one that it is reached by.
fn controllers<'s>(seen: &'s Seen, ingress: &Value) -> Vec<&'s str> {
    let addresses = addresses(ingress);
    let has_one = |service: &&Value| {
        addresses_of(service)
            .iter()
            .any(|one| addresses.contains(one))
    };
    let services = seen.services.iter().filter(has_one);
    let mut all: Vec<&str> = services
        .filter_map(|service| service["metadata"]["namespace"].as_str())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn addresses(object: &Value) -> Vec<&str> {
    let all = object["status"]["loadBalancer"]["ingress"].as_array();
    let all = all.into_iter().flatten();
    all.flat_map(|one| [&one["ip"], &one["hostname"]])
        .filter_map(Value::as_str)
        .collect()
}

fn addresses_of(service: &Value) -> Vec<&str> {
    let external = service["spec"]["externalIPs"]
        .as_array()
        .into_iter()
        .flatten();
    let own = [&service["spec"]["clusterIP"]].into_iter().chain(external);
    let own = own.filter_map(Value::as_str).filter(|ip| *ip != "None");
    addresses(service).into_iter().chain(own).collect()
}
