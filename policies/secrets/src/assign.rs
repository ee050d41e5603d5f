//! From a key to its value.

use std::ops::Range;

use crate::key::{Before, Key, Quote};
use crate::value;

/// The value that stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) range: Range<usize>,
    pub(crate) quoted: bool,
    pub(crate) sign: Sign,
}

/// What stands between a key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// `:`
    Colon,
    /// `=`, `:=`, `?=`
    Equals,
    /// `=>`
    Arrow,
    /// `>` of an XML element.
    Element,
    /// `,` or `(` of a call.
    Argument,
    /// Blanks: a directive, a flag.
    Blank,
}

/// What a key leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leads {
    To(Value),
    /// What follows are more lines, or a list: they begin there.
    Into(usize),
}

/// What a key leads to; None if nothing is assigned to it.
pub(crate) fn leads(text: &[u8], key: &Key) -> Option<Leads> {
    let (sign, at) = sign(text, key)?;
    let start = skip_blanks(text, at);
    match text.get(start) {
        None => None,
        Some(b'\n' | b'\r') if sign == Sign::Colon => Some(Leads::Into(start)),
        Some(b'[' | b'{')
            if matches!(sign, Sign::Colon | Sign::Equals) && !is_template(text, start) =>
        {
            Some(Leads::Into(start))
        }
        Some(b'|' | b'>') if sign == Sign::Colon && is_block(text, start) => {
            block(text, start, key)
        }
        Some(_) => read(text, start, sign, key).map(Leads::To),
    }
}

fn sign(text: &[u8], key: &Key) -> Option<(Sign, usize)> {
    let mut at = key.end;
    if key.before == Before::Index && matches!(text.get(at), Some(b']')) {
        at += 1;
    }
    let blanks = skip_blanks(text, at) - at;
    at += blanks;
    let next = |offset: usize| text.get(at + offset).copied();
    Some(match next(0)? {
        b':' if next(1) == Some(b'=') => (Sign::Equals, at + 2),
        b':' if next(1) == Some(b':') => return None,
        b':' if key.before != Before::Variable => (Sign::Colon, at + 1),
        b'=' if next(1) == Some(b'>') => (Sign::Arrow, at + 2),
        b'=' if matches!(next(1), Some(b'=' | b'~')) => return None,
        b'=' => (Sign::Equals, at + 1),
        b'?' | b'+' if next(1) == Some(b'=') => (Sign::Equals, at + 2),
        b'>' if key.before == Before::Tag => (Sign::Element, at + 1),
        _ if key.before == Before::Tag && blanks > 0 => (Sign::Element, end_of_tag(text, at)?),
        b',' if key.before == Before::Argument => (Sign::Argument, at + 1),
        b'(' if key.quote.is_none() => (Sign::Argument, at + 1),
        _ if blanks > 0 && key.quote.is_none() && takes_blank(key) => (Sign::Blank, at),
        _ => return None,
    })
}

fn takes_blank(key: &Key) -> bool {
    matches!(key.before, Before::Line | Before::Flag | Before::Word)
}

/// After the `>` of a tag with attributes.
fn end_of_tag(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..text.len().min(at + 256)];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'>' | b'\n' | b'<'))?;
    (rest[end] == b'>' && end > 0 && rest[end - 1] != b'/').then_some(at + end + 1)
}

