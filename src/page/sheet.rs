//! The page of a policy, Markdown: from its description, and from what each
//! document that is asked about makes of its codes.

use std::fmt::Write;

use portcullis_contract::{Code, Description, LabelSelector, Level, MatchConstraints, Rule};

use super::settings;
use crate::policy::Spec;
use crate::policy::action::{NamespaceLabels, actions};

/// What one document makes of a policy's codes: a column of its table.
#[derive(Debug, Clone, Copy)]
pub struct Column<'a> {
    /// The heading.
    pub heading: &'a str,
    /// The document; None where the policy is not in force.
    pub spec: Option<&'a Spec>,
}

/// The page: title, documentation, codes, settings, matches, changes, reads.
/// `matches` is what the policy judges.
pub fn sheet(
    description: &Description,
    matches: &MatchConstraints,
    columns: &[Column<'_>],
) -> String {
    let Description {
        name,
        version,
        summary,
        documentation,
        ..
    } = description;
    let mut out = format!("# {name} {version}\n\n{summary}.\n\n{documentation}\n");
    codes(&mut out, description, columns);
    settings::table(&mut out, &description.settings);
    matched(&mut out, matches);
    if description.offline {
        out.push_str("\nIn files only (`portcullis check`): no cluster asks it.\n");
    }
    changes(&mut out, description);
    out.push_str("\n## Reads\n\nIt sees these fields of a request, and nothing else:\n\n");
    for read in &description.reads {
        let _ = writeln!(out, "- `{read}`");
    }
    out
}

/// A level as it is written.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Info => "info",
    }
}

/// What a finding of this code leads to where no namespace is concerned.
pub(super) fn leads_to(spec: &Spec, code: &Code) -> String {
    let (actions, _) = actions(spec, &code.code, code.level, NamespaceLabels::ClusterScoped);
    format!("{:?}", actions.action).to_lowercase()
}

