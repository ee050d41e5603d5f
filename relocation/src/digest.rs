//! The keyed digest in a placeholder, and the keys that it is made with.
//!
//! A digest has two parts. The *value's* part is bound to namespace, ConfigMap,
//! half, key, staged Secret and value: it tells whether a plaintext value that is
//! sent again is the one that was moved (so that `kubectl diff` and Flux see a
//! rotation, and a steady re-apply writes nothing), and whether what a staged
//! Secret holds is what the placeholder was made for.
//!
//! The *seal* is for admission, which reads no Secret and so no value. It tells
//! that the placeholder was issued in this very request: other webhooks change the
//! object, and the API server asks again. It is bound to all of the above, to the
//! time of issue, to the resourceVersion of the old object (none on a create) and
//! to who asks. So a placeholder that was copied, or was the ConfigMap's own some
//! writes ago, or was issued to somebody else, has a seal that is not good.
//!
//! Time and size stand in it readably; the size is rounded up. The keys of a
//! ConfigMap must fit into one Secret, and admission cannot read those that were
//! moved before.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::field::Field;
use crate::names::{Half, hex};

/// Bytes of each part: 128 bits.
const PART: usize = 16;
/// Bytes that sizes are rounded up to.
const UNIT: usize = 64;
/// Digits in text: time of issue, size, value, seal.
const DIGITS: usize = 8 + 4 + 2 * PART + 2 * PART;
/// Least length of a key, in bytes: that of the hash (RFC 2104, section 3).
pub const LEAST_KEY: usize = 32;

/// The keys for digests: one that new ones are made with, and others that are
/// accepted. To rotate without a gap, a new key is first accepted everywhere,
/// then made current, and the former one accepted until nothing is sealed by it.
/// A placeholder of a key that is gone still stands; the value sent again gets a
/// new one.
#[derive(Clone)]
pub struct Keyring {
    current: hmac::Key,
    accepted: Vec<hmac::Key>,
}

/// A key is shorter than [`LEAST_KEY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key for digests has {0} bytes, and needs at least {LEAST_KEY}")]
pub struct ShortKey(pub usize);

/// Whose placeholder it is: what a ConfigMap's name is when it is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The ConfigMap of this name.
    Named(&'a str),
    /// A ConfigMap whose name the API server makes from this `generateName`
    /// after admission.
    Generated(&'a str),
}

/// What a digest is bound to, beside the value.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Namespace of the ConfigMap.
    pub namespace: &'a str,
    /// The ConfigMap.
    pub owner: Owner<'a>,
    /// Half and key.
    pub field: &'a Field,
    /// Name of the staged Secret.
    pub staged: &'a str,
}

/// What the API server says of a request each time it asks about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write<'a> {
    /// The resourceVersion of the old object; empty on a create.
    pub over: &'a str,
    /// Who sends it.
    pub by: &'a str,
}

/// In what request a digest is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Issue<'a> {
    /// When, in seconds since 1970; 0 on a dry run.
    pub at: u32,
    /// The request.
    pub write: Write<'a>,
}

/// The digest in a placeholder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    issued: u32,
    units: u16,
    value: [u8; PART],
    seal: [u8; PART],
}

impl Keyring {
    /// `current` seals; all of `accepted` are recognised besides.
    ///
    /// # Errors
    ///
    /// A key of less than [`LEAST_KEY`] bytes.
    pub fn new(current: &[u8], accepted: &[&[u8]]) -> Result<Self, ShortKey> {
        let accepted: Result<_, _> = accepted.iter().map(|key| checked(key)).collect();
        Ok(Self {
            current: checked(current)?,
            accepted: accepted?,
        })
    }

    /// The digest of a value.
    pub fn digest(&self, place: &Place<'_>, value: &[u8], issue: Issue<'_>) -> Digest {
        // No request is so large that its values have more units than this holds.
        let units = u16::try_from(value.len().div_ceil(UNIT)).unwrap_or(u16::MAX);
        let mut digest = Digest {
            issued: issue.at,
            units,
            value: value_part(&self.current, place, value),
            seal: [0; PART],
        };
        digest.seal = seal_part(&self.current, place, (&digest, issue.write));
        digest
    }

