//! From bytes to documents.

use super::{Broken, Position};

/// The text of one document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'t> {
    /// Index of the document.
    pub(crate) document: usize,
    /// Line of its first line, from 0.
    pub(crate) first_line: u32,
    /// Its text.
    pub(crate) text: &'t str,
}

impl Part<'_> {
    /// Whether it holds nothing but comments and directives.
    pub(crate) fn is_blank(&self) -> bool {
        let is_blank = |line: &str| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || line.starts_with('%') || line == "..."
        };
        self.text.lines().all(is_blank)
    }
}

/// Splits a text where kubectl does: at `---` in the first column. Values of
/// JSON that follow each other are split as well.
///
/// # Errors
///
/// Text that is not UTF-8.
pub(crate) fn documents(bytes: &[u8]) -> Result<Vec<Part<'_>>, Broken> {
    let text = utf8(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parts = if text.trim_start().starts_with('{') {
        json(text)
    } else {
        None
    };
    Ok(parts.unwrap_or_else(|| yaml(text)))
}

fn utf8(bytes: &[u8]) -> Result<&str, Broken> {
    let broken = |line: usize, message: &str| Broken {
        document: 0,
        position: Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: 1,
        },
        message: message.to_owned(),
    };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(broken(1, "the file is UTF-16: save it as UTF-8"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        broken(
            line,
            "this is not UTF-8 text: save the file as UTF-8, or leave it out",
        )
    })
}

fn yaml(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut open = Part {
        document: 0,
        first_line: 0,
        text,
    };
    let (mut start, mut explicit) = (0, false);
    let mut offset = 0;
    for (number, line) in (0_u32..).zip(text.split_inclusive('\n')) {
        if is_marker(line) {
            open.text = &text[start..offset];
            close(&mut parts, open, explicit);
            // What follows the dashes on their line belongs to the document.
            (start, explicit) = (offset + 3, true);
            open.first_line = number;
        }
        offset += line.len();
    }
    open.text = &text[start..];
    close(&mut parts, open, explicit);
    parts
}

/// Only content makes a document of what stands before the first `---`.
fn close<'t>(parts: &mut Vec<Part<'t>>, open: Part<'t>, explicit: bool) {
    if explicit || !open.is_blank() {
        parts.push(Part {
            document: parts.len(),
            ..open
        });
    }
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// JSON values that follow each other; None if this is no JSON throughout.
fn json(text: &str) -> Option<Vec<Part<'_>>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut parts, mut start) = (Vec::new(), 0);
    while let Some(value) = values.next() {
        value.ok()?;
        let end = values.byte_offset();
        let lines = text[..start].bytes().filter(|byte| *byte == b'\n').count();
        let first_line = u32::try_from(lines).ok()?;
        parts.push(Part {
            document: parts.len(),
            first_line,
            text: &text[start..end],
        });
        start = end;
    }
    Some(parts)
}
