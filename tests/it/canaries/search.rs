//! Finds canaries in outputs, in clear and encoded, all at once.

use std::collections::HashMap;
use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Forms are looked up by so many of their bytes.
const HEAD: usize = 8;

pub(super) struct Search {
    forms: Vec<(usize, &'static str, String)>,
    heads: HashMap<[u8; HEAD], Vec<usize>>,
}

/// A canary in an output.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) canary: usize,
    pub(super) form: &'static str,
    pub(super) context: String,
}

impl Search {
    pub(super) fn new<'v>(values: impl Iterator<Item = &'v str>) -> Search {
        let of_value = |(canary, value)| {
            forms(value)
                .into_iter()
                .map(move |(form, text)| (canary, form, text))
        };
        let forms: Vec<_> = values.enumerate().flat_map(of_value).collect();
        let mut heads: HashMap<[u8; HEAD], Vec<usize>> = HashMap::new();
        for (index, (_, _, text)) in forms.iter().enumerate() {
            let head = text
                .as_bytes()
                .first_chunk()
                .expect("a form is longer than its head");
            heads.entry(*head).or_default().push(index);
        }
        Search { forms, heads }
    }

    pub(super) fn hits(&self, text: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (start, head) in text.windows(HEAD).enumerate() {
            for index in self.heads.get(head).into_iter().flatten() {
                let (canary, form, wanted) = &self.forms[*index];
                if text[start..].starts_with(wanted.as_bytes()) {
                    let around =
                        start.saturating_sub(80)..text.len().min(start + wanted.len() + 20);
                    let context = String::from_utf8_lossy(&text[around]).into_owned();
                    let (canary, form) = (*canary, *form);
                    hits.push(Hit {
                        canary,
                        form,
                        context,
                    });
                }
            }
        }
        hits
    }

    /// The positive control of an output in which nothing is found: the first form
    /// of a canary that is not found either where it is put in the midst of it.
    pub(super) fn missed(
        &self,
        text: &[u8],
        (canary, value): (usize, &str),
    ) -> Option<&'static str> {
        let is_missed = |(form, planted): &(&'static str, String)| {
            let middle = text.len() / 2;
            let around = middle.saturating_sub(1_000)..text.len().min(middle + 1_000);
            let mut leak = text[around.clone()].to_vec();
            let at = middle - around.start;
            leak.splice(at..at, planted.bytes());
            let hits = self.hits(&leak);
            !hits
                .iter()
                .any(|hit| (hit.canary, hit.form) == (canary, *form))
        };
        let mut forms = forms(value).into_iter();
        forms.find(is_missed).map(|(form, _)| form)
    }
}

/// The forms in which a value may come out, each with its name; also half of
/// it, in clear.
pub(super) fn forms(value: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::to_string(value).expect("JSON");
    let json = json.trim_matches('"').to_owned();
    let ascii: String = json.chars().map(escaped).collect();
    let middle = value.floor_char_boundary(value.len() / 2);
    let mut forms = vec![
        ("raw", value.to_owned()),
        ("first half", value[..middle].to_owned()),
        ("second half", value[middle..].to_owned()),
        ("base64", base64(value, 0)),
        ("base64 from the second byte on", base64(value, 1)),
        ("base64 from the third byte on", base64(value, 2)),
        ("hex", hex(value)),
        ("HEX", hex(value).to_uppercase()),
        ("URL", url(value)),
        ("JSON", json),
        ("ASCII JSON", ascii),
    ];
    // Of plain letters, several forms are the same.
    let mut seen = std::collections::HashSet::new();
    forms.retain(|(_, text)| seen.insert(text.clone()));
    forms
}

fn escaped(c: char) -> String {
    match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\u{:04x}", u32::from(c)),
    }
}

/// What stays the same of its base64, whatever stands before and after, if
/// `before` bytes of the group of three come first.
fn base64(value: &str, before: usize) -> String {
    let bytes = [&b"xx"[..before], value.as_bytes()].concat();
    let text = STANDARD.encode(&bytes);
    text[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

fn hex(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn url(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            true => text.push(char::from(byte)),
            false => write!(text, "%{byte:02X}").expect("memory"),
        }
    }
    text
}

#[test]
fn a_value_is_found_in_every_form_and_at_every_place() {
    let value = "canary\"with/é and 24 more";
    let search = Search::new(["another-value-of-this-length", value].into_iter());
    let texts = [
        value.to_owned(),
        STANDARD.encode(value),
        STANDARD.encode(format!("a{value}b")),
        STANDARD.encode(format!("ab{value}")),
        STANDARD.encode(format!("password: {value}\n")),
        hex(value),
        hex(value).to_uppercase(),
        url(value),
        serde_json::json!({"a": value}).to_string(),
        "canary\\\"with/\\u00e9 and 24 more".to_owned(),
        value[..16].to_owned(),
    ];
    for text in texts {
        let hits = search.hits(format!("before{text}").as_bytes());
        assert!(hits.iter().any(|hit| hit.canary == 1), "{text}");
        assert!(hits.iter().all(|hit| hit.canary == 1), "{text}");
    }
    assert!(search.hits(b"canary\"wit, another-va").is_empty());
}
