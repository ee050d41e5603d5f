//! URLs with user name and password.

use std::ops::Range;

use crate::format::Format;
use crate::value::{self, Grade};
use crate::{Confidence, shape};

/// The longest user name and password together, in bytes.
const FAR: usize = 512;

/// The password of the URL whose `://` is at `hit`, or the token in place of
/// its user name.
pub(crate) fn credentials(
    text: &[u8],
    hit: &Range<usize>,
    format: Format,
) -> Option<(Range<usize>, Confidence)> {
    let scheme = text[..hit.start].iter().rev().take(24);
    let is_sign =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-' | b'_');
    let scheme = scheme.take_while(is_sign).count();
    let start = hit.end;
    let rest = &text[start..text.len().min(start + FAR)];
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b','
            )
    };
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    let at = rest[..end].iter().rposition(|byte| *byte == b'@')?;
    let host = &rest[at + 1..end];
    if scheme == 0 || host.is_empty() || is_example_host(host) {
        return None;
    }
    let user = &rest[..at];
    let Some(colon) = user.iter().position(|byte| *byte == b':') else {
        let is_token =
            user.len() >= 20 && shape::is_random(user) && !shape::contains(host, "sentry");
        return is_token.then_some((start..start + at, Confidence::Medium));
    };
    let (name, password) = (&user[..colon], &user[colon + 1..]);
    let confidence = sure(name, password, format)?;
    Some((start + colon + 1..start + at, confidence))
}

/// The password before the `@tcp(` at `hit`, and not before `from`:
/// `user:password@tcp(db:3306)/shop`, as Go's driver for MySQL reads it
/// (github.com/go-sql-driver/mysql, "DSN"), where the protocol may be left out.
pub(crate) fn of_driver(
    text: &[u8],
    hit: &Range<usize>,
    from: usize,
    format: Format,
) -> Option<(Range<usize>, Confidence)> {
    let rest = &text[hit.end..text.len().min(hit.end + FAR)];
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'(' | b')' | b'@');
    let host = &rest[..rest.iter().position(ends)?];
    if is_example_host(host) || !rest[host.len()..].starts_with(b")/") {
        return None;
    }
    let head = &text[from.max(hit.start.saturating_sub(FAR))..hit.start];
    let begins =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>');
    let length = head.iter().rev().position(begins).unwrap_or(head.len());
    let start = hit.start - length;
    let head = &text[start..hit.start];
    let colon = start + head.iter().position(|byte| *byte == b':')?;
    // `DSN=user:password@tcp(...)`
    let name = text[start..colon].rsplit(|byte| *byte == b'=').next()?;
    let password = colon + 1..hit.start;
    let is_name = !name.is_empty() && !text[password.clone()].starts_with(b"//");
    let confidence = is_name.then(|| sure(name, &text[password.clone()], format))??;
    Some((password, confidence))
}

fn sure(name: &[u8], password: &[u8], format: Format) -> Option<Confidence> {
    let is_one_of = |word: &[u8], list: &[&str]| {
        list.iter()
            .any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    };
    let named = is_one_of(
        name,
        &["user", "username", "login", "name", "foo", "me", "usr"],
    );
    let said = is_one_of(
        password,
        &[
            "password", "pass", "passwd", "pwd", "pw", "secret", "bar", "token",
        ],
    );
    if named && said || password.is_empty() || is_masked(password) {
        return None;
    }
    let is_config = matches!(format, Format::Data | Format::Shell);
    match value::grade(password) {
        Grade::Random | Grade::Mixed if is_config => Some(Confidence::High),
        Grade::Random | Grade::Mixed => Some(Confidence::Medium),
        Grade::Uuid | Grade::Hash => Some(Confidence::Medium),
        Grade::Plain | Grade::Number => is_config.then_some(Confidence::Medium),
        Grade::Nothing if password.len() < 4 => {
            let is_word = password.iter().all(u8::is_ascii_alphanumeric);
            (is_config && is_word && password.len() > 1).then_some(Confidence::Medium)
        }
        Grade::Nothing => None,
    }
}

fn is_masked(password: &[u8]) -> bool {
    password
        .iter()
        .all(|byte| matches!(byte, b'x' | b'X' | b'*' | b'.' | b'_' | b'-'))
}

/// Hosts that are made for examples.
fn is_example_host(host: &[u8]) -> bool {
    ["example.com", "example.org", "example.net"]
        .iter()
        .any(|known| shape::contains(host, known))
}
