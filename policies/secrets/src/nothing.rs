//! Values that are no secret under any key.

use crate::value::is_app_password;
use crate::{shape, words};

/// What is no secret under any key: placeholders, words with a meaning,
/// paths, URLs, texts, numbers, code.
pub(crate) fn is_nothing(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let is_word = |word: &&str| lower == word.as_bytes();
    words::VALUES.iter().any(is_word)
        || words::PLACEHOLDERS
            .iter()
            .any(|part| shape::says(value, part))
        || is_masked(value)
        || is_sealed(value)
        || is_public(value)
        || shape::is_number(value) && !shape::is_random(value) && !shape::is_no_amount(value)
        || shape::is_duration(value)
        || is_file(value)
        || is_url(value)
        || is_text(value)
        || is_code(value)
        || is_regex(value)
        || is_account(value)
}

/// What no text has but a regular expression.
const REGEX: [&str; 13] = [
    "[a-z", "a-z]", "[0-9", "0-9]", "[a-f0", "a-f]", "(?:", "(?=", "(?!", "(?p<", "(?i)", "\\d+",
    "\\w+",
];

/// `^[a-z]+$`
fn is_regex(value: &[u8]) -> bool {
    let is_anchored =
        value.starts_with(b"^") && (value.ends_with(b"$") || !shape::is_random(value));
    is_anchored || REGEX.iter().any(|part| shape::contains(value, part))
}

/// `****`, `xxxx`, `....`, `----`.
fn is_masked(value: &[u8]) -> bool {
    value.iter().all(|byte| *byte == value[0])
        || value
            .iter()
            .all(|byte| matches!(byte, b'x' | b'X' | b'*' | b'.' | b'-' | b'_' | b'?' | b'#'))
}

/// The ciphertext of a SealedSecret: base64, whose first bytes are a length
/// below 1024 (the encrypted session key's).
fn is_sealed(value: &[u8]) -> bool {
    value.len() > 100
        && value.starts_with(b"Ag")
        && value.iter().all(|byte| shape::is_base64(*byte))
}

/// Keys that are made to be shown, and certificates.
fn is_public(value: &[u8]) -> bool {
    let begins = |start: &&str| shape::starts_with(value, start);
    words::PUBLIC.iter().any(begins)
}

/// A path, or the name of a file.
fn is_file(value: &[u8]) -> bool {
    if value.contains(&b' ') {
        return false;
    }
    let begins = |start: &&str| shape::starts_with(value, start);
    let drive = value.len() > 3 && value[1] == b':' && value[2] == b'\\';
    let rooted = ["./", "../", "~/", "/"].iter().any(begins);
    if drive || rooted {
        // What a machine made may begin with a slash too.
        let may_be_file = rooted && value[1..].contains(&b'.') && !shape::is_symbolic(value);
        return may_be_file || !shape::is_random(value) || is_of_words(value);
    }
    let end = value
        .rsplit(|byte| *byte == b'.')
        .next()
        .unwrap_or_default();
    let has_extension = end.len() < value.len()
        && words::EXTENSIONS
            .iter()
            .any(|known| end.eq_ignore_ascii_case(known.as_bytes()));
    let is_relative = value.contains(&b'/') && value.split(|byte| *byte == b'/').all(is_plain_word);
    has_extension || is_relative
}

/// Whether most parts of a path, without a query, are words, and none is random.
fn is_of_words(path: &[u8]) -> bool {
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let parts = || {
        let parts = path.split(|byte| matches!(byte, b'/' | b'\\'));
        parts.filter(|part| part.len() > 1 && !part.ends_with(b":"))
    };
    let is_small = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_word = |part: &&[u8]| match part {
        [first, rest @ ..] if first.is_ascii_alphabetic() => {
            rest.iter().take(2).all(u8::is_ascii_lowercase) && rest.len() > 1
                || part.len() < 4 && part.iter().all(is_small)
        }
        _ => false,
    };
    let words = parts().filter(is_word).count();
    words * 2 >= parts().count() && words > 0 && !shape::has_random_run(path)
}