    /// Whether the digest was issued for this place, of whatever value, in this
    /// request.
    pub fn is_sealed(&self, place: &Place<'_>, digest: &Digest, write: Write<'_>) -> bool {
        self.keys()
            .any(|key| same(&seal_part(key, place, (digest, write)), &digest.seal))
    }

    /// Whether the digest was made for this place and this value.
    pub fn matches(&self, place: &Place<'_>, digest: &Digest, value: &[u8]) -> bool {
        self.keys()
            .any(|key| same(&value_part(key, place, value), &digest.value))
    }

    fn keys(&self) -> impl Iterator<Item = &hmac::Key> {
        std::iter::once(&self.current).chain(&self.accepted)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}

impl Digest {
    /// When it was issued, in seconds since 1970; 0 on a dry run.
    pub fn issued(&self) -> u32 {
        self.issued
    }

    /// Size of the value in bytes, rounded up to 64: how long a password is stays
    /// untold.
    pub fn size(&self) -> usize {
        usize::from(self.units) * UNIT
    }

    /// From its text; nothing but the one text that [`fmt::Display`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != DIGITS || !text.bytes().all(lower) {
            return None;
        }
        let (issued, rest) = text.split_at(8);
        let (units, rest) = rest.split_at(4);
        let (value, seal) = rest.split_at(2 * PART);
        Some(Self {
            issued: u32::from_str_radix(issued, 16).ok()?,
            units: u16::from_str_radix(units, 16).ok()?,
            value: bytes(value)?,
            seal: bytes(seal)?,
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, seal) = (hex(&self.value), hex(&self.seal));
        write!(f, "{:08x}{:04x}{value}{seal}", self.issued, self.units)
    }
}

fn checked(key: &[u8]) -> Result<hmac::Key, ShortKey> {
    if key.len() < LEAST_KEY {
        return Err(ShortKey(key.len()));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, key))
}

fn value_part(key: &hmac::Key, place: &Place<'_>, value: &[u8]) -> [u8; PART] {
    let [a, b, c, d, e, f] = place_parts(place);
    mac(key, "portcullis moved value v1", &[a, b, c, d, e, f, value])
}

fn seal_part(
    key: &hmac::Key,
    place: &Place<'_>,
    (digest, write): (&Digest, Write<'_>),
) -> [u8; PART] {
    let [a, b, c, d, e, f] = place_parts(place);
    let (issued, units) = (digest.issued.to_be_bytes(), digest.units.to_be_bytes());
    let (over, by) = (write.over.as_bytes(), write.by.as_bytes());
    let parts: [&[u8]; 11] = [a, b, c, d, e, f, &issued, &units, &digest.value, over, by];
    mac(key, "portcullis moved seal v1", &parts)
}

fn place_parts<'a>(place: &Place<'a>) -> [&'a [u8]; 6] {
    let (kind, owner): (&[u8], _) = match place.owner {
        Owner::Named(name) => (b"name", name),
        Owner::Generated(prefix) => (b"generateName", prefix),
    };
    let half = match place.field.half {
        Half::Text => b"data".as_slice(),
        Half::Binary => b"binaryData",
    };
    [
        place.namespace.as_bytes(),
        kind,
        owner.as_bytes(),
        half,
        place.field.key.as_bytes(),
        place.staged.as_bytes(),
    ]
}

/// Each part goes in behind its length, so that no two lists of parts are one.
fn mac(key: &hmac::Key, purpose: &str, parts: &[&[u8]]) -> [u8; PART] {
    let mut context = hmac::Context::with_key(key);
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut short = [0; PART];
    short.copy_from_slice(&context.sign().as_ref()[..PART]);
    short
}

fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

fn bytes(text: &str) -> Option<[u8; PART]> {
    let mut all = [0; PART];
    for (byte, at) in all.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(all)
}

#[cfg(test)]
mod tests;
