//! Values below a key: a list, a map, a block.

use std::ops::Range;

use crate::assign::{self, Sign, Value};
use crate::key::{Before, Key};
use crate::shape;

/// How far a list is read.
const LINES: usize = 64;
const FAR: usize = 8 * 1024;
/// The same inside of what was read already.
const LINES_INSIDE: usize = 4;
const FAR_INSIDE: usize = 256;

/// A value below a key.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) value: Value,
    /// It is what the key is about: `value: x` below `password:`.
    pub(crate) is_own: bool,
    /// It is the bytes of a key as numbers.
    pub(crate) is_bytes: bool,
}

/// Fields below a key that hold its value.
const OWN: [&str; 8] = [
    "value",
    "val",
    "default",
    "plain",
    "plaintext",
    "text",
    "data",
    "content",
];
/// Fields below a key that hold what is no secret, though hard to guess.
#[rustfmt::skip]
const OTHER: [&str; 22] = [
    "id", "uid", "uuid", "name", "key", "hash", "sha", "sha256", "digest", "checksum", "fingerprint", "path", "url", "uri",
    "version", "revision", "image", "type", "description", "public", "file", "ref",
];

/// The values below `key`, whose text goes on at `start`, and where they end.
pub(crate) fn items(text: &[u8], key: &Key, start: usize, is_inside: bool) -> (Vec<Item>, usize) {
    let (lines, far) = match is_inside {
        true => (LINES_INSIDE, FAR_INSIDE),
        false => (LINES, FAR),
    };
    let end = text.len().min(start + far);
    match text.get(start) {
        Some(b'[' | b'{') => flow(text, start + 1..end),
        Some(_) => block(text, key, start..end, lines),
        None => (Vec::new(), start),
    }
}

/// `[a, "b"]`, `{x: a, y: b}`, over lines too.
fn flow(text: &[u8], range: Range<usize>) -> (Vec<Item>, usize) {
    let mut items = Vec::new();
    let mut at = range.start;
    let mut numbers = 0;
    let first = at;
    while at < range.end {
        match text[at] {
            b']' | b'}' => break,
            byte if byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b'{') => at += 1,
            _ => {
                let (item, end) = flow_item(text, at, range.end);
                let is_byte = item.as_ref().is_some_and(|item| {
                    item.value.range.len() <= 4 && is_byte(&text[item.value.range.clone()])
                });
                numbers += usize::from(is_byte);
                items.extend(item.filter(|_| !is_byte));
                at = end.max(at + 1);
            }
        }
    }
    // The bytes of a key: `network_key: [1, 3, 5, ...]` of Zigbee2MQTT.
    if numbers >= 16 && items.is_empty() {
        items.push(Item {
            is_bytes: true,
            ..item(first..at, false)
        });
    }
    (items, at)
}

fn is_byte(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let hex = text
        .strip_prefix("0x")
        .map(|hex| u8::from_str_radix(hex, 16));
    hex.unwrap_or_else(|| text.parse()).is_ok()
}

fn flow_item(text: &[u8], at: usize, limit: usize) -> (Option<Item>, usize) {
    let (range, after) = flow_text(text, at, limit);
    let next = assign::skip_blanks(text, after);
    if !matches!(text.get(next), Some(b':' | b'=')) {
        return (Some(item(range, false)), after);
    }
    let name = &text[range];
    let start = assign::skip_blanks(text, next + 1);
    if start >= limit || matches!(text[start], b'[' | b'{' | b'\n') {
        return (None, start);
    }
    let (value, after) = flow_text(text, start, limit);
    let item = (!is_one_of(name, &OTHER)).then(|| item(value, is_one_of(name, &OWN)));
    (item, after)
}

fn flow_text(text: &[u8], at: usize, limit: usize) -> (Range<usize>, usize) {
    let quoted = assign::quote_at(text, at).and_then(|(quote, first)| {
        let end = assign::end_of_quoted(text, first, quote)?;
        // A value that is cut has no quote at its end.
        Some((first..end, text.len().min(end + 1 + quote.escapes)))
    });
    if let Some(found) = quoted {
        return found;
    }
    let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b'\n' | b':' | b'=');
    let end = text[at..limit].iter().position(ends).unwrap_or(limit - at);
    (assign::trim(text, at..at + end), at + end)
}

fn item(range: Range<usize>, is_own: bool) -> Item {
    Item {
        value: Value {
            range,
            quoted: true,
            sign: Sign::Colon,
        },
        is_own,
        is_bytes: false,
    }
}

fn is_one_of(word: &[u8], list: &[&str]) -> bool {
    list.iter()
        .any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// The lines below a key that are further in than it.
fn block(text: &[u8], key: &Key, range: Range<usize>, most: usize) -> (Vec<Item>, usize) {
    let indent = indent_of(text, key.name.start);
    let mut items = Vec::new();
    let mut at = range.start + line(text, range.start, range.end).len();
    for _ in 0..most {
        let start = at + 1;
        if start >= range.end {
            break;
        }
        let line = line(text, start, range.end);
        let spaces = line
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let is_item = line[spaces..].starts_with(b"- ");
        let is_below = spaces > indent || is_item && spaces == indent;
        if !is_below && !line.trim_ascii().is_empty() {
            break;
        }
        let first = start + spaces + if is_item { 2 } else { 0 };
        items.extend(line_item(text, first, start + line.len()));
        at = start + line.len();
    }
    (items, at)
}

fn line(text: &[u8], start: usize, limit: usize) -> &[u8] {
    let rest = &text[start.min(limit)..limit];
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    &rest[..end]
}

fn indent_of(text: &[u8], at: usize) -> usize {
    let head = &text[at.saturating_sub(256)..at];
    let start = head
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |index| index + 1);
    let head = &head[start..];
    head.iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

/// `- x`, `- name: x`, `name: x`.
fn line_item(text: &[u8], first: usize, end: usize) -> Option<Item> {
    if first >= end || text[first] == b'#' {
        return None;
    }
    let line = &text[first..end];
    let colon = line.windows(2).position(|pair| pair == b": ");
    let Some(colon) = colon.filter(|colon| *colon <= 64) else {
        let range = unquoted(text, assign::trim(text, first..end));
        return (!text[range.clone()].ends_with(b":")).then(|| item(range, false));
    };
    let name = line[..colon].trim_ascii();
    let name = name.strip_prefix(b"\"").unwrap_or(name);
    let name = name.strip_suffix(b"\"").unwrap_or(name);
    if is_one_of(name, &OTHER) || shape::is_random(name) {
        return None;
    }
    let range = unquoted(text, assign::trim(text, first + colon + 2..end));
    Some(item(range, is_one_of(name, &OWN)))
}

fn unquoted(text: &[u8], range: Range<usize>) -> Range<usize> {
    match text[range.clone()] {
        [b'"', .., b'"'] | [b'\'', .., b'\''] => range.start + 1..range.end - 1,
        _ => range,
    }
}

/// Whether lines below a key are to be read: not those of programs.
pub(crate) fn is_readable(key: &Key) -> bool {
    matches!(key.before, Before::Line | Before::Flow)
}
