//! A key around a keyword: how far it reaches, and what stands before it.

use std::ops::Range;

use crate::name;

/// A key in a text.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The name, without quotes and dashes before it.
    pub(crate) name: Range<usize>,
    /// Where what follows begins: after a closing quote.
    pub(crate) end: usize,
    /// The quote that it stands in.
    pub(crate) quote: Option<Quote>,
    pub(crate) before: Before,
}

/// A quote, and the backslashes before it inside another string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) sign: u8,
    pub(crate) escapes: usize,
}

/// What stands before a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// The beginning of a line, or of the text, a `- ` in YAML, `export`.
    Line,
    /// `{`, `,`, `(`: another entry of the same line.
    Flow,
    /// `;`, `&`, `?`: another field of the same text.
    Field,
    /// `[` before a quoted key: an index.
    Index,
    /// `(` before a quoted key: an argument.
    Argument,
    /// `<`: an XML element.
    Tag,
    /// `-` or `--`: a flag of a command.
    Flag,
    /// `$`, `->`, `@`: a variable or a member.
    Variable,
    /// A word: an attribute, a declaration, or a sentence.
    Word,
    /// `:` or `=`: it stands where a value does.
    Value,
}

/// The key around `hit`; None if it is the end of a longer text, or stands
/// where no key does.
pub(crate) fn around(text: &[u8], hit: &Range<usize>) -> Option<Key> {
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let left = text[..hit.start].iter().rev().take(name::MAX_BYTES);
    let mut start = hit.start - left.take_while(|byte| is_sign(byte)).count();
    let right = text[hit.end..].iter().take(name::MAX_BYTES);
    let mut end = hit.end + right.take_while(|byte| is_sign(byte)).count();
    if end - start > name::MAX_BYTES {
        return None;
    }
    // The `n` of `\n` in a string belongs to the line before.
    let is_escape =
        start > 0 && text[start - 1] == b'\\' && matches!(text[start], b'n' | b't' | b'r');
    if is_escape {
        start += 1;
    }
    let dashes = text[start..end]
        .iter()
        .take_while(|byte| **byte == b'-')
        .count();
    let dots = text[start + dashes..end]
        .iter()
        .take_while(|byte| **byte == b'.')
        .count();
    start += dashes + dots;
    while end > hit.end && matches!(text[end - 1], b'-' | b'.') {
        end -= 1;
    }
    if start > hit.start {
        return None;
    }
    let (quote, outside) = quote_before(text, start - dots);
    let before = match (dashes, is_escape) {
        _ if dots > 0 => Before::Variable,
        (0, true) => Before::Line,
        (0, false) => before(text, outside, quote)?,
        (1 | 2, _) if is_flag(text, outside - dashes) => Before::Flag,
        _ => return None,
    };
    let closed = quote.and_then(|quote| closing(text, end, quote));
    // A string that begins with a key is a text in itself.
    let begins_text = quote.is_some() && closed.is_none() && before == Before::Value;
    Some(Key {
        name: start..end,
        end: closed.unwrap_or(end),
        quote: quote.filter(|_| closed.is_some()),
        before: if begins_text { Before::Field } else { before },
    })
}

/// The quote that ends at `at`, and where what is before it ends.
pub(crate) fn quote_before(text: &[u8], at: usize) -> (Option<Quote>, usize) {
    match text[..at].last() {
        Some(&sign @ (b'"' | b'\'' | b'`')) => {
            let before = &text[..at - 1];
            let escapes = before
                .iter()
                .rev()
                .take(7)
                .take_while(|byte| **byte == b'\\')
                .count();
            (Some(Quote { sign, escapes }), at - 1 - escapes)
        }
        _ => (None, at),
    }
}

/// Where the quote ends that is to stand at `at`.
fn closing(text: &[u8], at: usize, quote: Quote) -> Option<usize> {
    let escapes = text[at..].iter().take_while(|byte| **byte == b'\\').count();
    let is_same = escapes == quote.escapes && text.get(at + escapes) == Some(&quote.sign);
    is_same.then_some(at + escapes + 1)
}

fn is_flag(text: &[u8], at: usize) -> bool {
    matches!(
        text[..at].last(),
        None | Some(b' ' | b'\t' | b'\n' | b'"' | b'\'' | b'[' | b',' | b'=' | b'(')
    )
}

/// What stands before `at`, where a key or its quote begins.
fn before(text: &[u8], at: usize, quote: Option<Quote>) -> Option<Before> {
    let blanks = text[..at].iter().rev().take(256);
    let blanks = blanks
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let rest = &text[..at - blanks];
    let Some(&sign) = rest.last() else {
        return Some(Before::Line);
    };
    let previous = rest.len().checked_sub(2).map(|index| rest[index]);
    Some(match sign {
        b'\n' | b'\r' => Before::Line,
        b'n' | b't' | b'r' if previous == Some(b'\\') => Before::Line,
        b'-' if blanks > 0 && matches!(previous, None | Some(b' ' | b'\n' | b'\t')) => Before::Line,
        b'{' if blanks == 0 && previous == Some(b'$') => return None,
        b'{' | b',' => Before::Flow,
        b'[' if quote.is_some() => Before::Index,
        b'(' if quote.is_some() => Before::Argument,
        b'(' | b'[' => Before::Flow,
        b'<' if blanks == 0 => Before::Tag,
        b'>' if blanks == 0 && previous == Some(b'-') => Before::Variable,
        b'>' => Before::Word,
        b';' | b'&' | b'?' | b'|' => Before::Field,
        b'$' | b'@' if blanks == 0 => Before::Variable,
        b':' if blanks == 0 && quote.is_none() => {
            // `:password => "x"` in Ruby, `//registry/:_authToken=x` of npm.
            match previous {
                Some(b'/' | b' ' | b',' | b'{' | b'(' | b'\n') | None => Before::Flow,
                _ => return None,
            }
        }
        b':' | b'=' => Before::Value,
        b'/' if blanks == 0 => Before::Line,
        b'"' | b'\'' | b')' | b']' | b'}' | b'*' => Before::Word,
        sign if blanks > 0
            && (sign.is_ascii_alphanumeric()
                || !sign.is_ascii()
                || matches!(sign, b'_' | b'.')) =>
        {
            word_before(rest)
        }
        _ => return None,
    })
}

/// Words that declare what follows them, and so begin a line.
#[rustfmt::skip]
const DECLARES: [&str; 14] = [
    "export", "set", "setenv", "env", "declare", "local", "readonly", "ENV", "ARG", "header", "define", "property",
    "default", "typeset",
];

fn word_before(rest: &[u8]) -> Before {
    let length = rest
        .iter()
        .rev()
        .take(24)
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let word = &rest[rest.len() - length..];
    match DECLARES.iter().any(|known| known.as_bytes() == word) {
        true => Before::Line,
        false => Before::Word,
    }
}
