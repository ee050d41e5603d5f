//! What a value is, whatever key it stands under.

use crate::nothing::{is_name_of_something, is_nothing, may_be_name};
use crate::words;
use crate::{judge, shape};

/// What a value may be, from what cannot be a secret to what must be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// A reference, a placeholder, a flag, a path, a URL, a text, code.
    Nothing,
    /// Digits only.
    Number,
    /// A word or a name.
    Plain,
    /// Letters and digits, or signs: harder than a word.
    Mixed,
    /// A UUID.
    Uuid,
    /// The hash of a password.
    Hash,
    /// Hard to guess: made by a machine.
    Random,
}

/// The most bytes of a value that are looked at; longer values are cut by
/// whoever reads them.
pub(crate) const MAX_BYTES: usize = 1024;

/// Judges a value by itself.
pub(crate) fn grade(value: &[u8]) -> Grade {
    let value = strip_scheme(value.trim_ascii());
    if value.len() < 4 || is_reference(value) {
        return match shape::is_digits(value) {
            true => Grade::Number,
            false => Grade::Nothing,
        };
    }
    if is_hash(value) {
        return Grade::Hash;
    }
    if shape::is_digits(value) {
        return Grade::Number;
    }
    if is_nothing(value) {
        return Grade::Nothing;
    }
    if shape::is_uuid(value) {
        return Grade::Uuid;
    }
    if shape::is_random(value) || is_app_password(value) {
        return match shape::says_example(value) {
            true => Grade::Plain,
            false => Grade::Random,
        };
    }
    if is_name_of_something(value) {
        return Grade::Nothing;
    }
    plain_or_mixed(value)
}

fn plain_or_mixed(value: &[u8]) -> Grade {
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let is_sign = |byte: &u8| byte.is_ascii_punctuation() && !matches!(byte, b'-' | b'_' | b'.');
    // What ends a label or a sentence is no sign of a password.
    let end = value
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b'*' | b':' | b'?' | b'!' | b'.'));
    let signs = value[..value.len() - end.count()].iter().any(is_sign);
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic());
    match letters.count() {
        0..2 => Grade::Nothing,
        _ if !value.is_ascii() && !has_digit => Grade::Nothing,
        _ if (has_digit || signs) && value.len() >= 6 => Grade::Mixed,
        _ => Grade::Plain,
    }
}

/// `Bearer x`, `token x`: what stands before a token in a header.
fn strip_scheme(value: &[u8]) -> &[u8] {
    for scheme in ["bearer ", "token ", "apikey ", "key ", "plain:", "base64:"] {
        if shape::starts_with(value, scheme) {
            return value[scheme.len()..].trim_ascii();
        }
    }
    value
}

/// What stands for a value that comes from somewhere else.
pub(crate) fn is_reference(value: &[u8]) -> bool {
    let holds = |part: &str| shape::contains(value, part);
    match value {
        [b'$', rest @ ..] if !is_hash(value) && is_path(rest) => return true,
        [b'<', .., b'>'] | [b'{', .., b'}'] | [b'[', .., b']'] | [b'%', .., b'%'] => return true,
        [b'@', .., b'@'] | [b'_', b'_', .., b'_', b'_'] | [b'#', b'{', ..] => return true,
        [b'*' | b'&', rest @ ..] if is_path(rest) => return true,
        [b'!', rest @ ..] if is_path(rest) && !has_all_kinds(rest) => return true,
        [b'`', .., b'`'] | [b'|'] | [b'>'] => return true,
        [b'`', ..] if !shape::is_random(value) => return true,
        _ => {}
    }
    words::LOOKUPS.iter().any(|part| holds(part))
        || words::SUBSTITUTIONS
            .iter()
            .any(|signs| is_replaced(value, signs))
        || words::REFERENCES
            .iter()
            .any(|prefix| shape::starts_with(value, prefix))
}

