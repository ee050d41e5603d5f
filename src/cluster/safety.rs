//! Whether Portcullis may fail closed: not while it would judge a namespace
//! that holds what its own pods need to start. Else a cluster that comes up
//! cold waits for Portcullis, and Portcullis for the cluster.
//!
//! What it needs, and how that is told:
//!
//! | what | a namespace holds it if |
//! |---|---|
//! | pod network (CNI) | a DaemonSet there mounts a host path below `/etc/cni`, `/opt/cni` or `/var/lib/cni`, in which each network plugin installs itself |
//! | service network | a DaemonSet there on the host network has a container `kube-proxy` |
//! | volumes (CSI) | a DaemonSet there mounts the kubelet's `plugins_registry`, where node plugins announce themselves |
//! | DNS | a Service there is labelled `k8s-app: kube-dns`, as every distribution's is |
//! | its image | a Service there is the registry of an image of its own pod: by name, cluster IP or node port; or a DaemonSet there has the registry's port as host port |
//! | its certificate | with `--ca-from`: a Service there is labelled `app.kubernetes.io/name: cert-manager` |
//!
//! It errs on the side of failing open. An agent on the host network alone (a
//! node exporter) is not needed by anyone and does not count.
//!
//! Only rules that pods and what pods hang on pass through count: to fail
//! closed on Ingresses keeps no pod from starting.

pub mod api;
mod registry;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Namespace, PodSpec, Service};
use portcullis_contract::{LabelSelector, SelectorRequirement};
use serde_json::Value;

use super::registrations::entries;
use crate::policy::action::NamespaceLabels;
use crate::policy::matching::selects_namespace;
use registry::{Registry, registry};

/// Where network plugins install themselves.
const CNI_PATHS: [&str; 3] = ["/etc/cni", "/opt/cni", "/var/lib/cni"];
/// Where CSI node plugins announce themselves, below the kubelet's folder.
const CSI_FOLDER: &str = "plugins_registry";
/// Resources that a pod's way to a node passes through: without its
/// subresources, which count as it does.
const POD_PATH: [&str; 9] = [
    "configmaps",
    "controllerrevisions",
    "endpoints",
    "endpointslices",
    "persistentvolumeclaims",
    "pods",
    "replicasets",
    "secrets",
    "serviceaccounts",
];

/// What was found in the cluster.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// All of them.
    pub daemon_sets: Vec<DaemonSet>,
    /// All of them.
    pub services: Vec<Service>,
    /// All of them.
    pub namespaces: Vec<Namespace>,
    /// The images of our own pod.
    pub images: Vec<String>,
    /// Whether cert-manager makes our certificate.
    pub uses_cert_manager: bool,
}

/// Something that our pods need to start.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Where it is.
    pub namespace: String,
    /// What it is: `the pod network (DaemonSet flannel)`.
    pub what: String,
}

/// Everything that our pods need to start, as far as it can be told.
pub fn needs(world: &World) -> BTreeSet<Need> {
    let registries: Vec<Registry> = world.images.iter().map(|image| registry(image)).collect();
    let mut needs = BTreeSet::new();
    for set in &world.daemon_sets {
        let whats = of_daemon_set(set, &registries);
        let (namespace, name) = place(&set.metadata);
        needs.extend(whats.into_iter().map(|what| Need {
            namespace: namespace.clone(),
            what: format!("{what} (DaemonSet {name})"),
        }));
    }
    for service in &world.services {
        let whats = of_service(service, &registries, world.uses_cert_manager);
        let (namespace, name) = place(&service.metadata);
        needs.extend(whats.into_iter().map(|what| Need {
            namespace: namespace.clone(),
            what: format!("{what} (Service {name})"),
        }));
    }
    needs
}

fn place(metadata: &kube::api::ObjectMeta) -> (String, String) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (text(&metadata.namespace), text(&metadata.name))
}

