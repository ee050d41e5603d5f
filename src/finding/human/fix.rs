//! What to write instead of a secret, as YAML to copy.

use std::fmt::Write;

use portcullis_contract::pointer;
use serde_json::Value;

use super::BOLD;
use crate::fix::Fix;
use crate::policy::decision::plain;
use crate::registration::yaml;

/// The Secret, then what changes in each object, then what is left to do.
pub(super) fn render(out: &mut String, fix: &Fix) {
    let _ = writeln!(
        out,
        "    {BOLD}instead{BOLD:#}, a Secret with the value put in:"
    );
    indented(out, &fix.secret);
    for change in &fix.changes {
        let place = match change.path.strip_suffix("/-") {
            Some(list) => format!("one more in {}", pointer::field_path(list)),
            None => pointer::field_path(&change.path),
        };
        let place = plain(&format!("{}, {place}", change.object));
        let _ = writeln!(out, "    {BOLD}and{BOLD:#} in {place}:");
        indented(out, &change.value);
    }
    if let Some(example) = &fix.example {
        let _ = writeln!(out, "    {BOLD}and{BOLD:#} in pods, one of:");
        indented(out, example);
    }
    for note in &fix.notes {
        let _ = writeln!(out, "    {BOLD}and{BOLD:#} {}", plain(note));
    }
    out.push('\n');
}

pub(super) fn indented(out: &mut String, value: &Value) {
    let text = yaml::documents(std::slice::from_ref(value));
    let text = text.trim_start_matches("---").trim_start();
    for line in text.lines() {
        let _ = writeln!(out, "      {}", plain(line));
    }
}
