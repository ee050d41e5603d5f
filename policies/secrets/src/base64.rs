//! Base64: runs of it in a text, and what they decode to.

use std::ops::Range;

use crate::shape::is_base64;

/// The shortest run that is decoded: it holds `password=x`.
const SHORTEST: usize = 24;

/// What base64 in either alphabet decodes to, padded or not; None if it is none.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text
        .iter()
        .rev()
        .take(2)
        .take_while(|byte| **byte == b'=')
        .count();
    let text = &text[..text.len() - padding];
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            bits = bits << 6 | u32::from(value(*byte)?);
        }
        bits <<= 6 * (4 - group.len());
        let [_, decoded @ ..] = bits.to_be_bytes();
        bytes.extend_from_slice(&decoded[..group.len() - 1]);
    }
    Some(bytes)
}

fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

/// The text that a run decodes to; None if that is no text.
pub(crate) fn decode_text(run: &[u8]) -> Option<String> {
    // Most runs are no base64 of a text: that shows at once.
    let head = decode(&run[..run.len().min(48) / 4 * 4])?;
    if !head.iter().all(|byte| is_text(*byte)) {
        return None;
    }
    let text = String::from_utf8(decode(run)?).ok()?;
    text.bytes().all(is_text).then_some(text)
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t' | 0x80..)
}

/// Runs of base64 of at least [`SHORTEST`] signs. Looks at one sign in so many
/// until it meets one.
pub(crate) fn runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at + SHORTEST <= text.len() {
            let window = &text[at..at + SHORTEST];
            match window.iter().rposition(|byte| !is_base64(*byte)) {
                Some(last) => at += last + 1,
                None => {
                    let rest = text[at + SHORTEST..].iter();
                    let more = rest.take_while(|byte| is_base64(**byte)).count();
                    let run = at..at + SHORTEST + more;
                    at = run.end;
                    return Some(run);
                }
            }
        }
        None
    })
}

/// The whole text without its line ends, if it is nothing but base64 on
/// several lines.
pub(crate) fn wrapped(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let is_sign = |byte: u8| is_base64(byte) || matches!(byte, b'\n' | b'\r' | b' ');
    let is_wrapped = text.contains('\n') && text.bytes().all(is_sign);
    is_wrapped.then(|| text.bytes().filter(|byte| is_base64(*byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_in_either_alphabet_padded_or_not() {
        for (text, expected) in [
            ("", &b""[..]),
            ("YQ==", b"a"),
            ("YQ", b"a"),
            ("YWI=", b"ab"),
            ("YWJj", b"abc"),
            ("-_-_", b"\xfb\xff\xbf"),
            ("+/+/", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(expected), "{text}");
        }
        for text in ["Y", "YWJjZ", "Y*==", "YQ=a"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn runs_of_base64_are_found_wherever_they_begin() {
        let run = "QUJDREVGR0hJSktMTU5PUFFSU1RVVg";
        for lead in 0..60 {
            let text = format!("{}:{run} x", " ".repeat(lead));
            let found: Vec<_> = runs(text.as_bytes()).collect();
            assert_eq!(found.len(), 1, "{lead}");
            assert_eq!(text[found[0].clone()], *run, "{lead}");
        }
        assert_eq!(
            runs(b"some words and no run of it, however long").count(),
            0
        );
    }
}
