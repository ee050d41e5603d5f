//! The objects that would mend what was found, as YAML to copy: most differ in
//! their namespaces alone, and are shown once.

use std::fmt::Write;

use serde_json::Value;

use super::{BOLD, fix};
use crate::finding::Finding;
use crate::policy::decision::plain;

/// The same object of the same policy, and its namespaces.
struct Group<'r> {
    policy: &'r str,
    object: Value,
    namespaces: Vec<String>,
}

/// What would be created for these findings.
pub(super) fn render(out: &mut String, findings: &[&Finding]) {
    for group in groups(findings) {
        let Group {
            policy,
            object,
            namespaces,
        } = group;
        let names = plain(&namespaces.join(", "));
        let where_to = match namespaces.len() {
            1 => format!("in the namespace {names}"),
            many => format!("in each of {many} namespaces ({names})"),
        };
        let text = format!("{policy} would have this {where_to}:");
        let _ = writeln!(out, "{BOLD}{text}{BOLD:#}");
        fix::indented(out, &object);
        out.push('\n');
    }
}

fn groups<'r>(findings: &[&'r Finding]) -> Vec<Group<'r>> {
    let mut groups: Vec<Group<'r>> = Vec::new();
    for finding in findings {
        let Some(creates) = &finding.creates else {
            continue;
        };
        let mut object = Value::clone(creates);
        let metadata = object["metadata"].as_object_mut();
        let namespace = metadata.and_then(|members| members.remove("namespace"));
        let namespace = namespace
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default();
        let policy = finding.policy.as_str();
        let same = |group: &&mut Group<'_>| group.policy == policy && group.object == object;
        let namespace = namespace.to_owned();
        match groups.iter_mut().find(same) {
            Some(group) if group.namespaces.contains(&namespace) => {}
            Some(group) => group.namespaces.push(namespace),
            None => groups.push(Group {
                policy,
                object,
                namespaces: vec![namespace],
            }),
        }
    }
    groups
}
