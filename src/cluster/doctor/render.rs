//! The renderings of what is wrong.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::json;

use super::{Grade, Line, checks};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// One line each, with styles: strip them where no terminal reads it.
pub fn human(lines: &[Line], place: &str) -> String {
    let mut out = String::new();
    for line in lines {
        let (word, style) = match line.grade {
            Grade::Unknown => ("unknown", YELLOW),
            Grade::Problem => ("problem", RED),
            Grade::Note => ("note", CYAN),
        };
        let _ = writeln!(
            out,
            "{style}{word}{style:#} {DIM}[{}]{DIM:#} {}: {}",
            line.check, line.message, line.remedy
        );
    }
    let count = |grade| lines.iter().filter(|line| line.grade == grade).count();
    let _ = writeln!(
        out,
        "{BOLD}{place}{BOLD:#}: {} problems, {} notes, {} not looked at, of {} checks",
        count(Grade::Problem),
        count(Grade::Note),
        count(Grade::Unknown),
        checks().count(),
    );
    out
}

/// One JSON document, schema 1.
pub fn json(lines: &[Line], namespace: &str) -> String {
    let checks: Vec<&str> = checks().collect();
    let document = json!({
        "schema": 1, "namespace": namespace, "checks": checks, "lines": lines,
    });
    format!("{document:#}\n")
}
