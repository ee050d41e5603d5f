//! Looks for moved values in what is about to be stored.
//!
//! A value of [`LEAST`] bytes or more must be nowhere in the object, whether as
//! it is, as part of a JSON text, in a URL or in base64; of the copies that tools
//! keep packed ([`copies`]), the content is looked at.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;
use serde_json::Value;

use crate::copies;
use crate::field::escaped;
use crate::placeholder::{PREFIX, Told, read};
use crate::sensitive::Sensitive;

/// Shorter values are not looked for: they are in many texts by chance.
pub(crate) const LEAST: usize = 6;

/// What says which object it is. No tool copies a value there, and a name
/// cannot be changed for happening to hold a word that is a password too.
const IDENTITY: [&str; 9] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/generateName",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/ownerReferences",
    "/metadata/managedFields",
    "/metadata/creationTimestamp",
];

/// Looks for values in their forms. No `Debug`: it holds them.
struct Search {
    text: Vec<Finder<'static>>,
    base64: Vec<Finder<'static>>,
}

/// Where in the object (JSON Pointers) one of these values still is.
pub(crate) fn remains<'a>(
    object: &Value,
    values: impl IntoIterator<Item = &'a Sensitive>,
) -> Vec<String> {
    let mut values: Vec<&[u8]> = values
        .into_iter()
        .flat_map(|value| [value.expose(), value.expose().trim_ascii()])
        .filter(|value| value.len() >= LEAST)
        .collect();
    values.sort_unstable();
    values.dedup();
    if values.is_empty() {
        return vec![];
    }
    let search = Search {
        text: finders(values.iter().flat_map(|value| text_forms(value))),
        base64: finders(values.iter().flat_map(|value| base64_forms(value))),
    };
    let mut found = Vec::new();
    search.value(object, ("", ""), &mut found);
    found
}

fn finders(needles: impl Iterator<Item = Vec<u8>>) -> Vec<Finder<'static>> {
    needles
        .map(|needle| Finder::new(&needle).into_owned())
        .collect()
}

fn any(finders: &[Finder<'static>], text: &str) -> bool {
    finders
        .iter()
        .any(|finder| finder.find(text.as_bytes()).is_some())
}

impl Search {
    /// `base` is where the object is, if it is a copy within another.
    fn value(&self, value: &Value, (base, path): (&str, &str), found: &mut Vec<String>) {
        if IDENTITY.contains(&path) {
            return;
        }
        match value {
            Value::String(text) => self.string(text, (base, path), found),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.value(item, (base, &format!("{path}/{index}")), found);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    let path = format!("{path}/{}", escaped(key));
                    match (base, path.strip_prefix("/metadata/annotations/")) {
                        ("", Some(_)) => self.annotation((key, member), &path, found),
                        _ => self.value(member, (base, &path), found),
                    }
                }
            }
            // Numbers too: a copy may hold a value without its quotes.
            Value::Number(number) => self.string(&number.to_string(), (base, path), found),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn annotation(&self, (key, value): (&str, &Value), path: &str, found: &mut Vec<String>) {
        let copy = value
            .as_str()
            .and_then(|text| copies::opened(key, text).ok().flatten());
        match copy {
            Some(copy) => self.value(&copy, (path, ""), found),
            None => self.value(value, ("", path), found),
        }
    }

    fn string(&self, text: &str, (base, path): (&str, &str), found: &mut Vec<String>) {
        if copies::is_placeholder(text) {
            return;
        }
        let wrapped = || text.split_ascii_whitespace().collect::<String>();
        let is_there = pieces(text).any(|piece| any(&self.text, piece) || any(&self.base64, piece))
            || text.contains('\n') && any(&self.base64, &wrapped());
        if is_there {
            found.push(format!("{base}{path}"));
        }
    }
}

/// The text without the placeholders in it: a value may be a word of theirs.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (piece, after) = match text.find(PREFIX) {
            None => (text, None),
            Some(at) => cut(text, at),
        };
        rest = after;
        Some(piece)
    })
}

fn cut(text: &str, at: usize) -> (&str, Option<&str>) {
    let ends = |byte: u8| !(byte.is_ascii_alphanumeric() || byte == b':' || byte == b'-');
    let length = text[at..].bytes().position(ends);
    let end = length.map_or(text.len(), |length| at + length);
    match read(&text.as_bytes()[at..end]) {
        Told::Placeholder(_) => (&text[..at], Some(&text[end..])),
        _ => (text, None),
    }
}

/// As it is, as in JSON (as serde and as Go write it), as in a URL.
fn text_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![value.to_vec()];
    if let Ok(text) = std::str::from_utf8(value) {
        let quoted = Value::String(text.to_owned()).to_string();
        let json = &quoted[1..quoted.len() - 1];
        let go = json
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026");
        forms.extend([json.as_bytes().to_vec(), go.into_bytes()]);
    }
    forms.push(in_url(value).into_bytes());
    forms.sort();
    forms.dedup();
    forms
}

/// Percent-encoded but for what RFC 3986 calls unreserved.
fn in_url(value: &[u8]) -> String {
    value.iter().fold(String::new(), |text, byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        match plain {
            true => text + &char::from(*byte).to_string(),
            false => text + &format!("%{byte:02X}"),
        }
    })
}

/// The characters that the value makes up alone, wherever it begins in what was
/// encoded.
fn base64_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let padded = [&vec![0; before], value].concat();
        let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        for text in [
            STANDARD_NO_PAD.encode(&padded),
            URL_SAFE_NO_PAD.encode(&padded),
        ] {
            forms.push(text.as_bytes()[first..end].to_vec());
        }
    }
    forms.sort();
    forms.dedup();
    forms
}
