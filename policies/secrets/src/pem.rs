//! Private keys as texts: PEM, OpenSSH, PGP, OpenVPN, PuTTY, JWK.

use std::ops::Range;

use crate::shape;

/// How far a key's body is read.
const FAR: usize = 700;
/// Signs of a body that are enough. An Ed25519 key in PKCS #8 has 64.
const ENOUGH: usize = 56;

/// The private key whose `-----BEGIN` is at `hit`.
pub(crate) fn private_key(text: &[u8], hit: &Range<usize>) -> Option<Range<usize>> {
    let rest = &text[hit.end..text.len().min(hit.end + 80)];
    let end = rest.windows(5).position(|window| window == b"-----")?;
    let label = &rest[..end];
    let is_private = ["PRIVATE KEY", "OpenVPN Static key"].iter().any(|known| {
        label
            .windows(known.len())
            .any(|window| window == known.as_bytes())
    });
    let start = hit.end + end + 5;
    (is_private && has_body(text, start)).then_some(hit.start..start)
}

/// Whether a key's body follows, and no words, dots or substitution.
fn has_body(text: &[u8], start: usize) -> bool {
    let rest = &text[start..text.len().min(start + FAR)];
    let mut body = Vec::with_capacity(ENOUGH);
    let mut lines =
        rest.split(|byte| matches!(byte, b'\n' | b'\r' | b'\\' | b' ' | b'\t' | b'"' | b'\''));
    while body.len() < ENOUGH {
        let Some(line) = lines.next() else {
            return false;
        };
        // The `n` of `\n`.
        let line = line
            .strip_prefix(b"n")
            .filter(|rest| rest.len() % 4 == 0)
            .unwrap_or(line);
        match line {
            [] | [b'n' | b'r'] => {}
            // `Proc-Type: 4,ENCRYPTED`, `DEK-Info: AES-128-CBC,00FF`, `Version: 1`.
            _ if line.ends_with(b":")
                || line.contains(&b',')
                || line.len() < 12 && body.is_empty() => {}
            _ if line.iter().all(|byte| shape::is_base64(*byte)) && !line.starts_with(b"-----") => {
                body.extend_from_slice(line);
            }
            _ => return false,
        }
    }
    !shape::is_example(&body[..ENOUGH])
}

/// The private part of the JWK whose `"kty"` is at `hit`.
pub(crate) fn json_web_key(text: &[u8], hit: &Range<usize>) -> (Option<Range<usize>>, usize) {
    let start = hit.start.saturating_sub(1024);
    let end = text.len().min(hit.end + 2048);
    let window = &text[start..end];
    let found = [&b"\"d\""[..], b"\"k\""].iter().find_map(|name| {
        let at = window.windows(3).position(|part| part == *name)? + 3;
        let rest = &window[at..];
        let blank = rest
            .iter()
            .take(16)
            .take_while(|byte| matches!(byte, b' ' | b':' | b'"' | b'\n'))
            .count();
        let value = rest[blank..]
            .iter()
            .take_while(|byte| shape::is_base64(**byte))
            .count();
        (value >= 20).then_some(start + at + blank..start + at + blank + value)
    });
    (found, end)
}

/// The private part of a PuTTY key whose `Private-Lines:` is at `hit`.
pub(crate) fn putty_key(text: &[u8], hit: &Range<usize>) -> Option<Range<usize>> {
    let line = text[hit.end..]
        .iter()
        .take(8)
        .position(|byte| *byte == b'\n')?;
    let start = hit.end + line + 1;
    let rest = &text[start..];
    let length = rest
        .iter()
        .take(64)
        .take_while(|byte| shape::is_base64(**byte))
        .count();
    (length >= 40).then_some(start..start + length)
}
