//! A name and its value as two fields: `name: DB_PASSWORD`, `value: x`.

use std::ops::Range;

use crate::assign::{self, Sign, Value};
use crate::key::{self, Before, Key};

/// How far the other field may be, in bytes and lines.
const FAR: usize = 400;
const LINES: usize = 3;

/// Fields that hold the name.
#[rustfmt::skip]
const NAMES: [&str; 13] = [
    "name", "key", "id", "field", "property", "variable", "var", "env", "param", "parameter", "option", "header", "type",
];
/// Elements whose text is the value of their attribute.
const ELEMENTS: [&str; 8] = [
    "property",
    "prop",
    "entry",
    "param",
    "parameter",
    "setting",
    "variable",
    "attribute",
];
/// Fields that hold the value.
const VALUES: [&str; 5] = ["value", "string", "val", "content", "default"];

/// The value of the pair whose name stands at `key`.
pub(crate) fn value(text: &[u8], key: &Key) -> Option<Value> {
    match key.before {
        Before::Value if has_name_field(text, key) => {}
        // `<name>db.password</name>`
        Before::Word if text[key.name.end..].starts_with(b"</") => {}
        _ => return None,
    }
    let (end, inside) = match element(text, key) {
        Some((end, inside)) => (end, Some(inside)),
        None => (text.len(), None),
    };
    inside
        .flatten()
        .or_else(|| after(&text[..end], key))
        .or_else(|| before(text, key))
}

/// `<property name="db.password">x</property>`: where the element ends, and its text.
fn element(text: &[u8], key: &Key) -> Option<(usize, Option<Value>)> {
    let head = &text[key.name.start.saturating_sub(FAR)..key.name.start];
    let tag = head.rsplit(|byte| *byte == b'<').next()?;
    let letters = tag.iter().take_while(|byte| byte.is_ascii_alphabetic());
    let name = &tag[..letters.count()];
    let is_open = tag.len() < head.len() && !tag.contains(&b'>');
    if !is_open || !is_one_of(name, &ELEMENTS) {
        return None;
    }
    let rest = &text[key.end..text.len().min(key.end + FAR)];
    let close = rest.iter().position(|byte| matches!(byte, b'<' | b'>'))?;
    if rest[close] == b'<' || rest[..close].ends_with(b"/") {
        return Some((key.end + close, None));
    }
    let inside = &rest[close + 1..];
    let is_end = |at: &usize| inside[at + 2..].starts_with(name);
    let mut ends = memchr::memmem::find_iter(inside, "</");
    let length = ends.find(is_end).unwrap_or(inside.len());
    let start = key.end + close + 1;
    let all = &inside[..length];
    let blanks = all.len() - all.trim_ascii_start().len();
    let value = all.trim_ascii();
    let is_text = length < inside.len() && !value.is_empty() && !value.contains(&b'<');
    let value = is_text.then_some(Value {
        range: start + blanks..start + blanks + value.len(),
        quoted: false,
        sign: Sign::Element,
    });
    Some((start + length, value))
}

/// Whether the field that the key is the value of is called `name` or so.
fn has_name_field(text: &[u8], key: &Key) -> bool {
    let (_, start) = key::quote_before(text, key.name.start);
    let head = &text[start.saturating_sub(48)..start];
    let head = head.trim_ascii_end();
    let Some((b':' | b'=', head)) = head.split_last() else {
        return false;
    };
    let head = head.trim_ascii_end();
    let is_quote = |byte: &u8| matches!(byte, b'"' | b'\'' | b'\\');
    let quotes = head.iter().rev().take_while(|byte| is_quote(byte)).count();
    let head = &head[..head.len() - quotes];
    let letters = head
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    is_one_of(&head[head.len() - letters..], &NAMES)
}

fn is_one_of(word: &[u8], list: &[&str]) -> bool {
    list.iter()
        .any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

fn after(text: &[u8], key: &Key) -> Option<Value> {
    let end = reach(text[key.end..].iter());
    fields(text, key.end..key.end + end).find_map(|field| read(text, &field))
}

/// The pair written the other way round; not beyond the start of its item.
fn before(text: &[u8], key: &Key) -> Option<Value> {
    let length = reach(text[..key.name.start].iter().rev());
    let start = key.name.start - length;
    let head = &text[start..key.name.start];
    let is_start = |window: &[u8]| matches!(window, [b'\n' | b' ', b'-', b' '] | [_, b'{', _]);
    let item = head.windows(3).rposition(is_start).unwrap_or(0);
    fields(text, start + item..key.name.start).find_map(|field| read(text, &field))
}

/// As many bytes as may be looked at: some lines, and not into the next item.
fn reach<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    let mut lines = 0;
    let bytes = bytes.take(FAR);
    bytes
        .take_while(|byte| {
            lines += usize::from(**byte == b'\n');
            lines <= LINES
        })
        .count()
}

/// Words in `range` that are names of value fields.
fn fields(text: &[u8], range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let window = &text[range.clone()];
    // The item ends where the next one begins.
    let is_next = |window: &[u8]| matches!(window, [b'\n', b' ' | b'\t', ..] | [b'\n', b'-', ..]);
    let next = window.windows(2).enumerate().find(|(index, pair)| {
        is_next(pair) && window[index + 1..].trim_ascii_start().starts_with(b"- ")
    });
    let end = next.map_or(window.len(), |(index, _)| index);
    let close = window[..end]
        .iter()
        .position(|byte| *byte == b'}')
        .unwrap_or(end);
    let start = range.start;
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    let mut index = 0;
    std::iter::from_fn(move || {
        while index < close {
            let word = window[index..close]
                .iter()
                .take_while(|byte| is_letter(byte))
                .count();
            let found = index..index + word;
            index += word.max(1);
            if is_one_of(&window[found.clone()], &VALUES) {
                return Some(start + found.start..start + found.end);
            }
        }
        None
    })
}

fn read(text: &[u8], field: &Range<usize>) -> Option<Value> {
    let key = key::around(text, field)?;
    let is_field = key.name == *field;
    let value = match assign::leads(text, &key)? {
        assign::Leads::To(value) if is_field => value,
        _ => return None,
    };
    matches!(value.sign, Sign::Colon | Sign::Equals | Sign::Element).then_some(value)
}
