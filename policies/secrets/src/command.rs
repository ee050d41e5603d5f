//! Commands: flags with passwords, and users in SQL.

use std::ops::Range;

use crate::assign;
use crate::value::{self, Grade};
use crate::{Confidence, header};

/// How far the flag or the password is.
const FAR: usize = 200;

/// The password of `IDENTIFIED BY 'x'`, whose first word is at `hit`.
pub(crate) fn identified_by(text: &[u8], hit: &Range<usize>) -> Option<(Range<usize>, Confidence)> {
    let rest = &text[hit.end..text.len().min(hit.end + FAR)];
    let by = rest
        .windows(3)
        .position(|word| word.eq_ignore_ascii_case(b"by "))?;
    if by > 64 || rest[..by].contains(&b';') {
        return None;
    }
    let start = assign::skip_blanks(text, hit.end + by + 3);
    let (quote, first) = assign::quote_at(text, start)?;
    let end = assign::end_of_quoted(text, first, quote)?;
    sure(&text[first..end]).map(|confidence| (first..end, confidence))
}

fn sure(value: &[u8]) -> Option<Confidence> {
    match value::grade(value) {
        Grade::Random | Grade::Mixed => Some(Confidence::High),
        Grade::Plain | Grade::Uuid => Some(Confidence::Medium),
        Grade::Number => (value.len() >= 6).then_some(Confidence::Medium),
        Grade::Nothing | Grade::Hash => None,
    }
}

/// Programs that take a password by a short flag, whether it may adjoin the
/// flag, and whether a user name and a colon are before it.
const PROGRAMS: [(&str, &str, bool, bool); 5] = [
    ("curl ", "-u", false, true),
    ("sshpass ", "-p", true, false),
    ("redis-cli ", "-a", false, false),
    ("mysql", "-p", true, false),
    ("mariadb", "-p", true, false),
];

/// The password after a short flag of the program whose name is at `hit`.
pub(crate) fn short_flag(text: &[u8], hit: &Range<usize>) -> Option<(Range<usize>, Confidence)> {
    let name = &text[hit.clone()];
    let known = PROGRAMS
        .iter()
        .find(|(known, ..)| name == known.as_bytes())?;
    let (_, flag, adjoins, has_user) = *known;
    let before = text[..hit.start].last();
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    {
        return None;
    }
    let rest = &text[hit.end..text.len().min(hit.end + FAR)];
    let line = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..line];
    let is_flag =
        |at: &usize| line[*at..].starts_with(flag.as_bytes()) && (*at == 0 || line[at - 1] == b' ');
    let at = (0..line.len()).find(is_flag)? + flag.len();
    let mut start = hit.end + at;
    let blanks = assign::skip_blanks(text, start) - start;
    if blanks > 0 && adjoins && flag == "-p" && name != b"sshpass " || blanks == 0 && !adjoins {
        return None;
    }
    start += blanks;
    let mut range = match assign::quote_at(text, start) {
        Some((quote, first)) => first..assign::end_of_quoted(text, first, quote)?,
        None => start..start + header::word_length(&text[start..]),
    };
    if has_user {
        range.start += text[range.clone()].iter().position(|byte| *byte == b':')? + 1;
    }
    sure(&text[range.clone()]).map(|confidence| (range, confidence))
}
