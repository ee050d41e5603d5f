//! What a tag promises.

use crate::Code;

/// Parts that mark what was not yet released.
const PRERELEASE: [&str; 9] =
    ["alpha", "beta", "canary", "dev", "nightly", "pre", "preview", "rc", "snapshot"];
/// Parts that follow a branch or a channel, even beside a number.
const FLOATING: [&str; 5] = ["edge", "latest", "main", "master", "stable"];

/// Why a tag other than `latest` may move, and the word in it that says so.
/// The first reason that fits; None for what looks like a whole version.
pub(crate) fn reason<'t>(tag: &'t str, floating: &[String]) -> Option<(Code, &'t str)> {
    let is_extra = |word: &str| floating.iter().any(|extra| extra.eq_ignore_ascii_case(word));
    let is_floating = |part: &&str| holds(&FLOATING, part) || is_extra(part);
    let words = || parts(tag).map(|part| part.trim_matches(|c: char| c.is_ascii_digit()));
    if let Some(word) = words().find(|word| holds(&PRERELEASE, word)) {
        return Some((Code::ImagePrerelease, word));
    }
    if is_extra(tag) || !tag.bytes().any(|byte| byte.is_ascii_digit()) {
        return Some((Code::ImageFloating, tag));
    }
    if let Some(word) = parts(tag).chain(words()).find(is_floating) {
        return Some((Code::ImageFloating, word));
    }
    match numbers(tag) {
        Some(1) => Some((Code::ImageMajorOnly, tag)),
        Some(2) => Some((Code::ImageMinorOnly, tag)),
        _ => None,
    }
}

fn holds(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn parts(tag: &str) -> impl Iterator<Item = &str> {
    tag.split(['-', '.', '_'])
}

/// How many numbers a tag of nothing but numbers and dots has, after a `v`.
fn numbers(tag: &str) -> Option<usize> {
    let numbers = tag.strip_prefix('v').unwrap_or(tag).split('.');
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    numbers.clone().all(is_number).then(|| numbers.count())
}
