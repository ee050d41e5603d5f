//! What a guest may answer.

use portcullis_contract::effect::{self, MAX_CONDITIONS};
use portcullis_contract::{Description, Finding, Verdict, hanging};

use super::MAX_OUTPUT_BYTES;
use crate::policy::{Cause, Failure};

/// Findings of one verdict.
const MAX_FINDINGS: usize = 1_000;
/// Bytes of a message, a remedy, a path or a container's name.
const MAX_TEXT: usize = 2_048;

/// Reads a guest's answer and holds it to its description; `mutates` tells
/// whether its settings let it ask for changes.
///
/// # Errors
///
/// Whatever the description does not allow. The text never holds any of the
/// answer beyond names that the description could hold: a guest may have seen
/// values.
pub(super) fn verdict(
    answer: &str,
    description: &Description,
    mutates: bool,
) -> Result<Verdict, Failure> {
    if answer.is_empty() {
        return Ok(Verdict::default());
    }
    if answer.len() > MAX_OUTPUT_BYTES {
        let size = answer.len();
        return Err(output(format!(
            "its answer has {size} bytes; at most {MAX_OUTPUT_BYTES} are read"
        )));
    }
    let verdict: Verdict = serde_json::from_str(answer).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        output(format!(
            "its answer is no verdict (line {line}, column {column})"
        ))
    })?;
    if let Some(error) = verdict.error {
        return Err(Failure::guest(Cause::Refused, error));
    }
    if verdict.findings.len() > MAX_FINDINGS {
        let count = verdict.findings.len();
        return Err(output(format!(
            "it reported {count} findings; at most {MAX_FINDINGS} are read"
        )));
    }
    for finding in &verdict.findings {
        check(finding, description)?;
    }
    check_changes(&verdict, description, mutates)?;
    Ok(verdict)
}

fn check(finding: &Finding, description: &Description) -> Result<(), Failure> {
    if description.code(&finding.code).is_none() {
        let code: String = finding.code.chars().take(64).collect();
        return Err(output(format!(
            "it reported the code {code:?}, which its description does not declare"
        )));
    }
    if !(finding.path.is_empty() || finding.path.starts_with('/')) {
        return Err(output(format!(
            "the path of a {} is no JSON Pointer",
            finding.code
        )));
    }
    if let Some(within) = finding.within
        && (within.line == 0 || within.column == 0)
    {
        return Err(output(format!(
            "the place within the text of a {} counts from 0: lines and columns count from 1",
            finding.code
        )));
    }
    let container = finding.container.as_deref().unwrap_or_default();
    let texts = [
        finding.message.as_str(),
        &finding.remedy,
        &finding.path,
        container,
    ];
    if texts.iter().any(|text| text.len() > MAX_TEXT) {
        return Err(output(format!(
            "a text of a {} is longer than {MAX_TEXT} bytes",
            finding.code
        )));
    }
    Ok(())
}

fn check_changes(
    verdict: &Verdict,
    description: &Description,
    mutates: bool,
) -> Result<(), Failure> {
    let Some(changes) = &verdict.changes else {
        return Ok(());
    };
    let changes_object = changes.is_of_object() || !changes.is_of_others();
    if changes_object && !description.mutating {
        return Err(output(
            "it asked for changes, but its description says `mutating: false`".into(),
        ));
    }
    if changes_object && !mutates {
        return Err(output(
            "it asked for changes, but none of the settings is set that its description names \
             as `mutatingSettings`"
                .into(),
        ));
    }
    if changes.object.is_some() && !changes.patch.is_empty() {
        return Err(output(
            "it gave a patch and a whole object: only one of them is read".into(),
        ));
    }
    if changes.guarded.len() > MAX_CONDITIONS {
        return Err(output(format!(
            "it reported more than {MAX_CONDITIONS} guarded findings"
        )));
    }
    for finding in changes.hanging() {
        check(finding, description)?;
    }
    hanging::check(&changes.lacking, &changes.cut_off).map_err(output)?;
    effect::check(&changes.effects, &description.effects).map_err(output)
}

fn output(message: String) -> Failure {
    Failure::guest(Cause::Output, message)
}
