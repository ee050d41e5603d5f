//! Which staged Secrets may go.
//!
//! A staged Secret is older than the write that names it, by a minute at most
//! (what a request may take). So one that no ConfigMap names an hour later was
//! left by a write that failed, or by a value that was rotated or removed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config_map::Malformed;
use crate::names::is_staged;
use crate::promotion::wanted;

/// For how long a staged Secret that nothing names is kept, in seconds.
pub const KEPT_SECONDS: i64 = 3600;

/// A Secret, of which no more than metadata need be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its uid, which is the precondition for deleting it.
    pub uid: String,
    /// Whether it bears the label of Secrets that relocation wrote.
    pub ours: bool,
    /// `creationTimestamp`, in seconds since 1970.
    pub created: i64,
}

/// The Secrets that may go. To be read in this order: `now` by the API server's
/// clock, the Secrets, then all ConfigMaps of the namespace (a quorum read).
///
/// # Errors
///
/// A ConfigMap cannot be read; nothing may go then.
pub fn plan<'a, 'c>(
    now: i64,
    secrets: &'a [Candidate],
    config_maps: impl IntoIterator<Item = &'c Value>,
) -> Result<Vec<&'a Candidate>, Malformed> {
    let mut unnamed = unnamed(secrets, config_maps)?;
    unnamed.retain(|secret| now.saturating_sub(secret.created) > KEPT_SECONDS);
    Ok(unnamed)
}

/// The staged Secrets that no ConfigMap names, however old: those that will go,
/// and those of writes under way.
///
/// # Errors
///
/// As [`plan`].
pub fn unnamed<'a, 'c>(
    secrets: &'a [Candidate],
    config_maps: impl IntoIterator<Item = &'c Value>,
) -> Result<Vec<&'a Candidate>, Malformed> {
    let mut named = BTreeSet::new();
    for config_map in config_maps {
        named.extend(wanted(config_map)?);
    }
    let is_unnamed = |secret: &&Candidate| {
        secret.ours && is_staged(&secret.name) && !named.contains(&secret.name)
    };
    Ok(secrets.iter().filter(is_unnamed).collect())
}

#[cfg(test)]
mod tests;