/// Whether something between these signs is replaced. In what looks random they
/// may stand by chance: there they enclose what could be a name.
fn is_replaced(value: &[u8], [opening, closing]: &[&str; 2]) -> bool {
    let start = shape::position(value, opening);
    if start.is_none() && (closing.len() == 1 || !shape::contains(value, closing)) {
        return false;
    }
    if !shape::is_random(value) {
        return true;
    }
    let rest = start.map(|start| &value[start + opening.len()..]);
    rest.is_some_and(|rest| {
        // The last one: defaults are substitutions, too.
        let end = shape::last_position(rest, closing);
        end.is_some_and(|end| may_be_name(&rest[..end]))
    })
}

/// `QAZ2wsx`: capitals, small letters and digits, as no tag of YAML has them.
fn has_all_kinds(text: &[u8]) -> bool {
    let kinds = [
        u8::is_ascii_uppercase,
        u8::is_ascii_lowercase,
        u8::is_ascii_digit,
    ];
    kinds.iter().all(|is_it| text.iter().any(is_it))
}

/// Words, and `.`, `:`, `/` and `-` between them.
fn is_path(text: &[u8]) -> bool {
    let is_sign = |byte: &u8| matches!(byte, b'_' | b'.' | b':' | b'/' | b'-' | b'@');
    let first = text.first();
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || is_sign(byte))
}

/// Hashes of passwords: crypt(3) and what looks like it, LDAP, Django,
/// PostgreSQL, MySQL, and bcrypt as bytes in hexadecimal.
pub(crate) fn is_hash(value: &[u8]) -> bool {
    let is_crypt = || {
        let mut parts = value.splitn(4, |byte| *byte == b'$');
        let (empty, id, first) = (parts.next(), parts.next(), parts.next());
        let is_id = |id: &[u8]| {
            !id.is_empty()
                && id.len() <= 20
                && words::CRYPT.iter().any(|known| id == known.as_bytes())
        };
        empty == Some(b"") && id.is_some_and(is_id) && first.is_some_and(|part| !part.is_empty())
    };
    let ldap = [
        "{ssha", "{sha", "{smd5}", "{md5}", "{crypt}", "{bcrypt}", "{pbkdf2", "{argon2",
    ];
    let django = [
        "pbkdf2_sha",
        "pbkdf2:sha",
        "bcrypt_sha256$",
        "argon2$",
        "scrypt:",
        "scram-sha-256$",
        "\\x2432",
    ];
    let begins = |list: &[&str]| list.iter().any(|start| shape::starts_with(value, start));
    let is_hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    value.len() >= 20
        && (is_crypt()
            || begins(&ldap) && value.len() >= 26
            || begins(&django)
            || value.len() == 35 && shape::starts_with(value, "md5") && is_hex(&value[3..])
            || value.len() == 41 && value[0] == b'*' && is_hex(&value[1..]))
}

/// Four groups of four small letters, as Google hands them out.
pub(crate) fn is_app_password(value: &[u8]) -> bool {
    value.len() == 19
        && value
            .iter()
            .enumerate()
            .all(|(index, byte)| match index % 5 {
                4 => *byte == b' ',
                _ => byte.is_ascii_lowercase(),
            })
}

/// Whether a value only repeats what its key says, or names another key:
/// `password: db_password`, `password: POSTGRES_PASSWORD`.
pub(crate) fn is_meant(name: &[u8], value: &[u8]) -> bool {
    let is_variable = value.contains(&b'_')
        && value
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    let is_snake = value.contains(&b'_')
        && value
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    let is_kebab = value.contains(&b'-')
        && value
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || *byte == b'-')
        && !name.iter().any(u8::is_ascii_uppercase);
    let is_camel = value[..value.len().min(1)]
        .iter()
        .all(u8::is_ascii_lowercase)
        && value.iter().any(u8::is_ascii_uppercase)
        && value.iter().all(u8::is_ascii_alphabetic);
    is_variable || (is_snake || is_kebab || is_camel) && judge::is_key_name(value)
}