/// A text as it may stand in a cell of a table.
pub(super) fn cell(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

fn codes(out: &mut String, description: &Description, columns: &[Column<'_>]) {
    let headings: String = columns
        .iter()
        .map(|column| format!(" {} |", column.heading))
        .collect();
    let _ = write!(
        out,
        "\n## Codes\n\n| code | level |{headings} meaning |\n|---|---|{}---|\n",
        "---|".repeat(columns.len())
    );
    for code in &description.codes {
        let _ = write!(out, "| `{}` | {} |", code.code, level(code.level));
        for column in columns {
            let leads = column.spec.map(|spec| leads_to(spec, code));
            let _ = write!(out, " {} |", leads.as_deref().unwrap_or("-"));
        }
        let _ = writeln!(out, " {} |", cell(&code.meaning));
    }
}

fn matched(out: &mut String, matches: &MatchConstraints) {
    out.push_str("\n## Matches\n\nIt judges:\n\n");
    for rule in &matches.resource_rules {
        let _ = writeln!(out, "- {}", of_rule(rule));
    }
    for rule in &matches.exclude_resource_rules {
        let _ = writeln!(out, "- but not {}", of_rule(rule));
    }
    let selectors = [
        ("namespaces", &matches.namespace_selector),
        ("objects", &matches.object_selector),
    ];
    for (what, selector) in selectors {
        if let Some(selector) = selector {
            let _ = writeln!(
                out,
                "- only {what} whose labels fit {}",
                of_labels(selector)
            );
        }
    }
}

fn of_rule(rule: &Rule) -> String {
    let operations = rule.operations.iter().map(|operation| operation.as_str());
    let operations = operations.collect::<Vec<_>>().join(", ");
    let groups = rule.api_groups.iter().map(|group| match group.as_str() {
        "" => "the core group".to_owned(),
        "*" => "any group".to_owned(),
        group => format!("`{group}`"),
    });
    let groups = groups.collect::<Vec<_>>().join(", ");
    let mut text = format!("{operations} of {} in {groups}", list(&rule.resources));
    if rule.api_versions.iter().all(|version| version != "*") {
        let _ = write!(text, ", version {}", list(&rule.api_versions));
    }
    if !rule.resource_names.is_empty() {
        let _ = write!(text, ", named {}", list(&rule.resource_names));
    }
    text
}

fn of_labels(selector: &LabelSelector) -> String {
    let text = serde_json::to_string(selector).unwrap_or_default();
    format!("`{text}`")
}

fn list(names: &[String]) -> String {
    let names = names.iter().map(|name| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

fn changes(out: &mut String, description: &Description) {
    if !description.mutating && description.effects.is_empty() {
        return;
    }
    out.push_str("\n## Changes\n\n");
    if description.mutating {
        let needed = &description.mutating_settings;
        let needed = needed.iter().map(|name| format!("`{name}`"));
        let needed: Vec<String> = needed.collect();
        let with = match needed.is_empty() {
            true => String::new(),
            false => format!(", where it has the setting {}", needed.join(" or ")),
        };
        let _ = writeln!(out, "It may ask for changes of the object{with}.");
    }
    for effect in &description.effects {
        let _ = writeln!(out, "It may ask for the effect `{effect}`.");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn described() -> Description {
        serde_json::from_value(json!({
            "interface": "portcullis:policy@0.1.0", "name": "owner", "version": "1.2.3",
            "summary": "Wants an owner", "documentation": "## What it does\n\nIt asks.",
            "matches": {"resourceRules": []}, "reads": ["object.metadata.labels.*"],
            "codes": [
                {"code": "owner-missing", "level": "error", "meaning": "Nobody | no\none."},
                {"code": "owner-odd", "level": "info", "meaning": "Odd."},
            ],
            "mutating": true, "effects": ["Secret"], "settings": {},
        }))
        .expect("a description")
    }

    fn spec(text: serde_json::Value) -> Spec {
        serde_json::from_value(text).expect("a spec")
    }

    #[test]
    fn a_column_says_what_its_document_makes_of_each_code() {
        let strict = spec(json!({"program": {"builtin": "owner"},
            "overrides": [{"codes": ["owner-odd"], "validationActions": ["Deny"]}]}));
        let warned = spec(json!({"program": {"builtin": "owner"}, "validationActions": ["Warn"]}));
        let columns = [
            ("strict", Some(&strict)),
            ("warned", Some(&warned)),
            ("none", None),
        ]
        .map(|(heading, spec)| Column { heading, spec });
        let page = sheet(&described(), &MatchConstraints::default(), &columns);
        for line in [
            "# owner 1.2.3",
            "| code | level | strict | warned | none | meaning |",
            "|---|---|---|---|---|---|",
            "| `owner-missing` | error | deny | warn | - | Nobody \\| no one. |",
            "| `owner-odd` | info | deny | audit | - | Odd. |",
            "It may ask for changes of the object.",
            "It may ask for the effect `Secret`.",
            "- `object.metadata.labels.*`",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }

    #[test]
    fn what_is_matched_is_said_rule_by_rule() {
        let matches: MatchConstraints = serde_json::from_value(json!({
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["*"], "resources": ["pods"], "operations": ["CREATE", "UPDATE"]},
                {"apiGroups": ["apps", "*"], "apiVersions": ["v1"], "resources": ["*/scale"], "operations": ["*"]},
            ],
            "excludeResourceRules": [
                {"apiGroups": [""], "apiVersions": ["*"], "resources": ["pods"], "operations": ["CREATE"], "resourceNames": ["a"]},
            ],
            "namespaceSelector": {"matchLabels": {"tier": "web"}},
        }))
        .expect("constraints");
        let page = sheet(&described(), &matches, &[]);
        let expected = "## Matches\n\nIt judges:\n\n\
            - CREATE, UPDATE of `pods` in the core group\n\
            - * of `*/scale` in `apps`, any group, version `v1`\n\
            - but not CREATE of `pods` in the core group, named `a`\n\
            - only namespaces whose labels fit `{\"matchLabels\":{\"tier\":\"web\"}}`\n";
        assert!(page.contains(expected), "{page}");
    }
}
