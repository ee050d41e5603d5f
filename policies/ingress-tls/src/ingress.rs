//! Ingresses.

use std::collections::BTreeMap;

use portcullis_sdk::{List, Place, Reads, Report, Text, shown};
use serde::Deserialize;
use serde_json::Value;

use crate::{Code, Settings};

/// A rule of an Ingress.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
pub(crate) struct Rule<'a> {
    #[serde(borrow)]
    host: Text<'a>,
    http: Option<Http<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Http<'a> {
    #[serde(borrow)]
    paths: List<Path<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Path<'a> {
    #[serde(borrow)]
    path: Text<'a>,
}

/// Annotations that ask cert-manager for a certificate.
const ISSUERS: [&str; 3] = [
    "cert-manager.io/cluster-issuer",
    "cert-manager.io/issuer",
    "kubernetes.io/tls-acme",
];
/// Where an ACME server asks, over plain HTTP (RFC 8555, section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// What `spec.tls` says.
struct Tls<'v> {
    hosts: Vec<&'v str>,
    covers_all: bool,
}

pub(crate) fn judge(
    rules: &[Rule<'_>],
    tls: Option<&Value>,
    annotations: &BTreeMap<String, Value>,
    settings: &Settings,
    report: &mut Report<Code>,
) {
    if solves_challenges(rules) {
        return;
    }
    let entries = tls.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entries.is_empty() {
        if !settings.has_tls_by(annotations) {
            missing(rules, annotations, report);
        }
        return;
    }
    let tls = Tls::read(entries, settings);
    for (index, rule) in rules.iter().enumerate() {
        if rule.host.is_empty() || tls.covers(&rule.host) {
            continue;
        }
        let host = shown(&rule.host);
        report.find(
            Code::IngressHostNotCovered,
            Place::at(format!("/spec/rules/{index}/host")),
            format!("add `{host}` to the `hosts` of an entry of `spec.tls` with a `secretName`"),
            format!("no entry of `spec.tls` has a certificate for `{host}`"),
        );
    }
}

fn missing(rules: &[Rule<'_>], annotations: &BTreeMap<String, Value>, report: &mut Report<Code>) {
    let place = Place::at("/spec/tls");
    let remedy = format!(
        "add `tls: [{{hosts: [{}], secretName: NAME}}]` to `spec`",
        hosts(rules)
    );
    let issuer = ISSUERS.iter().find(|issuer| {
        let value = annotations.get(**issuer).and_then(Value::as_str);
        value.is_some_and(|value| !matches!(value, "" | "false"))
    });
    match issuer {
        Some(issuer) => report.find(
            Code::IngressIssuerNoTls,
            place,
            remedy,
            format!("`{issuer}` asks for a certificate, and without `spec.tls` none is made"),
        ),
        None => report.find(
            Code::IngressNoTls,
            place,
            remedy,
            "without `spec.tls` everything is served in the clear, passwords too",
        ),
    }
}

/// The hosts of the rules as a list may hold them, or a word for them.
fn hosts(rules: &[Rule<'_>]) -> String {
    let hosts = rules.iter().filter(|rule| !rule.host.is_empty());
    let hosts = hosts.map(|rule| match rule.host.starts_with('*') {
        // Without quotes it would be an alias of YAML.
        true => format!("\"{}\"", shown(&rule.host)),
        false => shown(&rule.host),
    });
    let hosts: Vec<String> = hosts.collect();
    match hosts.as_slice() {
        [] => "HOST".into(),
        few if few.len() < 4 => few.join(", "),
        _ => "HOSTS".into(),
    }
}

/// Whether it is there for the time of an ACME challenge: told by its paths,
/// not by its labels, which anybody can write.
fn solves_challenges(rules: &[Rule<'_>]) -> bool {
    let mut paths = rules.iter().map(|rule| match &rule.http {
        Some(http) => !http.paths.is_empty() && http.paths.iter().all(Path::is_challenge),
        None => false,
    });
    !rules.is_empty() && paths.all(|is_challenge| is_challenge)
}

impl Path<'_> {
    fn is_challenge(&self) -> bool {
        self.path.starts_with(CHALLENGES)
    }
}

impl<'v> Tls<'v> {
    fn read(entries: &'v [Value], settings: &Settings) -> Tls<'v> {
        let has_secret = |entry: &&Value| {
            let secret = entry.get("secretName").and_then(Value::as_str);
            settings.default_certificate || secret.is_some_and(|secret| !secret.is_empty())
        };
        let hosts = |entry: &'v Value| {
            let hosts = entry.get("hosts").and_then(Value::as_array);
            hosts.into_iter().flatten().filter_map(Value::as_str)
        };
        let is_open = |entry: &'v Value| hosts(entry).next().is_none();
        Tls {
            hosts: entries.iter().filter(has_secret).flat_map(hosts).collect(),
            covers_all: settings.default_certificate && entries.iter().any(is_open),
        }
    }

    fn covers(&self, host: &str) -> bool {
        let by_wildcard = |known: &&str| {
            let parent = host.split_once('.').map(|(_, parent)| parent);
            known
                .strip_prefix("*.")
                .is_some_and(|rest| parent == Some(rest))
        };
        let covers = |known: &&str| **known == *host || by_wildcard(known);
        self.covers_all || self.hosts.iter().any(covers)
    }
}
