//! Which Service an image comes from.

use k8s_openapi::api::core::v1::Service;

use super::place;

/// Where an image comes from.
pub(super) struct Registry {
    host: String,
    port: Option<i32>,
}

/// `HOST[:PORT]/PATH`; without a dot, a colon or `localhost` before the first
/// slash, it comes from the registry that a node is set up with.
pub(super) fn registry(image: &str) -> Registry {
    let first = image.split_once('/').map_or("", |(first, _)| first);
    let is_host = first.contains(['.', ':']) || first == "localhost";
    let authority = if is_host { first } else { "" };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() => (host, port.parse().ok()),
        _ => (authority, None),
    };
    Registry {
        host: host.to_owned(),
        port,
    }
}

impl Registry {
    /// Whether it may be on a port of nodes: an address that no Service has.
    pub(super) fn is_on_nodes(&self, port: i32) -> bool {
        let is_node = self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok();
        is_node && self.port == Some(port)
    }

    pub(super) fn is(&self, service: &Service) -> bool {
        let (namespace, name) = place(&service.metadata);
        let Some(spec) = &service.spec else {
            return false;
        };
        let by_name = format!("{name}.{namespace}");
        let rest = self.host.strip_prefix(&by_name);
        let is_named = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(".svc"));
        let mut addresses = spec.cluster_ips.iter().flatten().chain(&spec.cluster_ip);
        let mut ports = spec
            .ports
            .iter()
            .flatten()
            .filter_map(|port| port.node_port);
        !self.host.is_empty()
            && (is_named
                || addresses.any(|address| *address == self.host)
                || ports.any(|port| self.is_on_nodes(port)))
    }
}
