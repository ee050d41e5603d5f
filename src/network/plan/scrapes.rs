//! Scrape paths: Prometheus has to reach what it is told to scrape.

use std::collections::BTreeMap;

use portcullis_contract::LabelSelector;
use serde_json::Value;

use super::{Seen, Way};
use crate::network::callers::selects_behind;
use crate::network::reach::{Port, isolates, labels};

/// Labels of the Services of what scrapes, as the operator of Prometheus and
/// the usual charts give them.
const SCRAPERS: [(&str, &str); 5] = [
    ("operated-prometheus", "true"),
    ("app.kubernetes.io/name", "prometheus"),
    ("app.kubernetes.io/name", "vmagent"),
    ("app.kubernetes.io/name", "alloy"),
    ("app", "prometheus"),
];

/// The annotations that scrape configurations of Prometheus' chart follow.
const SCRAPE: &str = "prometheus.io/scrape";
const PORT: &str = "prometheus.io/port";

pub(super) fn ways(seen: &Seen) -> Vec<Way> {
    let mut paths: BTreeMap<String, Vec<Port>> = BTreeMap::new();
    for pod in seen.pods.iter().filter(|pod| is_scraped(pod)) {
        if isolates(&seen.spec, &labels(pod)) {
            let title = format!("scrape of {} ({SCRAPE})", owner(pod));
            paths.entry(title).or_default().extend(annotated(pod));
        }
    }
    for service in seen.own_services().filter(|service| is_scraped(service)) {
        if selects_behind(&seen.spec, service, &seen.pods) {
            let ports = match annotated_port(service) {
                Some(port) => vec![port],
                None => seen.ports_behind(service, |_| true),
            };
            paths.insert(format!("scrape of the Service `{}`", name(service)), ports);
        }
    }
    for monitor in seen
        .monitors
        .iter()
        .filter(|one| is_about(one, &seen.namespace))
    {
        let ports = match monitor["kind"] == "PodMonitor" {
            true => of_pods(seen, monitor),
            false => of_services(seen, monitor),
        };
        if !ports.is_empty() {
            let kind = monitor["kind"].as_str().unwrap_or_default();
            paths.insert(format!("{kind} `{}`", name(monitor)), ports);
        }
    }
    let scrapers = scrapers(seen);
    let ways = paths.into_iter().map(|(title, mut ports)| {
        ports.sort();
        ports.dedup();
        let title = format!("{title}, {}", super::words(&ports));
        seen.of_others(&title, "Prometheus", &scrapers, &ports)
    });
    ways.collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn is_scraped(object: &Value) -> bool {
    object["metadata"]["annotations"][SCRAPE] == "true"
}

/// What made a pod: pods of one template are one line.
fn owner(pod: &Value) -> String {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let owner = owners
        .into_iter()
        .flatten()
        .find(|one| one["controller"] == true);
    let Some(owner) = owner else {
        return format!("Pod `{}`", name(pod));
    };
    let (kind, name) = (owner["kind"].as_str(), owner["name"].as_str());
    let hash = pod["metadata"]["labels"]["pod-template-hash"].as_str();
    let name = name.unwrap_or_default();
    let template = hash.and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
    match template {
        Some(name) => format!("Deployment `{name}`"),
        None => format!("{} `{name}`", kind.unwrap_or_default()),
    }
}

fn annotated_port(object: &Value) -> Option<Port> {
    let port = object["metadata"]["annotations"][PORT].as_str()?;
    Some(tcp(port.parse().ok()))
}

fn tcp(number: Option<u16>) -> Port {
    Port {
        protocol: "TCP".to_owned(),
        number,
        name: None,
    }
}

/// The port that the annotation names, else all of the containers'.
fn annotated(pod: &Value) -> Vec<Port> {
    match annotated_port(pod) {
        Some(port) => vec![port],
        None => container_ports(pod, |_| true),
    }
}

fn container_ports(pod: &Value, is_meant: impl Fn(&Value) -> bool) -> Vec<Port> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let ports = containers.flat_map(|one| one["ports"].as_array().into_iter().flatten());
    let numbers = ports
        .filter(|port| is_meant(port))
        .map(|port| port["containerPort"].as_u64());
    let numbers = numbers.map(|number| number.and_then(|number| number.try_into().ok()));
    numbers.map(tcp).collect()
}

/// Whether a monitor looks into the namespace.
fn is_about(monitor: &Value, namespace: &str) -> bool {
    let selector = &monitor["spec"]["namespaceSelector"];
    let names = selector["matchNames"].as_array();
    match names {
        _ if selector["any"] == true => true,
        Some(names) if !names.is_empty() => names.iter().any(|name| name == namespace),
        _ => monitor["metadata"]["namespace"] == namespace,
    }
}

fn selects(monitor: &Value, object: &Value) -> bool {
    let selector = monitor["spec"]["selector"].clone();
    let selector = serde_json::from_value::<LabelSelector>(selector);
    selector.is_ok_and(|selector| selector.selects(&labels(object)))
}

fn of_services(seen: &Seen, monitor: &Value) -> Vec<Port> {
    let endpoints = monitor["spec"]["endpoints"].as_array();
    let endpoints: Vec<&Value> = endpoints.into_iter().flatten().collect();
    let is_meant = |port: &Value| {
        let mut all = endpoints.iter();
        all.any(|one| match (&one["port"], &one["targetPort"]) {
            (Value::Null, target) => port["targetPort"] == *target,
            (name, _) => port["name"] == *name,
        })
    };
    let services = seen
        .own_services()
        .filter(|service| selects(monitor, service));
    let isolated = services.filter(|service| selects_behind(&seen.spec, service, &seen.pods));
    isolated
        .flat_map(|service| seen.ports_behind(service, is_meant))
        .collect()
}

fn of_pods(seen: &Seen, monitor: &Value) -> Vec<Port> {
    let endpoints = monitor["spec"]["podMetricsEndpoints"].as_array();
    let endpoints: Vec<&Value> = endpoints.into_iter().flatten().collect();
    let is_meant = |port: &Value| {
        let mut all = endpoints.iter();
        all.any(|one| match &one["port"] {
            Value::Null => port["containerPort"] == one["portNumber"],
            name => port["name"] == *name,
        })
    };
    let pods = seen.pods.iter().filter(|pod| selects(monitor, pod));
    let isolated = pods.filter(|pod| isolates(&seen.spec, &labels(pod)));
    isolated
        .flat_map(|pod| container_ports(pod, is_meant))
        .collect()
}

/// The namespaces that have what scrapes.
fn scrapers(seen: &Seen) -> Vec<&str> {
    let is_one = |service: &&Value| {
        let labels = &service["metadata"]["labels"];
        SCRAPERS.iter().any(|(key, value)| labels[*key] == **value)
    };
    let services = seen.services.iter().filter(is_one);
    let mut all: Vec<&str> = services
        .filter_map(|service| service["metadata"]["namespace"].as_str())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}
