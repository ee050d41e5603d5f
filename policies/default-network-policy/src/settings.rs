//! The settings of the policy.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use portcullis_sdk::{Fault, Settings as Validate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::flows::is_cidr;

/// Labels, all of which have to be there.
pub type Labels = BTreeMap<String, String>;

/// The settings of `default-network-policy`; all of them may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// The profile that every namespace gets which is created without one.
    /// Namespaces that are there already are never enrolled by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrol_new: Option<Profile>,
    /// Namespaces of ingress controllers, by their labels: their pods may
    /// reach all pods. Each entry is one set of labels.
    pub ingress_controllers: Vec<Labels>,
    /// Namespaces of the monitoring, in the same way.
    pub monitoring: Vec<Labels>,
    /// Where names are resolved, for `isolate-full`.
    pub dns: Dns,
    /// Where the API server is, for `isolate-full`.
    pub api_server: ApiServer,
    /// The profile `custom`: `spec` of a NetworkPolicy, with `podSelector`,
    /// `policyTypes` and the protocol of each port written out. Extra flows of
    /// namespaces are added to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<Map<String, Value>>,
}

/// Who may talk to the pods of a namespace, and to whom they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// In: the same namespace, ingress controllers and monitoring. Out:
    /// everything.
    IsolateIngress,
    /// In: the same. Out: the same namespace, DNS and the API server.
    IsolateFull,
    /// What the setting `custom` says.
    Custom,
}

/// Where names are resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Dns {
    /// The labels of the namespace of the cluster's DNS.
    pub namespace: Labels,
    /// The labels of its pods.
    pub pods: Labels,
    /// The address of NodeLocal DNSCache; `null` where there is none.
    pub node_local: Option<String>,
}

/// Where the API server is. A NetworkPolicy sees its real addresses and port,
/// not those of the Service `kubernetes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ApiServer {
    /// Its networks. Empty: pods do not reach it.
    pub cidrs: Vec<String>,
    /// Its ports.
    pub ports: Vec<u16>,
}

fn named(name: &str) -> Labels {
    [("kubernetes.io/metadata.name".to_owned(), name.to_owned())].into()
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            enrol_new: None,
            ingress_controllers: ["ingress-nginx", "traefik"].map(named).into(),
            monitoring: vec![named("monitoring")],
            dns: Dns::default(),
            api_server: ApiServer::default(),
            custom: None,
        }
    }
}

impl Default for Dns {
    /// The labels that kubeadm, k3s and kind give CoreDNS, and the address
    /// that Kubernetes' manifest of NodeLocal DNSCache proposes.
    fn default() -> Self {
        Dns {
            namespace: named("kube-system"),
            pods: [("k8s-app".to_owned(), "kube-dns".to_owned())].into(),
            node_local: Some("169.254.20.10".to_owned()),
        }
    }
}

impl Default for ApiServer {
    /// The usual port, wherever it is.
    fn default() -> Self {
        ApiServer {
            cidrs: vec!["0.0.0.0/0".to_owned()],
            ports: vec![6443],
        }
    }
}

impl Profile {
    /// The names, as labels have them.
    pub const NAMES: &str = "`isolate-ingress`, `isolate-full` or `custom`";

    /// As labels have it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::IsolateIngress => "isolate-ingress",
            Profile::IsolateFull => "isolate-full",
            Profile::Custom => "custom",
        }
    }

    /// The profile of this name.
    pub fn named(name: &str) -> Option<Profile> {
        let all = [
            Profile::IsolateIngress,
            Profile::IsolateFull,
            Profile::Custom,
        ];
        all.into_iter().find(|profile| profile.name() == name)
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (member, namespaces) in [
            ("ingressControllers", &self.ingress_controllers),
            ("monitoring", &self.monitoring),
        ] {
            let empty = namespaces.iter().position(Labels::is_empty);
            faults.extend(empty.map(|index| {
                let problem = "has no label and would stand for every namespace: name one";
                Fault::new(format!("/{member}/{index}"), problem)
            }));
        }
        faults.extend(self.dns.faults());
        faults.extend(self.api_server.faults());
        match (&self.custom, self.enrol_new) {
            (Some(custom), _) => faults.extend(custom_faults(custom)),
            (None, Some(Profile::Custom)) => {
                let problem = "is `custom`, and there is no `custom`: add it";
                faults.push(Fault::new("/enrolNew", problem));
            }
            (None, _) => {}
        }
        faults
    }
}

impl Dns {
    fn faults(&self) -> Option<Fault> {
        if self.namespace.is_empty() {
            let problem = "has no label and would stand for every namespace: name one";
            return Some(Fault::new("/dns/namespace", problem));
        }
        let address = self.node_local.as_ref()?;
        let problem = "is no IPv4 address: write one, as in `169.254.20.10`, or null";
        (address.parse::<Ipv4Addr>().is_err()).then(|| Fault::new("/dns/nodeLocal", problem))
    }
}

