//! `--output human`: grouped by file, with the line and a caret.

mod creates;
mod fix;

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use portcullis_contract::pointer;

use super::{Finding, Identity, Place, Report};
use crate::policy::action::Action;
use crate::policy::decision::plain;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// The longest line of source that is shown whole, in characters.
const SOURCE_WIDTH: usize = 160;

/// The report as text, with styles: strip them where no terminal reads it.
/// Findings that are only audited are counted, and shown on `show_audit`.
pub fn render(report: &Report, show_audit: bool) -> String {
    let mut out = String::new();
    let mut heading = None;
    let shown = |finding: &&Finding| show_audit || finding.action != Action::Audit;
    let shown: Vec<&Finding> = report.findings.iter().filter(shown).collect();
    for (index, finding) in shown.iter().enumerate() {
        let group = group(&finding.place, &finding.object);
        if heading.as_ref() != Some(&group) {
            let _ = writeln!(out, "{BOLD}{group}{BOLD:#}");
            heading = Some(group);
        }
        one(&mut out, finding);
        // Once an object, after its last finding that has it.
        let same = |other: &&&Finding| other.object == finding.object;
        let mut others = shown[index + 1..].iter().take_while(same);
        if let Some(fix) = &finding.fix
            && !others.any(|other| other.fix == finding.fix)
        {
            fix::render(&mut out, fix);
        }
    }
    creates::render(&mut out, &shown);
    changes(&mut out, report);
    failures(&mut out, report);
    summary(&mut out, report);
    out
}

/// What findings stand under: the file, or the namespace in a cluster.
fn group(place: &Place, object: &Identity) -> String {
    plain(&match (&place.file, &object.namespace) {
        (Some(file), _) => file.clone(),
        (None, Some(namespace)) => format!("namespace {namespace}"),
        (None, None) => "cluster".to_owned(),
    })
}

fn one(out: &mut String, finding: &Finding) {
    let (word, style) = match finding.action {
        Action::Deny => ("denied", RED),
        Action::Warn => ("warning", YELLOW),
        Action::Audit if finding.exemption.is_some() => ("exempted", CYAN),
        Action::Audit => ("audit", CYAN),
    };
    let code = format!("[{}/{}]", finding.policy, finding.code);
    let text = finding.text();
    let _ = writeln!(out, "  {style}{word}{style:#} {text} {DIM}{code}{DIM:#}");
    let subject = finding.subject();
    let (line, column) = (finding.place.line, finding.place.column);
    let position = match finding.place.file {
        Some(_) => format!("line {line}, column {column}: "),
        None => String::new(),
    };
    let _ = writeln!(out, "    {DIM}-->{DIM:#} {position}{subject}");
    excerpt(out, finding, style);
    out.push('\n');
}

fn excerpt(out: &mut String, finding: &Finding, style: Style) {
    let Some(excerpt) = &finding.excerpt else {
        return;
    };
    let column = excerpt.column.saturating_sub(1) as usize;
    let source: String = plain(&excerpt.text).chars().take(SOURCE_WIDTH).collect();
    let width = source.chars().count();
    if column >= width {
        return;
    }
    let number = finding.place.line.to_string();
    let margin = " ".repeat(number.len());
    let caret = "^".repeat((excerpt.marked as usize).clamp(1, width - column));
    let indent = " ".repeat(column);
    let _ = writeln!(out, "    {DIM}{number} |{DIM:#} {source}");
    let _ = writeln!(
        out,
        "    {DIM}{margin} |{DIM:#} {indent}{style}{caret}{style:#}"
    );
}

fn changes(out: &mut String, report: &Report) {
    for change in &report.changes {
        let file = group(&change.place, &change.object);
        let (name, by) = (
            plain(&change.object.to_string()),
            change.policies.join(", "),
        );
        let _ = writeln!(
            out,
            "{BOLD}{file}{BOLD:#}: {name} would be changed by {by}:"
        );
        for operation in &change.patch {
            use portcullis_contract::PatchOperation::{Add, Remove, Replace, Test};
            let (verb, path) = match operation {
                Add { path, .. } => ("add", path),
                Remove { path } => ("remove", path),
                Replace { path, .. } => ("replace", path),
                Test { path, .. } => ("test", path),
            };
            let _ = writeln!(out, "  {verb} {}", plain(&pointer::field_path(path)));
        }
        out.push('\n');
    }
}

fn failures(out: &mut String, report: &Report) {
    for failure in &report.failures {
        let mut place = String::new();
        if let Some(file) = &failure.file {
            place = plain(file);
            for number in [failure.line, failure.column].into_iter().flatten() {
                let _ = write!(place, ":{number}");
            }
            place.push_str(": ");
        }
        let _ = writeln!(out, "{RED}not judged{RED:#} {place}{}", failure.text());
    }
    if !report.failures.is_empty() {
        out.push('\n');
    }
}

fn summary(out: &mut String, report: &Report) {
    let mut counts: BTreeMap<(&str, &str, Action, bool), usize> = BTreeMap::new();
    for finding in &report.findings {
        let is_exempted = finding.exemption.is_some();
        *counts
            .entry((&finding.policy, &finding.code, finding.action, is_exempted))
            .or_default() += 1;
    }
    for ((policy, code, action, is_exempted), count) in counts {
        let word = match action {
            Action::Deny => "denied",
            Action::Warn => "warned",
            Action::Audit if is_exempted => "exempted",
            Action::Audit => "audited",
        };
        let _ = writeln!(out, "{count:>6} {word:<8} {policy}/{code}");
    }
    exemptions(out, report);
    passed_over(out, report);
    let summary = &report.summary;
    let _ = writeln!(
        out,
        "{BOLD}{} of {} would be denied, {} warned of{BOLD:#}; {} passed over, {} not judged",
        summary.denied,
        count(summary.objects, "object"),
        summary.warned,
        count(
            summary.skipped,
            if report.lists > 0 {
                "object"
            } else {
                "document"
            }
        ),
        summary.failures,
    );
    let is_hidden = |finding: &Finding| finding.has_fix && finding.fix.is_none();
    if report.findings.iter().any(is_hidden) {
        out.push_str("What to write instead of a secret, as YAML: give --fix-hints\n");
    }
    // The first of the worst: one that is only audited may not be shown.
    if let Some(finding) = report.findings.iter().min_by_key(|finding| finding.action) {
        let code = &finding.code;
        let _ = writeln!(out, "What a code means: portcullis explain {code}");
    }
}

/// One line an exemption that forgives something; what is wrong with others is
/// a finding.
fn exemptions(out: &mut String, report: &Report) {
    for one in report.exemptions.iter().filter(|one| one.findings > 0) {
        let line = plain(&format!(
            "exempted by {}/{} until {}: {}, {}: {}",
            one.namespace,
            one.name,
            one.expires,
            count(one.findings, "finding"),
            count(one.objects, "object"),
            one.reason
        ));
        let _ = writeln!(out, "{DIM}{line}{DIM:#}");
    }
}

/// One line a reason, with the resources.
fn passed_over(out: &mut String, report: &Report) {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in &report.passed_over {
        let resource = plain(&one.resource);
        let entry = match one.objects {
            0 => resource,
            objects => format!("{objects} {resource}"),
        };
        reasons.entry(&one.code).or_default().push(entry);
    }
    for (code, resources) in reasons {
        let resources = resources.join(", ");
        let _ = writeln!(out, "{DIM}passed over ({code}): {resources}{DIM:#}");
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