/// A part of a path: small letters, digits and signs, and no random.
fn is_plain_word(part: &[u8]) -> bool {
    let is_sign = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*');
    part.iter().all(is_sign) && !shape::is_random(part)
}

/// A URL; what it holds of credentials is found by its own detector.
fn is_url(value: &[u8]) -> bool {
    let scheme = value.windows(3).position(|window| window == b"://");
    scheme.is_some_and(|end| {
        end > 0
            && value[..end].iter().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-' | b':')
            })
    }) || [
        "mailto:", "urn:", "jdbc:", "unix:", "tcp:", "data:", "http:", "arn:",
    ]
    .iter()
    .any(|start| shape::starts_with(value, start))
}

/// More than two words, or two without digits.
fn is_text(value: &[u8]) -> bool {
    let words = value
        .split(|byte| byte.is_ascii_whitespace())
        .filter(|word| !word.is_empty());
    match words.count() {
        0 | 1 => false,
        _ if is_app_password(value) => false,
        2 => !value.iter().any(u8::is_ascii_digit),
        _ => true,
    }
}

/// A line of /etc/passwd: seven fields, and `x` where a hash once was.
fn is_account(value: &[u8]) -> bool {
    let fields = value.split(|byte| *byte == b':');
    fields.clone().count() == 7 && matches!(fields.clone().nth(1), Some([] | [b'x' | b'*' | b'!']))
}

/// A call, an index, a member: `get("x")`, `row[0]`, `config.password`.
fn is_code(value: &[u8]) -> bool {
    let name = value
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'));
    let name = name.count();
    let ends = |end: &[u8]| value.ends_with(end);
    let is_call = name > 1
        && match value.get(name) {
            Some(b'(') => ends(b")") || ends(b");") || ends(b"("),
            Some(b'[') => value.contains(&b']'),
            _ => false,
        }
        && (!shape::is_symbolic(value) || is_member(value, name));
    let is_open = value.ends_with(b"->") || value.ends_with(b"{");
    is_call || value.starts_with(b"function") || is_open && !shape::is_random(value)
}

/// `data.tokens[0].value`, `get("x")`: no sign but those of names, calls and indexes.
fn is_member(value: &[u8], name: usize) -> bool {
    let is_sign = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-$[]()\"' ,;".contains(byte);
    name > 2 && value.iter().all(is_sign) && !shape::has_random_run(value)
}

/// Whether a part of what looks random could name something, or compute it.
pub(crate) fn may_be_name(part: &[u8]) -> bool {
    let is_sign = |byte: &u8| b" {(<!=.$\"'-#/".contains(byte);
    let name = part.iter().skip_while(|byte| is_sign(byte));
    let is_letter = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let first: Vec<u8> = name.take_while(is_letter).copied().collect();
    let begins = first.first().is_some_and(|first| !first.is_ascii_digit());
    begins && first.len() > 2 && !shape::has_random_run(part)
}

/// A host, an address, a member of an object.
pub(crate) fn is_name_of_something(value: &[u8]) -> bool {
    let mail = value.iter().rposition(|byte| *byte == b'@');
    match mail {
        Some(0) => false,
        Some(at) => value[at + 1..].contains(&b'.') && is_place(&value[at + 1..]),
        None => is_place(value),
    }
}

/// `db.internal:5432`, `home.attic.light`
fn is_place(value: &[u8]) -> bool {
    let host = value.split(|byte| *byte == b':').next().unwrap_or_default();
    let labels = || host.split(|byte| *byte == b'.');
    let is_label = |label: &[u8]| {
        !label.is_empty()
            && label
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_top = |label: &[u8]| label.len() >= 2 && label.iter().all(u8::is_ascii_alphabetic);
    let is_host =
        labels().count() > 1 && labels().all(is_label) && labels().next_back().is_some_and(is_top);
    let rest = &value[host.len()..];
    let is_port = rest.is_empty() || rest.len() > 1 && shape::is_digits(&rest[1..]);
    let is_plain = |label: &[u8]| {
        label
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    let is_topic = labels().count() > 2 && labels().all(|label| is_label(label) && is_plain(label));
    is_host && is_port || is_topic
}
