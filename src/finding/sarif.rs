//! `--output sarif`: SARIF 2.1.0, for code scanning.
//!
//! Valid against the OASIS schema, and within what GitHub's code scanning
//! takes ("SARIF support for code scanning", github/docs). No line of source is
//! in it, so that no value of a Secret or a ConfigMap is.

mod place;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::{Failure, Finding, Report, Skipped};
use crate::policy::PolicySet;
use crate::policy::action::Action;
use crate::policy::decision::plain;
use place::Folder;
use rules::Rules;

/// Where the schema is published; GitHub demands `$schema`.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// GitHub refuses a file with more results ("Results per run").
const MAX_RESULTS: usize = 25_000;

/// What a report in SARIF says besides the findings.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The policies that were in force: their codes are the rules.
    pub policies: &'a PolicySet,
    /// The working directory: places below it are relative to it.
    pub folder: &'a Path,
    /// What the process ends with; 2 is no success.
    pub exit_code: u8,
}

/// The report as SARIF, with a line's end. It holds the same bytes for the
/// same findings: no time, no machine, no folder outside the one given.
///
/// Of more than 25,000 findings the gravest are kept, and a notification
/// counts the others.
///
/// # Errors
///
/// Never: its maps have text keys.
pub fn render(report: &Report, run: Run<'_>) -> serde_json::Result<String> {
    let rules = Rules::of(run.policies, &report.findings);
    let folder = Folder(run.folder);
    let kept = gravest(&report.findings);
    let left_out = report.findings.len() - kept.len();
    let mut seen = BTreeMap::new();
    let results: Vec<Value> = kept
        .into_iter()
        .map(|finding| result(finding, &rules, folder, &mut seen))
        .collect();
    let results = suppressed(results, report);
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver(&rules)},
            "invocations": [invocation(report, run, left_out)],
            "originalUriBaseIds": {place::BASE: {"description": {
                "text": "the folder that Portcullis was run in"}}},
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {"summary": report.summary},
        }],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

/// All findings, or as many as GitHub takes: the gravest, in their order.
fn gravest(findings: &[Finding]) -> Vec<&Finding> {
    let mut kept: Vec<(usize, &Finding)> = findings.iter().enumerate().collect();
    if kept.len() > MAX_RESULTS {
        kept.sort_by_key(|(index, finding)| (finding.action, *index));
        kept.truncate(MAX_RESULTS);
        kept.sort_by_key(|(index, _)| *index);
    }
    kept.into_iter().map(|(_, finding)| finding).collect()
}

fn driver(rules: &Rules) -> Value {
    json!({
        "name": "Portcullis",
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "informationUri": env!("CARGO_PKG_REPOSITORY"),
        "rules": rules.descriptors(),
        "notifications": [
            notice("not-judged", "A document or a policy could not be judged."),
            notice("passed-over", "A document was passed over."),
            notice("left-out", "There are more findings than code scanning takes."),
        ],
    })
}

fn notice(id: &str, text: &str) -> Value {
    json!({"id": id, "shortDescription": {"text": text}})
}

/// SARIF's word for what a finding leads to.
fn level(action: Action) -> &'static str {
    match action {
        Action::Deny => "error",
        Action::Warn => "warning",
        Action::Audit => "note",
    }
}

/// How often a fingerprint occurred in a file, by its URI: a file may have
/// been named in two ways.
type Seen<'r> = BTreeMap<(String, &'r str), usize>;

fn result<'r>(
    finding: &'r Finding,
    rules: &Rules,
    folder: Folder<'_>,
    seen: &mut Seen<'r>,
) -> Value {
    let location = folder.of_finding(finding);
    let uri = location["physicalLocation"]["artifactLocation"]["uri"].to_string();
    let count = seen.entry((uri, &finding.fingerprint)).or_default();
    *count += 1;
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.action),
        "message": message(&finding.text()),
        "locations": [location],
        // GitHub looks at the first alone, and takes equal ones for one alert.
        "partialFingerprints": {
            "primaryLocationLineHash": format!("{}:{count}", finding.fingerprint),
            "portcullis/v1": finding.fingerprint,
        },
        "properties": {
            "policy": finding.policy,
            "path": finding.path,
            "message": plain(&finding.message),
            "remedy": plain(&finding.remedy),
        },
    });
    if let Some(within) = finding.within {
        result["properties"]["within"] = json!(within);
    }
    // The program may have been swapped for one that no longer has the code.
    if let Some(index) = rules.index(&finding.policy, &finding.code) {
        result["ruleIndex"] = json!(index);
    }
    result
}

/// SARIF's word for an exemption. If one result of a run says whether it is
/// suppressed, all do (SARIF 2.1.0, 3.27.23).
fn suppressed(mut results: Vec<Value>, report: &Report) -> Vec<Value> {
    let kept = gravest(&report.findings);
    if report.findings.iter().any(|one| one.exemption.is_some()) {
        for (result, finding) in results.iter_mut().zip(kept) {
            let suppressions = finding.exemption.iter().map(|by| {
                let until = format!("{} (until {})", by.reason, by.expires);
                json!({"kind": "external", "status": "accepted", "justification": plain(&until)})
            });
            result["suppressions"] = suppressions.collect();
        }
    }
    results
}

/// A message of plain text. Brackets are escaped where they would make a
/// link (SARIF 2.1.0, 3.11.6): what an object holds must not become one.
fn message(text: &str) -> Value {
    let text = plain(text);
    let text = if text.contains("](") {
        text.replace('\\', "\\\\")
            .replace('[', "\\[")
            .replace(']', "\\]")
    } else {
        text
    };
    json!({"text": text})
}

fn invocation(report: &Report, run: Run<'_>, left_out: usize) -> Value {
    let folder = Folder(run.folder);
    let mut notifications: Vec<Value> = report
        .failures
        .iter()
        .map(|failure| failed(failure, folder))
        .collect();
    notifications.extend(report.skipped.iter().map(|skipped| passed(skipped, folder)));
    notifications.extend(report.passed_over.iter().map(|one| {
        let text = format!(
            "passed over: {}: {} {}",
            one.code, one.objects, one.resource
        );
        notification("passed-over", "note", &text)
    }));
    if left_out > 0 {
        let text = format!(
            "{left_out} findings are left out, as code scanning takes {MAX_RESULTS}: \
             check fewer folders at once"
        );
        notifications.push(notification("left-out", "warning", &text));
    }
    json!({
        "executionSuccessful": run.exit_code != 2,
        "exitCode": run.exit_code,
        "toolExecutionNotifications": notifications,
    })
}

fn notification(id: &str, level: &str, text: &str) -> Value {
    json!({"descriptor": {"id": id}, "level": level, "message": message(text)})
}

fn failed(failure: &Failure, folder: Folder<'_>) -> Value {
    let mut made = notification("not-judged", "error", &failure.text());
    if let Some(file) = &failure.file {
        let location = folder.location(file, failure.line, failure.column, None);
        made["locations"] = json!([location]);
    }
    made
}

fn passed(skipped: &Skipped, folder: Folder<'_>) -> Value {
    let text = format!("passed over: {}", skipped.code);
    let mut made = notification("passed-over", "note", &text);
    let location = folder.location(&skipped.file, Some(skipped.line), None, None);
    made["locations"] = json!([location]);
    made
}
