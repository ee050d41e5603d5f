//! What a tag promises.

use crate::Code;

/// Parts that mark what was not yet released.
const PRERELEASE: [&str; 9] = [
    "alpha", "beta", "canary", "dev", "nightly", "pre", "preview", "rc", "snapshot",
];
/// Parts that follow a branch or a channel, even beside a number.
const FLOATING: [&str; 5] = ["edge", "latest", "main", "master", "stable"];

/// Why a tag other than `latest` may move, and the word in it that says so.
/// The first reason that fits; None for what looks like a whole version.
pub(crate) fn reason<'t>(tag: &'t str, floating: &[String]) -> Option<(Code, &'t str)> {
    let is_extra = |word: &str| {
        floating
            .iter()
            .any(|extra| extra.eq_ignore_ascii_case(word))
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tag: &str) -> Option<Code> {
        reason(tag, &[]).map(|(code, _)| code)
    }

    #[test]
    fn a_part_of_a_tag_marks_a_prerelease() {
        for tag in [
            "rc",
            "dev",
            "nightly",
            "v1.2.3-rc.1",
            "7.4.0-rc1",
            "1.0.0rc1",
            "2-beta",
            "3.13-DEV",
            "1_alpha2",
        ] {
            assert_eq!(told(tag), Some(Code::ImagePrerelease), "{tag}");
        }
        for tag in [
            "1.2.3-arch",
            "1.2.3-device",
            "1.2.3-prefix",
            "1.2.3-x7rc9",
            "1.2.3-alphabet",
        ] {
            assert_eq!(told(tag), None, "{tag}");
        }
    }

    #[test]
    fn a_tag_without_a_digit_floats() {
        for tag in [
            "main",
            "stable",
            "lts",
            "alpine",
            "fixed-final",
            "LATEST",
            "_",
        ] {
            assert_eq!(told(tag), Some(Code::ImageFloating), "{tag}");
        }
    }

    #[test]
    fn a_floating_part_beside_a_number_floats() {
        for tag in [
            "16-master",
            "latest-gpu2",
            "1.2.3-Main",
            "edge.20240101",
            "stable_2",
            "latest1",
        ] {
            assert_eq!(told(tag), Some(Code::ImageFloating), "{tag}");
        }
        for tag in ["16-mastery", "1.2.3-domain", "1.2.3-unstable"] {
            assert_eq!(told(tag), None, "{tag}");
        }
    }

    #[test]
    fn numbers_alone_are_counted() {
        for (tag, expected) in [
            ("16", Some(Code::ImageMajorOnly)),
            ("v16", Some(Code::ImageMajorOnly)),
            ("20240115", Some(Code::ImageMajorOnly)),
            ("16.4", Some(Code::ImageMinorOnly)),
            ("v1.31", Some(Code::ImageMinorOnly)),
            ("26.04", Some(Code::ImageMinorOnly)),
            ("1.27.3", None),
            ("1.2.3.4", None),
            ("16-alpine", None),
            ("3.14-slim", None),
            ("V16", None),
            ("vv16", None),
            ("16.", None),
            ("2026-08-21-085629", None),
            ("week1-v3", None),
            ("1f3a9c0", None),
        ] {
            assert_eq!(told(tag), expected, "{tag}");
        }
    }

    #[test]
    fn the_first_reason_that_fits_is_told() {
        assert_eq!(
            reason("latest-dev", &[]),
            Some((Code::ImagePrerelease, "dev"))
        );
        assert_eq!(
            reason("main-alpine", &[]),
            Some((Code::ImageFloating, "main-alpine"))
        );
        assert_eq!(
            reason("16-master", &[]),
            Some((Code::ImageFloating, "master"))
        );
    }

    #[test]
    fn extra_words_float_alone_and_as_parts() {
        let words = ["lts".to_owned(), "php8".to_owned(), "v2".to_owned()];
        for (tag, word) in [
            ("22-LTS", "LTS"),
            ("1.2.3-php8", "php8"),
            ("v2", "v2"),
            ("22-lts3", "lts"),
        ] {
            assert_eq!(
                reason(tag, &words),
                Some((Code::ImageFloating, word)),
                "{tag}"
            );
        }
        assert_eq!(reason("1.2.3-alts", &words), None);
    }
}
