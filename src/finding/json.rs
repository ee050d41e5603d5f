//! `--output json`: one document, schema 1.

use serde::Serialize;

use super::Report;

#[derive(Serialize)]
struct Document<'r> {
    schema: u32,
    #[serde(flatten)]
    report: &'r Report,
}

/// The report as JSON, with a line's end.
///
/// # Errors
///
/// Never for a report: its maps have text keys.
pub fn render(report: &Report) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&Document { schema: 1, report })? + "\n")
}
