//! What the annotation opens: `from=arr-stack:5432, to=10.0.0.0/8`.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::template::{Rule, port};

/// Flows of one annotation.
const MOST: usize = 50;

/// One flow that a namespace opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Whether it comes in.
    pub is_in: bool,
    peer: Peer,
    /// Number and protocol; None for all.
    port: Option<(u16, &'static str)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Peer {
    Namespace(String),
    AnyNamespace,
    Addresses(String),
}

/// A flow that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// As it is written.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// All flows of the annotation, and those that are none. They are separated by
/// commas, spaces or lines.
pub fn parse(text: &str) -> (Vec<Flow>, Vec<Bad>) {
    let (mut flows, mut bad) = (vec![], vec![]);
    let words = text.split([',', ' ', '\t', '\n', '\r']);
    for word in words.filter(|word| !word.is_empty()) {
        let flow = match flows.len() < MOST {
            true => parse_one(word),
            false => Err("is one too many: at most 50 are taken"),
        };
        match flow {
            Ok(flow) => flows.push(flow),
            Err(problem) => bad.push(Bad {
                text: word.chars().take(80).collect(),
                problem,
            }),
        }
    }
    (flows, bad)
}

fn parse_one(word: &str) -> Result<Flow, &'static str> {
    let (direction, rest) = word.split_once('=').ok_or("has no `from=` or `to=`")?;
    let is_in = match direction {
        "from" => true,
        "to" => false,
        _ => return Err("has no `from=` or `to=`"),
    };
    let (peer, port) = match rest.split_once(':') {
        Some((peer, port)) => (peer, Some(parse_port(port)?)),
        None => (rest, None),
    };
    let peer = parse_peer(peer)?;
    Ok(Flow { is_in, peer, port })
}

fn parse_peer(text: &str) -> Result<Peer, &'static str> {
    if text == "*" {
        return Ok(Peer::AnyNamespace);
    }
    if text.contains(['/', '.']) {
        return match is_cidr(text) {
            true => Ok(Peer::Addresses(text.to_owned())),
            false => Err("has no addresses as in `10.0.0.0/8`"),
        };
    }
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = (1..=63).contains(&text.len())
        && text.chars().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    match is_name {
        true => Ok(Peer::Namespace(text.to_owned())),
        false => Err("names no namespace"),
    }
}

/// An IPv4 network without bits after its prefix, as the API server wants it.
pub fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else {
        return false;
    };
    let (Ok(address), Ok(bits)) = (address.parse::<Ipv4Addr>(), bits.parse::<u32>()) else {
        return false;
    };
    bits <= 32 && u64::from(u32::from(address)) & ((1u64 << (32 - bits)) - 1) == 0
}

fn parse_port(text: &str) -> Result<(u16, &'static str), &'static str> {
    let (number, protocol) = match text.split_once('/') {
        None => (text, "TCP"),
        Some((number, "TCP" | "tcp")) => (number, "TCP"),
        Some((number, "UDP" | "udp")) => (number, "UDP"),
        Some((number, "SCTP" | "sctp")) => (number, "SCTP"),
        Some(_) => return Err("has a protocol that is none of `TCP`, `UDP`, `SCTP`"),
    };
    match number.parse() {
        Ok(0) | Err(_) => Err("has no port of 1 to 65535"),
        Ok(number) => Ok((number, protocol)),
    }
}

impl Flow {
    /// As a rule of a NetworkPolicy.
    pub fn rule(&self) -> Rule {
        Rule {
            peers: vec![self.peer.json()],
            ports: self
                .port
                .map(|(number, protocol)| port(protocol, number))
                .into_iter()
                .collect(),
        }
    }
}

impl Peer {
    fn json(&self) -> Value {
        match self {
            Peer::Namespace(name) => json!({"namespaceSelector":
                {"matchLabels": {"kubernetes.io/metadata.name": name}}}),
            Peer::AnyNamespace => json!({"namespaceSelector": {}}),
            Peer::Addresses(cidr) => json!({"ipBlock": {"cidr": cidr}}),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_read_in_any_spacing() {
        let (flows, bad) = parse("from=arr-stack:5432, to=10.0.0.0/8\nfrom=*:53/UDP");
        assert_eq!(bad, []);
        let rules: Vec<Value> = flows.iter().map(|flow| flow.rule().json("from")).collect();
        assert_eq!(
            rules,
            [
                json!({"from": [{"namespaceSelector":
                    {"matchLabels": {"kubernetes.io/metadata.name": "arr-stack"}}}],
                    "ports": [{"protocol": "TCP", "port": 5432}]}),
                json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}),
                json!({"from": [{"namespaceSelector": {}}],
                    "ports": [{"protocol": "UDP", "port": 53}]}),
            ]
        );
        assert_eq!(flows.iter().filter(|flow| flow.is_in).count(), 2);
    }

    #[test]
    fn what_is_no_flow_is_told_with_its_problem() {
        for (text, problem) in [
            ("arr-stack:5432", "`from=`"),
            ("for=a", "`from=`"),
            ("from=", "no namespace"),
            ("from=A", "no namespace"),
            ("from=-a", "no namespace"),
            ("from=a:0", "port"),
            ("from=a:http", "port"),
            ("from=a:70000", "port"),
            ("from=a:80/QUIC", "protocol"),
            ("to=10.0.0.1/8", "addresses"),
            ("to=10.0.0.0/33", "addresses"),
            ("to=10.0.0.0", "addresses"),
        ] {
            let (flows, bad) = parse(text);
            assert!(flows.is_empty(), "{text}");
            assert!(bad[0].problem.contains(problem), "{text}: {bad:?}");
        }
        assert_eq!(parse(&"from=a ".repeat(51)).1.len(), 1);
    }

    #[test]
    fn a_network_has_no_bits_after_its_prefix() {
        for (cidr, expected) in [
            ("0.0.0.0/0", true),
            ("1.2.3.4/32", true),
            ("1.2.3.4/31", true),
            ("1.2.3.5/31", false),
            ("::/0", false),
        ] {
            assert_eq!(is_cidr(cidr), expected, "{cidr}");
        }
    }
}
