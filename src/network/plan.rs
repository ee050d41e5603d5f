//! What enrolment would close: each way into a namespace that is in use, and
//! whether the NetworkPolicy that would be made leaves it open.
//!
//! Must not know a cluster, nor the names of profiles: see [`reach`].

mod ingresses;
mod render;
mod scrapes;

use std::collections::BTreeMap;

use serde_json::Value;

use super::callers::{Caller, cut_off, selects_behind};
use super::reach::{self, Labels, Port, Who, lets_in};

/// What is there.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The namespace.
    pub namespace: String,
    /// The profile it would be enrolled under.
    pub profile: String,
    /// `spec` of the NetworkPolicy that would be made; null where none would
    /// be, since others cover the namespace.
    pub spec: Value,
    /// The flows that its annotation opens already.
    pub allow: String,
    /// All namespaces.
    pub namespaces: BTreeMap<String, Labels>,
    /// All Services.
    pub services: Vec<Value>,
    /// The pods of the namespace.
    pub pods: Vec<Value>,
    /// Its Ingresses.
    pub ingresses: Vec<Value>,
    /// ServiceMonitors and PodMonitors that may be about it, with their kinds.
    pub monitors: Vec<Value>,
    /// What the API server calls there.
    pub callers: Vec<Caller>,
}

/// What would become of a way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody would come in by it.
    Closed,
    /// It hangs on what cannot be seen.
    Unknown,
    /// It would stay.
    Open,
}

/// A way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// What would become of it.
    pub state: State,
    /// What it is, and why.
    pub text: String,
    /// The flows of the annotation that keep it open; what is in capitals is
    /// left to fill in.
    pub flows: Vec<String>,
}

/// What would become of every way in that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    namespace: String,
    profile: String,
    allow: String,
    is_covered: bool,
    /// Closed ones first.
    pub ways: Vec<Way>,
}

impl Seen {
    /// What enrolment would mean.
    pub fn plan(&self) -> Plan {
        let is_covered = self.spec.is_null();
        let mut ways = Vec::new();
        if !is_covered {
            ways.extend(self.callers());
            ways.extend(self.outside());
            ways.extend(ingresses::ways(self));
            ways.extend(scrapes::ways(self));
        }
        ways.sort_by_key(|way| way.state);
        Plan {
            namespace: self.namespace.clone(),
            profile: self.profile.clone(),
            allow: self.allow.clone(),
            is_covered,
            ways,
        }
    }

    /// The Services of the namespace.
    fn own_services(&self) -> impl Iterator<Item = &Value> {
        let own = |one: &&Value| one["metadata"]["namespace"] == *self.namespace;
        self.services.iter().filter(own)
    }

    fn callers(&self) -> Vec<Way> {
        let services: Vec<Value> = self.own_services().cloned().collect();
        let closed = cut_off(&self.spec, self.callers.clone(), &services, &self.pods);
        let is_closed = |caller: &Caller| closed.iter().any(|one| one.caller == *caller);
        let open = self.callers.iter().filter(|one| !is_closed(one));
        let open = open.map(|one| Way {
            state: State::Open,
            text: format!("{} calls the Service `{}`", one.title, one.service),
            flows: vec![],
        });
        let closed = closed.iter().map(|one| Way {
            state: State::Closed,
            text: format!("{one}; enrolment is refused until the API server is let in"),
            flows: flows("ADDRESSES-OF-THE-API-SERVER", &one.ports),
        });
        closed.chain(open).collect()
    }

    /// Services that clients outside of the cluster use.
    fn outside(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        for service in self.own_services() {
            let kind = match service["spec"]["type"].as_str() {
                Some(kind @ ("LoadBalancer" | "NodePort")) => kind,
                _ if service["spec"]["externalIPs"].is_array() => "external address",
                _ => continue,
            };
            let ports = self.ports_behind(service, |_| true);
            let name = service["metadata"]["name"].as_str().unwrap_or_default();
            let title = format!("{kind} Service `{name}`, {}", words(&ports));
            let closed = match selects_behind(&self.spec, service, &self.pods) {
                true => shut(&self.spec, Who::Outside, ports),
                false => vec![],
            };
            ways.push(match closed.is_empty() {
                true => Way {
                    state: State::Open,
                    text: format!("{title}: open to addresses that are let in"),
                    flows: vec![],
                },
                false => Way {
                    state: State::Closed,
                    text: format!("{title}: clients outside of the cluster"),
                    flows: flows("0.0.0.0/0", &closed),
                },
            });
        }
        ways
    }

    /// The ports of pods behind those ports of a Service.
    fn ports_behind(&self, service: &Value, is_meant: impl Fn(&Value) -> bool) -> Vec<Port> {
        let ports = service["spec"]["ports"].as_array().into_iter().flatten();
        let ports = ports.filter(|port| is_meant(port));
        let mut all: Vec<Port> = ports
            .flat_map(|port| reach::targets(service, port, &self.pods))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// What becomes of a way in from other namespaces: those that are known to
    /// use it, or any that would be let in. `whose` is who they belong to.
    fn of_others(&self, title: &str, whose: &str, known: &[&str], ports: &[Port]) -> Way {
        let is_in = |name: &str, port: &Port| {
            let none = Labels::new();
            let labels = self.namespaces.get(name).unwrap_or(&none);
            name == self.namespace || lets_in(&self.spec, Who::Namespace(labels), port)
        };
        if !known.is_empty() {
            let all = known.iter().flat_map(|name| {
                let shut = ports.iter().filter(|port| !is_in(name, port)).cloned();
                flows(name, &shut.collect::<Vec<_>>())
            });
            let flows: Vec<String> = all.collect();
            let state = match flows.is_empty() {
                true => State::Open,
                false => State::Closed,
            };
            let text = format!("{title}: {whose} in {}", known.join(", "));
            return Way { state, text, flows };
        }
        let others = self
            .namespaces
            .keys()
            .filter(|name| **name != self.namespace);
        let is_in_all = |name: &&String| ports.iter().all(|port| is_in(name, port));
        let open: Vec<&str> = others.filter(is_in_all).map(String::as_str).collect();
        let flows = flows("NAMESPACE", ports);
        match open.is_empty() {
            true => Way {
                state: State::Closed,
                text: format!("{title}: no other namespace that there is would be let in"),
                flows,
            },
            false => Way {
                state: State::Unknown,
                text: format!(
                    "{title}: open to pods of {}; where the {whose} is cannot be seen",
                    open.join(", ")
                ),
                flows,
            },
        }
    }
}

/// The ports that are not open to `who`.
fn shut(spec: &Value, who: Who<'_>, ports: Vec<Port>) -> Vec<Port> {
    let shut = ports.into_iter().filter(|port| !lets_in(spec, who, port));
    shut.collect()
}

fn flows(peer: &str, ports: &[Port]) -> Vec<String> {
    let all = ports
        .iter()
        .map(|port| format!("from={peer}{}", port.flow()));
    all.collect()
}

/// `TCP 80, UDP 53`
fn words(ports: &[Port]) -> String {
    let all: Vec<String> = ports.iter().map(Port::to_string).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests;
