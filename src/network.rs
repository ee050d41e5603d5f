//! What the NetworkPolicies of a namespace say, in words.
//!
//! Knows: NetworkPolicies of `networking.k8s.io/v1`. Must not know: a cluster,
//! or which policies made them.
#![deny(clippy::disallowed_types)]

pub mod callers;
pub mod enforcing;
pub mod plan;
pub mod reach;
mod words;

use std::fmt::Write;

use serde_json::Value;

use crate::policy::effect::object::policy_of;
use words::{peers, ports, selector};

/// The label that enrols a namespace (docs/networks.md).
pub const LABEL: &str = "portcullis.dev/network";
/// The annotation that opens flows.
pub const ALLOW: &str = "portcullis.dev/network-allow";

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row([String; 5]);

const HEADER: [&str; 5] = ["PODS", "", "WITH", "PORTS", "POLICY"];

/// The two ways: type, member, side, word.
const WAYS: [[&str; 4]; 2] = [
    ["Ingress", "ingress", "from", "in"],
    ["Egress", "egress", "to", "out"],
];

/// Who may talk to whom: the Namespace, its NetworkPolicies, and a row a rule.
pub fn render(namespace: &Value, policies: &[Value]) -> String {
    let metadata = &namespace["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let mut out = match metadata["labels"][LABEL].as_str() {
        Some(profile) => format!("{name}: enrolled, profile {profile}\n"),
        None => format!("{name}: not enrolled (no label {LABEL})\n"),
    };
    if let Some(allow) = metadata["annotations"][ALLOW].as_str() {
        let _ = writeln!(out, "opened by annotation: {}", one_line(allow));
    }
    if policies.is_empty() {
        out.push_str(
            "no NetworkPolicy: everybody may talk to all of its pods, and they to everybody\n",
        );
        return out;
    }
    let names: Vec<String> = policies.iter().map(named).collect();
    let _ = writeln!(out, "policies: {}\n", names.join(", "));
    let mut rows = vec![Row(HEADER.map(str::to_owned))];
    for way in WAYS {
        rows.extend(of_way(policies, way));
    }
    table(&mut out, &rows);
    out
}

fn named(policy: &Value) -> String {
    let name = policy["metadata"]["name"].as_str().unwrap_or_default();
    match policy_of(policy) {
        Some(by) => format!("{name} (by Portcullis, for {by})"),
        None => name.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a policy has a say one way. Ingress is every policy's where none is
/// written; egress that of those with rules for it (API: `policyTypes`).
fn has_say(policy: &Value, [kind, member, ..]: [&str; 4]) -> bool {
    match policy["spec"]["policyTypes"].as_array() {
        Some(types) => types.iter().any(|one| one == kind),
        None => kind == "Ingress" || policy["spec"][member].is_array(),
    }
}

fn of_way(policies: &[Value], way: [&str; 4]) -> Vec<Row> {
    let [_, member, side, word] = way;
    let with_say: Vec<&Value> = policies.iter().filter(|one| has_say(one, way)).collect();
    let closes_all = |policy: &&Value| selector(&policy["spec"]["podSelector"]).is_none();
    let row = |pods: &str, with: String, ports: String, policy: &str| {
        Row([pods, word, &with, &ports, policy].map(str::to_owned))
    };
    let mut rows = Vec::new();
    for policy in &with_say {
        let pods = selector(&policy["spec"]["podSelector"]).unwrap_or_else(|| "all".to_owned());
        let name = policy["metadata"]["name"].as_str().unwrap_or_default();
        let rules = policy["spec"][member].as_array().map_or(&[][..], |all| all);
        if rules.is_empty() {
            rows.push(row(&pods, "nobody".to_owned(), String::new(), name));
        }
        for rule in rules {
            rows.push(row(&pods, peers(&rule[side]), ports(&rule["ports"]), name));
        }
    }
    if !with_say.iter().any(closes_all) {
        let pods = if with_say.is_empty() { "all" } else { "others" };
        rows.push(row(pods, "everybody".to_owned(), "all".to_owned(), ""));
    }
    rows
}

/// Columns as wide as what is in them.
fn table(out: &mut String, rows: &[Row]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|Row(cells)| cells[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    for Row(cells) in rows {
        let padded = cells.iter().zip(widths);
        let padded: Vec<String> = padded
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namespace_without_policies_says_so() {
        let text = render(&json!({"metadata": {"name": "shop"}}), &[]);
        assert!(
            text.contains("not enrolled") && text.contains("no NetworkPolicy"),
            "{text}"
        );
    }

    #[test]
    fn rules_are_rows_and_what_nobody_closes_is_open() {
        let namespace = json!({"metadata": {"name": "shop",
            "labels": {LABEL: "isolate-ingress"}, "annotations": {ALLOW: "from=arr:5432"}}});
        let policy = json!({"metadata": {"name": "portcullis-default"}, "spec": {
            "podSelector": {}, "policyTypes": ["Ingress"], "ingress": [
                {"from": [{"podSelector": {}}]},
                {"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}},
                    "podSelector": {"matchLabels": {"app": "b"}}}],
                    "ports": [{"protocol": "TCP", "port": 5432}]}]}});
        let closed = json!({"metadata": {"name": "db"}, "spec": {
            "podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Egress"]}});
        let text = render(&namespace, &[policy, closed]);
        let expected = "\
shop: enrolled, profile isolate-ingress
opened by annotation: from=arr:5432
policies: portcullis-default, db

PODS         WITH                                         PORTS     POLICY
all     in   this namespace                               all       portcullis-default
all     in   pods with app=b, of namespaces with team=a  TCP 5432  portcullis-default
app=db  out  nobody                                                 db
others  out  everybody                                    all
";
        let squeezed = |text: &str| {
            let lines = text
                .lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(squeezed(&text), squeezed(expected));
    }
}
