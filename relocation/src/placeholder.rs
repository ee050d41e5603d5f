//! What stands in a ConfigMap for a value that was moved:
//! `moved-secret:v1:SECRET:DIGEST`.

use std::fmt;

use crate::digest::Digest;
use crate::names;

/// How every placeholder begins. A value that begins so and is no placeholder
/// is refused, so that nobody can take one for the other.
pub const PREFIX: &str = "moved-secret:v1:";

/// A placeholder, well-formed. Whether it was issued for where it stands is told
/// by its digest's seal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placeholder {
    /// The staged Secret.
    pub secret: String,
    /// Its digest.
    pub digest: Digest,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A value like any other.
    Plain,
    /// A placeholder.
    Placeholder(Placeholder),
    /// Begins as a placeholder does, and is none.
    Malformed,
}

/// What this value is.
pub fn read(value: &[u8]) -> Told {
    let Some(rest) = value.strip_prefix(PREFIX.as_bytes()) else {
        return Told::Plain;
    };
    let placeholder = std::str::from_utf8(rest).ok().and_then(parsed);
    placeholder.map_or(Told::Malformed, Told::Placeholder)
}

fn parsed(rest: &str) -> Option<Placeholder> {
    let (secret, digest) = rest.split_once(':')?;
    let digest = Digest::parse(digest)?;
    names::is_staged(secret).then(|| Placeholder {
        secret: secret.to_owned(),
        digest,
    })
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}:{}", self.secret, self.digest)
    }
}