fn of_daemon_set(set: &DaemonSet, registries: &[Registry]) -> Vec<&'static str> {
    let Some(spec) = set
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref())
    else {
        return vec![];
    };
    let mounts = |is_it: &dyn Fn(&str) -> bool| {
        let volumes = spec.volumes.iter().flatten();
        let mut paths = volumes.filter_map(|volume| Some(&volume.host_path.as_ref()?.path));
        paths.any(|path| is_it(path))
    };
    let is_below = |path: &str, folder: &str| {
        let rest = path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_proxy = spec.host_network == Some(true)
        && spec
            .containers
            .iter()
            .any(|container| container.name == "kube-proxy");
    let found = [
        (
            "the pod network",
            mounts(&|path| CNI_PATHS.iter().any(|cni| is_below(path, cni))),
        ),
        ("the service network", is_proxy),
        (
            "volumes",
            mounts(&|path| path.split('/').any(|part| part == CSI_FOLDER)),
        ),
        ("the registry of our image", has_host_port(spec, registries)),
    ];
    found
        .into_iter()
        .filter(|(_, is_it)| *is_it)
        .map(|(what, _)| what)
        .collect()
}

fn has_host_port(spec: &PodSpec, registries: &[Registry]) -> bool {
    let ports = spec
        .containers
        .iter()
        .flat_map(|one| one.ports.iter().flatten());
    let mut ports = ports.filter_map(|port| port.host_port);
    ports.any(|port| registries.iter().any(|registry| registry.is_on_nodes(port)))
}

fn of_service(
    service: &Service,
    registries: &[Registry],
    uses_cert_manager: bool,
) -> Vec<&'static str> {
    let label = |key: &str| {
        service
            .metadata
            .labels
            .as_ref()?
            .get(key)
            .map(String::as_str)
    };
    let is_cert_manager = label("app.kubernetes.io/name") == Some("cert-manager");
    let found = [
        ("DNS", label("k8s-app") == Some("kube-dns")),
        (
            "the registry of our image",
            registries.iter().any(|registry| registry.is(service)),
        ),
        ("our certificate", uses_cert_manager && is_cert_manager),
    ];
    found
        .into_iter()
        .filter(|(_, is_it)| *is_it)
        .map(|(what, _)| what)
        .collect()
}

/// Of what is needed, what a configuration would judge with Fail: then it must
/// not.
pub fn judged(configuration: &Value, needs: &BTreeSet<Need>, world: &World) -> BTreeSet<Need> {
    let closed = entries(configuration)
        .iter()
        .filter(|entry| entry["failurePolicy"] == "Fail");
    let selectors: Vec<LabelSelector> = closed.filter(|e| is_on_path(e)).map(selector).collect();
    let labels: BTreeMap<&str, BTreeMap<String, String>> = world
        .namespaces
        .iter()
        .filter_map(|namespace| {
            let metadata = &namespace.metadata;
            Some((
                metadata.name.as_deref()?,
                metadata.labels.clone().unwrap_or_default(),
            ))
        })
        .collect();
    let is_judged = |need: &&Need| {
        let labels = labels.get(need.namespace.as_str());
        labels.is_some_and(|labels| {
            let known = NamespaceLabels::Known(labels);
            selectors
                .iter()
                .any(|selector| selects_namespace(selector, known).matches)
        })
    };
    needs.iter().filter(is_judged).cloned().collect()
}

/// Whether a pod's way to a node passes through the entry.
fn is_on_path(entry: &Value) -> bool {
    let rules = entry["rules"].as_array().into_iter().flatten();
    let mut resources = rules.flat_map(|rule| rule["resources"].as_array().into_iter().flatten());
    resources.any(|resource| {
        let resource = resource.as_str().unwrap_or_default();
        let base = resource.split('/').next().unwrap_or_default();
        base == "*" || POD_PATH.contains(&base)
    })
}

/// A selector that nobody can read selects everything.
fn selector(entry: &Value) -> LabelSelector {
    let requirements = entry["namespaceSelector"]["matchExpressions"].clone();
    let requirements = serde_json::from_value::<Vec<SelectorRequirement>>(requirements);
    LabelSelector {
        match_expressions: requirements.unwrap_or_default(),
        ..LabelSelector::default()
    }
}

/// One line: which namespaces, why, and the setting.
pub fn line(judged: &BTreeSet<Need>) -> String {
    let places = judged
        .iter()
        .map(|need| format!("{} holds {}", need.namespace, need.what));
    let names: BTreeSet<&str> = judged.iter().map(|need| need.namespace.as_str()).collect();
    let flags = names
        .iter()
        .map(|name| format!("--exclude-namespace={name}"));
    format!(
        "failurePolicy stays Ignore, since pods of Portcullis could not start without what would \
         wait for it: {}: give {}",
        places.collect::<Vec<_>>().join(", "),
        flags.collect::<Vec<_>>().join(" ")
    )
}

#[cfg(test)]
mod tests;
