//! The parser of references: a table by hand, and a second opinion from the
//! grammar as the distribution project publishes it.

use std::collections::BTreeSet;

use portcullis_sdk::image::{Fault, Reference};
use regex::Regex;

const TABLE: &str = include_str!("vectors/references.txt");

/// `{x*3}` as `xxx`.
fn expand(text: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (repeat, after) = after.split_once('}').expect("a brace is closed");
        let (unit, times) = repeat.split_once('*').expect("a brace holds a `*`");
        expanded += before;
        expanded += &unit.repeat(times.parse().expect("a number follows `*`"));
        rest = after;
    }
    expanded + rest
}

fn vectors() -> Vec<(String, String)> {
    let lines = TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let vectors = lines.map(|line| line.split_once(" -> ").expect("a line has an arrow"));
    vectors
        .map(|(reference, expected)| (expand(reference), expand(expected)))
        .collect()
}

fn whole_name(reference: &Reference<'_>) -> String {
    reference.components().collect::<Vec<_>>().join("/")
}

fn told(text: &str) -> String {
    let part = |part: Option<&str>| part.unwrap_or("-").to_owned();
    match Reference::parse(text) {
        Ok(reference) => {
            let Reference { tag, digest, .. } = reference;
            format!("{} {} {}", whole_name(&reference), part(tag), part(digest))
        }
        Err(Fault::Scheme) => "invalid scheme".into(),
        Err(Fault::Name) => "invalid name".into(),
        Err(Fault::UpperCase) => "invalid uppercase".into(),
        Err(Fault::Tag) => "invalid tag".into(),
        Err(Fault::Digest) => "invalid digest".into(),
    }
}

#[test]
fn every_reference_of_the_table_is_read_as_it_says() {
    let vectors = vectors();
    assert!(vectors.len() >= 200, "only {} vectors", vectors.len());
    let unique: BTreeSet<_> = vectors.iter().map(|(reference, _)| reference).collect();
    assert_eq!(unique.len(), vectors.len(), "a reference is there twice");
    for (reference, expected) in vectors {
        assert_eq!(told(&reference), expected, "{reference:?}");
    }
}

/// The grammar of <https://github.com/distribution/reference> as a regular
/// expression, with its rules for Docker Hub.
struct Grammar {
    whole: Regex,
    domain: Regex,
    digest: Regex,
}

impl Grammar {
    fn new() -> Self {
        let label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
        let host = format!(r"(?:{label}(?:\.{label})*|\[(?:[a-fA-F0-9:]+)\])");
        let domain = format!("{host}(?::[0-9]+)?");
        let component = "[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*";
        let path = format!("{component}(?:/{component})*");
        let tag = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";
        let digest = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*[:][0-9a-fA-F]{32,}";
        let whole = format!("^({domain})/({path})(?::({tag}))?(?:@({digest}))?$");
        let hash = "^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$";
        let regex = |text: &str| Regex::new(text).expect("the grammar is a regular expression");
        Grammar {
            whole: regex(&whole),
            domain: regex(r"[.:A-Z]|^localhost$"),
            digest: regex(hash),
        }
    }

    /// The reference with Docker Hub's registry and `library` written out.
    fn normalised(&self, text: &str) -> String {
        let (domain, rest) = match text.split_once('/') {
            Some((first, rest)) if self.domain.is_match(first) => (first, rest),
            _ => ("docker.io", text),
        };
        let domain = if domain == "index.docker.io" {
            "docker.io"
        } else {
            domain
        };
        if domain == "docker.io" && !rest.contains('/') {
            return format!("docker.io/library/{rest}");
        }
        format!("{domain}/{rest}")
    }

    /// Whole name, tag and digest; None for what is no reference.
    fn told(&self, text: &str) -> Option<String> {
        if text.len() == 64 && text.bytes().all(|b| b"0123456789abcdef".contains(&b)) {
            return None;
        }
        let normalised = self.normalised(text);
        let parts = self.whole.captures(&normalised)?;
        let part = |index: usize| parts.get(index).map_or("-", |part| part.as_str());
        let is_known = part(4) == "-" || self.digest.is_match(part(4));
        let fits = is_known && part(2).len() <= 255;
        fits.then(|| format!("{}/{} {} {}", part(1), part(2), part(3), part(4)))
    }
}

/// A small generator (xorshift), so that a failure repeats.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// Pieces that references are made of, and what nearly fits.
const PIECES: [&str; 40] = [
    "a",
    "b1",
    "nginx",
    "App",
    "0",
    "-",
    "--",
    "_",
    "__",
    "___",
    ".",
    "..",
    "/",
    "/",
    "//",
    ":",
    ":",
    "@",
    "localhost",
    "docker.io",
    "index.docker.io",
    "library",
    "ghcr.io",
    "host:5000",
    "[::1]",
    "[",
    "]",
    "::",
    ":5000",
    ":latest",
    ":v1.2",
    "@sha256:",
    "sha512:",
    "x86",
    "_x",
    "é",
    " ",
    "+",
    "xn--a",
    "Z",
];

fn assembled(chance: &mut Chance) -> String {
    let pieces = 1 + chance.below(7);
    let mut text: String = (0..pieces).map(|_| *chance.pick(&PIECES)).collect();
    if chance.below(4) == 0 {
        let (algorithm, length) = *chance.pick(&[
            ("sha256", 64),
            ("sha384", 96),
            ("sha512", 128),
            ("sha256", 63),
        ]);
        text += &format!("@{algorithm}:{}", "0f".repeat(length).split_at(length).0);
    }
    text
}

/// A vector with one character changed, dropped or doubled.
fn bent(vector: &str, chance: &mut Chance) -> String {
    let mut characters: Vec<char> = vector.chars().collect();
    let at = chance.below(characters.len());
    let other: Vec<char> = "aA0-_./:@[]f é".chars().collect();
    match chance.below(3) {
        0 => characters[at] = *chance.pick(&other),
        1 => characters.insert(at, *chance.pick(&other)),
        _ => drop(characters.remove(at)),
    }
    characters.into_iter().collect()
}

fn agree(grammar: &Grammar, text: &str) -> bool {
    let parsed = Reference::parse(text);
    let ours = parsed.is_ok().then(|| told(text));
    assert_eq!(ours, grammar.told(text), "{text:?}: {parsed:?}");
    ours.is_some()
}

#[test]
fn the_parser_agrees_with_the_published_grammar() {
    let grammar = Grammar::new();
    let vectors = vectors();
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut valid = 0;
    for (reference, _) in &vectors {
        agree(&grammar, reference);
    }
    for _ in 0..40_000 {
        valid += usize::from(agree(&grammar, &assembled(&mut chance)));
        let (reference, _) = chance.pick(&vectors);
        valid += usize::from(agree(&grammar, &bent(reference, &mut chance)));
    }
    assert!(
        (10_000..70_000).contains(&valid),
        "{valid} of 80,000 were valid: a poor mixture"
    );
}

#[test]
fn the_parts_put_together_are_the_reference() {
    for (text, _) in vectors() {
        let Ok(Reference { name, tag, digest }) = Reference::parse(&text) else {
            continue;
        };
        let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = digest
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        assert_eq!(format!("{name}{tag}{digest}"), text);
    }
}
