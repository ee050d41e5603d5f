//! One case of a suite, and how cases are counted.

use std::fmt::Write;

use super::super::{FailOn, Finding};
use super::xml::{attribute, content};
use crate::policy::action::Action;
use crate::policy::decision::plain;

/// One case of a suite.
#[derive(Default)]
pub(super) struct Case {
    /// `Deployment/shop/web`.
    pub(super) name: String,
    /// For reports that group by it.
    pub(super) class: String,
    pub(super) denials: Vec<Line>,
    pub(super) errors: Vec<Line>,
    pub(super) skipped: Option<String>,
    /// What does not fail the case.
    pub(super) notes: Vec<String>,
}

/// One reason.
pub(super) struct Line {
    pub(super) kind: String,
    pub(super) text: String,
}

impl Case {
    /// Takes a finding in.
    pub(super) fn find(&mut self, finding: &Finding, fail_on: FailOn) {
        let kind = format!("{}/{}", finding.policy, finding.code);
        let (line, column) = (finding.place.line, finding.place.column);
        let text = format!(
            "{} [{kind}] (line {line}, column {column}: {})",
            finding.text(),
            finding.subject()
        );
        if fail_on.includes(finding.action) {
            self.denials.push(Line { kind, text });
        } else {
            let word = match finding.action {
                Action::Deny => "denied",
                Action::Warn => "warning",
                Action::Audit => "audit",
            };
            self.notes.push(format!("{word}: {text}"));
        }
    }

    /// The one result, and what is left to say.
    pub(super) fn write(&self, out: &mut String, suite: &str) {
        let (name, class) = (
            attribute(&plain(&self.name)),
            attribute(&plain(&self.class)),
        );
        let _ = write!(
            out,
            "    <testcase classname=\"{class}\" name=\"{name}\" file=\"{suite}\""
        );
        let mut notes = self.notes.clone();
        let mut inner = String::new();
        if let Some(code) = &self.skipped {
            let _ = writeln!(inner, "      <skipped message=\"{}\"/>", attribute(code));
        } else if !self.errors.is_empty() {
            element(&mut inner, "error", &self.errors);
            notes.extend(
                self.denials
                    .iter()
                    .map(|line| format!("denied: {}", line.text)),
            );
        } else if !self.denials.is_empty() {
            element(&mut inner, "failure", &self.denials);
        }
        if !notes.is_empty() {
            let text = content(&notes.join("\n"));
            let _ = writeln!(inner, "      <system-out>{text}</system-out>");
        }
        if inner.is_empty() {
            out.push_str("/>\n");
        } else {
            let _ = write!(out, ">\n{inner}    </testcase>\n");
        }
    }
}

/// `error` or `failure`: the first reason as its message, all as its text.
fn element(out: &mut String, tag: &str, lines: &[Line]) {
    let Some(first) = lines.first() else {
        return;
    };
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    let (message, kind) = (attribute(&first.text), attribute(&first.kind));
    let text = content(&texts.join("\n"));
    let _ = writeln!(
        out,
        "      <{tag} message=\"{message}\" type=\"{kind}\">{text}</{tag}>"
    );
}

/// How many cases, and how they ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    pub(super) fn of(cases: &[Case]) -> Counts {
        let count = |is: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| is(case)).count();
        Counts {
            tests: cases.len(),
            failures: count(&|case| case.errors.is_empty() && !case.denials.is_empty()),
            errors: count(&|case| !case.errors.is_empty()),
            skipped: count(&|case| case.skipped.is_some()),
        }
    }

    pub(super) fn add(&mut self, other: Counts) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counts {
            tests,
            failures,
            errors,
            skipped,
        } = self;
        write!(
            f,
            "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\""
        )
    }
}