pub(crate) fn skip_blanks(text: &[u8], at: usize) -> usize {
    let blanks = text[at..].iter().take(256);
    at + blanks
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

/// `{{ x }}` and `[[ x ]]` are values that a template makes.
fn is_template(text: &[u8], at: usize) -> bool {
    text.get(at + 1) == text.get(at) || matches!(text.get(at + 1), Some(b'%' | b'$'))
}

/// `|`, `>-`, `|2`: the value is what is on the lines below.
fn is_block(text: &[u8], at: usize) -> bool {
    let rest = text[at + 1..].iter().take(8);
    let end = rest.skip_while(|byte| matches!(byte, b'-' | b'+' | b'1'..=b'9' | b' '));
    matches!(end.copied().next(), None | Some(b'\n' | b'\r'))
}

/// A block of one line is a value; more lines are a text of its own.
fn block(text: &[u8], at: usize, key: &Key) -> Option<Leads> {
    let start = at + 1 + memchr::memchr(b'\n', &text[at + 1..])?;
    let first = start + 1;
    let indent = text[first..]
        .iter()
        .take(256)
        .take_while(|byte| **byte == b' ')
        .count();
    let line = first + indent;
    let end = line + line_length(&text[line..]);
    let next = end + 1;
    let goes_on = text.get(next..).is_some_and(|rest| {
        let spaces = rest
            .iter()
            .take(indent)
            .take_while(|byte| **byte == b' ')
            .count();
        indent > 0 && spaces == indent && rest.get(indent).is_some_and(|byte| *byte != b'\n')
    });
    if indent == 0 || goes_on || key.before == Before::Value {
        return None;
    }
    let range = trim(text, line..end);
    Some(Leads::To(Value {
        range,
        quoted: true,
        sign: Sign::Colon,
    }))
}

fn line_length(rest: &[u8]) -> usize {
    let rest = &rest[..rest.len().min(value::MAX_BYTES)];
    memchr::memchr(b'\n', rest).unwrap_or(rest.len())
}

/// Reads a value that begins at `start`.
pub(crate) fn read(text: &[u8], start: usize, sign: Sign, key: &Key) -> Option<Value> {
    let start = after_prefix(text, start, sign)?;
    if let Some((quote, first)) = quote_at(text, start) {
        let end = end_of_quoted(text, first, quote)?;
        return Some(Value {
            range: first..end,
            quoted: true,
            sign,
        });
    }
    let end = start + bare_length(&text[start..], sign, key);
    let range = trim(text, start..end);
    // A directive has one word after it, a sentence has more.
    let is_sentence =
        sign == Sign::Blank && text[range.clone()].iter().any(u8::is_ascii_whitespace);
    (!range.is_empty() && !is_sentence).then_some(Value {
        range,
        quoted: false,
        sign,
    })
}

/// YAML tags and anchors, and the letters before a string in programs. What
/// `!Tag` names is no value here.
fn after_prefix(text: &[u8], start: usize, sign: Sign) -> Option<usize> {
    let rest = &text[start..];
    match rest {
        [b'!', b'!', ..] | [b'&', ..] if sign == Sign::Colon => {
            let word = rest
                .iter()
                .take(64)
                .take_while(|byte| !byte.is_ascii_whitespace())
                .count();
            Some(skip_blanks(text, start + word))
        }
        [
            b'b' | b'r' | b'u' | b'f' | b'B' | b'R' | b'F',
            b'"' | b'\'',
            ..,
        ] => Some(start + 1),
        _ => Some(start),
    }
}

/// The quote that begins at `at`, and where what is in it begins.
pub(crate) fn quote_at(text: &[u8], at: usize) -> Option<(Quote, usize)> {
    let escapes = text[at..]
        .iter()
        .take(7)
        .take_while(|byte| **byte == b'\\')
        .count();
    match text.get(at + escapes) {
        Some(&sign @ (b'"' | b'\'' | b'`')) => {
            let mut first = at + escapes + 1;
            // `"""` of Python and TOML.
            if escapes == 0 && text.get(first..first + 2) == Some(&[sign, sign]) {
                first += 2;
            }
            Some((Quote { sign, escapes }, first))
        }
        _ => None,
    }
}

/// Where a quoted value ends: at its quote, or where it is cut.
pub(crate) fn end_of_quoted(text: &[u8], first: usize, quote: Quote) -> Option<usize> {
    let rest = &text[first..text.len().min(first + value::MAX_BYTES)];
    let mut slashes = 0;
    for (index, byte) in rest.iter().enumerate() {
        match (*byte, quote.escapes) {
            (b'\\', _) => slashes += 1,
            (b'\n', _) => return None,
            (sign, 0) if sign == quote.sign && slashes % 2 == 0 => return Some(first + index),
            (sign, most) if sign == quote.sign && (1..=most).contains(&slashes) => {
                return Some(first + index - slashes);
            }
            (sign, 1..) if sign == quote.sign && slashes == 0 => return Some(first + index),
            _ => slashes = 0,
        }
    }
    (rest.len() == value::MAX_BYTES).then_some(first + rest.len())
}

/// How long a value without quotes is.
fn bare_length(rest: &[u8], sign: Sign, key: &Key) -> usize {
    let rest = &rest[..rest.len().min(value::MAX_BYTES)];
    let ends = |index: usize, byte: u8| match byte {
        b'\n' | b'\r' | b'"' | b'`' => true,
        b'\\' => matches!(rest.get(index + 1), Some(b'n' | b'r' | b't' | b'"' | b'\'')),
        b'<' => sign == Sign::Element,
        b' ' | b'\t' => {
            let comment = matches!(rest.get(index + 1), Some(b'#' | b';'))
                || rest[index + 1..].starts_with(b"//");
            comment || !matches!(key.before, Before::Line | Before::Tag)
        }
        b',' | b'}' | b']' | b')' => {
            matches!(key.before, Before::Flow | Before::Index | Before::Argument)
        }
        b';' | b'&' | b'\'' => matches!(key.before, Before::Field | Before::Word | Before::Value),
        _ => false,
    };
    let end = rest
        .iter()
        .enumerate()
        .position(|(index, byte)| ends(index, *byte));
    end.unwrap_or(rest.len())
}

/// Without blanks, and without the `,` or `;` that ends a line.
pub(crate) fn trim(text: &[u8], range: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = range;
    while start < end && text[start].is_ascii_whitespace() {
        start += 1;
    }
    while start < end
        && (text[end - 1].is_ascii_whitespace() || matches!(text[end - 1], b',' | b';'))
    {
        end -= 1;
    }
    start..end
}
