//! The NetworkPolicy of a profile, with all defaults written out, as the API
//! server stores it.

use serde_json::{Map, Value, json};

use crate::flows::Flow;
use crate::settings::{Profile, Settings};

/// The name of the policy in every namespace.
pub const NAME: &str = "portcullis-default";

/// One rule: no peers or no ports stand for all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rule {
    /// Who may be talked to.
    pub peers: Vec<Value>,
    /// On which ports.
    pub ports: Vec<Value>,
}

impl Rule {
    /// As it is written; `side` is `from` or `to`.
    pub fn json(self, side: &str) -> Value {
        let mut rule = Map::new();
        if !self.peers.is_empty() {
            rule.insert(side.to_owned(), self.peers.into());
        }
        if !self.ports.is_empty() {
            rule.insert("ports".to_owned(), self.ports.into());
        }
        rule.into()
    }
}

/// One port of a rule.
pub fn port(protocol: &str, number: u16) -> Value {
    json!({"protocol": protocol, "port": number})
}

/// The NetworkPolicy; None for `custom` where there is no template.
pub fn policy(profile: Profile, settings: &Settings, flows: &[Flow]) -> Option<Value> {
    let spec = match profile {
        Profile::IsolateIngress => isolated(settings, flows, false),
        Profile::IsolateFull => isolated(settings, flows, true),
        Profile::Custom => custom(settings.custom.as_ref()?, flows),
    };
    Some(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": NAME},
        "spec": spec,
    }))
}

fn isolated(settings: &Settings, flows: &[Flow], is_full: bool) -> Value {
    let mut spec = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    spec["ingress"] = ingress(settings, flows).into();
    if is_full {
        spec["policyTypes"] = json!(["Ingress", "Egress"]);
        spec["egress"] = egress(settings, flows).into();
    }
    spec
}

fn same_namespace() -> Rule {
    Rule {
        peers: vec![json!({"podSelector": {}})],
        ports: vec![],
    }
}

fn ingress(settings: &Settings, flows: &[Flow]) -> Vec<Value> {
    let selected = settings
        .ingress_controllers
        .iter()
        .chain(&settings.monitoring);
    let peers: Vec<Value> = selected
        .map(|labels| json!({"namespaceSelector": {"matchLabels": labels}}))
        .collect();
    let others = Rule {
        peers,
        ports: vec![],
    };
    // A rule without peers would let in everybody.
    let others = Some(others).filter(|rule| !rule.peers.is_empty());
    let asked = flows.iter().filter(|flow| flow.is_in).map(Flow::rule);
    let rules = std::iter::once(same_namespace()).chain(others).chain(asked);
    rules.map(|rule| rule.json("from")).collect()
}

fn egress(settings: &Settings, flows: &[Flow]) -> Vec<Value> {
    let dns = &settings.dns;
    let ports = || vec![port("UDP", 53), port("TCP", 53)];
    let cluster_dns = Rule {
        peers: vec![json!({
            "namespaceSelector": {"matchLabels": dns.namespace},
            "podSelector": {"matchLabels": dns.pods},
        })],
        ports: ports(),
    };
    let node_local = dns.node_local.as_ref().map(|address| Rule {
        peers: vec![json!({"ipBlock": {"cidr": format!("{address}/32")}})],
        ports: ports(),
    });
    let api = &settings.api_server;
    let addresses = api.cidrs.iter();
    let api = Rule {
        peers: addresses
            .map(|cidr| json!({"ipBlock": {"cidr": cidr}}))
            .collect(),
        ports: api
            .ports
            .iter()
            .map(|number| port("TCP", *number))
            .collect(),
    };
    let api = Some(api).filter(|rule| !rule.peers.is_empty());
    let asked = flows.iter().filter(|flow| !flow.is_in).map(Flow::rule);
    let rules = [same_namespace(), cluster_dns].into_iter();
    let rules = rules.chain(node_local).chain(api).chain(asked);
    rules.map(|rule| rule.json("to")).collect()
}

/// The template, and the flows that the namespace opens besides.
fn custom(template: &Map<String, Value>, flows: &[Flow]) -> Value {
    let mut spec = template.clone();
    for (member, side, is_in) in [("ingress", "from", true), ("egress", "to", false)] {
        let asked = flows.iter().filter(|flow| flow.is_in == is_in);
        let asked: Vec<Value> = asked.map(|flow| flow.rule().json(side)).collect();
        let is_judged = spec["policyTypes"]
            .as_array()
            .is_some_and(|types| types.contains(&json!(if is_in { "Ingress" } else { "Egress" })));
        if asked.is_empty() || !is_judged {
            continue;
        }
        let rules = spec.entry(member).or_insert_with(|| json!([]));
        if let Some(rules) = rules.as_array_mut() {
            rules.extend(asked);
        }
    }
    spec.into()
}
