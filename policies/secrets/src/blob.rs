//! Files that are no texts.

use crate::{Confidence, Kind};

/// What a file begins with, what it is, and how sure that is a secret.
const FILES: [(&[u8], &str, Confidence); 8] = [
    (b"\0GITCRYPTKEY", "a git-crypt key", Confidence::High),
    (
        &[0xfe, 0xed, 0xfe, 0xed],
        "a Java key store",
        Confidence::Medium,
    ),
    (
        &[0xce, 0xce, 0xce, 0xce],
        "a Java key store",
        Confidence::Medium,
    ),
    (
        &[0x03, 0xd9, 0xa2, 0x9a, 0x67, 0xfb, 0x4b, 0xb5],
        "a KeePass database",
        Confidence::Medium,
    ),
    (b"\x95\x03", "a PGP private key", Confidence::Medium),
    (b"\x95\x01", "a PGP private key", Confidence::Medium),
    (b"\x94\x03", "a PGP private key", Confidence::Medium),
    (
        b"openssh-key-v1\0",
        "an OpenSSH private key",
        Confidence::High,
    ),
];

/// What a file is, by its first bytes.
pub(crate) fn judge(bytes: &[u8]) -> Option<(Kind, Confidence)> {
    let known = FILES.iter().find(|(start, _, _)| bytes.starts_with(start));
    if let Some((_, title, confidence)) = known {
        return Some((Kind::Format(title), *confidence));
    }
    let inner = der_sequence(bytes)?;
    match inner {
        // PKCS #12: version 3, then the safe.
        [2, 1, 3, 0x30, ..] => Some((Kind::Format("a PKCS #12 key store"), Confidence::Medium)),
        // PKCS #8: version 0 or 1, then the algorithm, a sequence with an OID.
        [2, 1, 0 | 1, 0x30, _, 6, ..] => Some((Kind::PrivateKey, Confidence::High)),
        // PKCS #1: version 0, then the modulus; SEC 1: version 1, then the key.
        [2, 1, 0, 2, 0x81 | 0x82, ..] | [2, 1, 1, 4, 0x10..=0x42, ..] => {
            Some((Kind::PrivateKey, Confidence::High))
        }
        _ => None,
    }
}

/// The content of a DER sequence that is as long as it says.
fn der_sequence(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = match bytes {
        [0x30, 0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        [0x30, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x30, length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
        _ => return None,
    };
    (rest.len() == length).then_some(rest)
}

/// A file as text: UTF-8, or UTF-16 with a mark at its beginning.
pub(crate) fn text(bytes: Vec<u8>) -> Option<String> {
    let wide = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| order([pair[0], pair[1]]))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        _ if bytes.starts_with(&[0xff, 0xfe]) => Some(wide(u16::from_le_bytes)),
        _ if bytes.starts_with(&[0xfe, 0xff]) => Some(wide(u16::from_be_bytes)),
        _ if bytes.iter().take(512).any(|byte| *byte == 0) => None,
        bytes => Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        }),
    }
}
