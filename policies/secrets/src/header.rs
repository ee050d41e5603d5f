//! Credentials of HTTP headers: `Bearer x`, `Basic x`.

use std::ops::Range;

use crate::format::Format;
use crate::value::{self, Grade};
use crate::{Confidence, base64, shape};

/// Bytes up to a blank, a quote, or what ends a field.
pub(crate) fn word_length(rest: &[u8]) -> usize {
    let rest = &rest[..rest.len().min(value::MAX_BYTES)];
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'"' | b'\'' | b'`' | b'<' | b'>' | b',' | b';' | b'\\'
            ) && *byte != b'\\'
    };
    rest.iter().position(ends).unwrap_or(rest.len())
}

/// The credentials after a scheme whose word ends at the end of `hit`.
pub(crate) fn credentials(
    text: &[u8],
    hit: &Range<usize>,
    format: Format,
) -> Option<(Range<usize>, Confidence)> {
    if text[..hit.start]
        .last()
        .is_some_and(u8::is_ascii_alphanumeric)
    {
        return None;
    }
    let end = hit.end + word_length(&text[hit.end..]);
    let word = &text[hit.end..end];
    let is_basic = text[hit.start].eq_ignore_ascii_case(&b'b')
        && text[hit.start + 1].eq_ignore_ascii_case(&b'a');
    let is_secret = match is_basic {
        true => is_login(word),
        false => word.len() >= 16 && shape::is_random(word) && value::grade(word) == Grade::Random,
    };
    let confidence = match format {
        Format::Data | Format::Shell => Confidence::High,
        Format::Code | Format::Prose => Confidence::Medium,
    };
    is_secret.then_some((hit.end..end, confidence))
}

/// Whether a word is base64 of a user name and a password.
pub(crate) fn is_login(word: &[u8]) -> bool {
    let login = (word.len() >= 8)
        .then(|| base64::decode_text(word))
        .flatten();
    let login = login.as_deref().and_then(|login| login.split_once(':'));
    login.is_some_and(|(name, password)| {
        !name.is_empty()
            && !matches!(password, "" | "pass" | "password" | "passwd")
            && name.len() + password.len() > 5
            && value::grade(password.as_bytes()) != Grade::Nothing
    })
}