impl ApiServer {
    fn faults(&self) -> Vec<Fault> {
        let bad = self.cidrs.iter().position(|cidr| !is_cidr(cidr));
        let bad = bad.map(|index| {
            let problem = "is no IPv4 network: write one, as in `10.0.0.0/24`";
            Fault::new(format!("/apiServer/cidrs/{index}"), problem)
        });
        let none = self.ports.is_empty() || self.ports.contains(&0);
        let none = none.then(|| {
            let problem = "has no port, or port 0: write those of the API server, as in `[6443]`";
            Fault::new("/apiServer/ports", problem)
        });
        bad.into_iter().chain(none).collect()
    }
}

/// The API server judges the rest (selectors, addresses) when the first policy is
/// made.
fn custom_faults(custom: &Map<String, Value>) -> Option<Fault> {
    let fault = |member: &str, problem: &str| Some(Fault::new(format!("/custom{member}"), problem));
    let known = ["podSelector", "policyTypes", "ingress", "egress"];
    if let Some(unknown) = custom.keys().find(|name| !known.contains(&name.as_str())) {
        let problem = "is no member of a NetworkPolicy's spec: remove it";
        return fault(&format!("/{unknown}"), problem);
    }
    if !custom.get("podSelector").is_some_and(Value::is_object) {
        return fault("/podSelector", "is missing: write `{}` for all pods");
    }
    let types = custom.get("policyTypes").and_then(Value::as_array);
    let is_type = |one: &Value| [json!("Ingress"), json!("Egress")].contains(one);
    if !types.is_some_and(|types| !types.is_empty() && types.iter().all(is_type)) {
        return fault(
            "/policyTypes",
            "is missing: write `[Ingress]`, `[Egress]` or both",
        );
    }
    let is_list = |name: &&str| {
        custom
            .get(*name)
            .is_none_or(|rules| rules.as_array().is_some_and(|r| !r.is_empty()))
    };
    if let Some(other) = ["ingress", "egress"].iter().find(|name| !is_list(name)) {
        let problem = "is an empty list or none: leave it away to allow nothing";
        return fault(&format!("/{other}"), problem);
    }
    rules(custom)
}

/// What the API server would drop of a rule, or refuse with the first Pod: a rule
/// without its peers lets everybody in.
fn rules(custom: &Map<String, Value>) -> Option<Fault> {
    [("ingress", "from"), ("egress", "to")]
        .into_iter()
        .find_map(|(member, peers)| {
            let rules = custom.get(member)?.as_array()?;
            let mut rules = rules.iter().enumerate();
            rules.find_map(|(index, rule)| {
                of_rule(rule, peers, &format!("/custom/{member}/{index}"))
            })
        })
}

fn of_rule(rule: &Value, peers: &str, place: &str) -> Option<Fault> {
    let parts = [
        (peers, &["podSelector", "namespaceSelector", "ipBlock"]),
        ("ports", &["protocol", "port", "endPort"]),
    ];
    only(rule, &[peers, "ports"], place).or_else(|| {
        parts.into_iter().find_map(|(name, members)| {
            let place = format!("{place}/{name}");
            let Some(list) = rule[name].as_array() else {
                let problem = "is no list: write one, or leave it away";
                return (!rule[name].is_null()).then(|| Fault::new(place, problem));
            };
            let mut list = list.iter().enumerate();
            list.find_map(|(index, one)| {
                let place = format!("{place}/{index}");
                only(one, members, &place).or_else(|| of_port(one, &place))
            })
        })
    })
}

/// A member that is none of these, as a slip of the pen makes it.
fn only(value: &Value, members: &[&str], place: &str) -> Option<Fault> {
    let Some(object) = value.as_object() else {
        let problem = "is no object: write one as a NetworkPolicy has it";
        return Some(Fault::new(place, problem));
    };
    let unknown = object
        .keys()
        .find(|name| !members.contains(&name.as_str()))?;
    let problem = format!("is none of {}: mend or remove it", members.join(", "));
    Some(Fault::new(format!("{place}/{unknown}"), problem))
}

fn of_port(port: &Value, place: &str) -> Option<Fault> {
    let is_port = |value: &Value| match value {
        Value::Null | Value::String(_) => true,
        value => value
            .as_u64()
            .is_some_and(|port| (1..=65_535).contains(&port)),
    };
    let bad = ["port", "endPort"]
        .into_iter()
        .find(|name| !is_port(&port[*name]))?;
    let problem = "is no port: write 1 to 65535, or the name of one";
    Some(Fault::new(format!("{place}/{bad}"), problem))
}
