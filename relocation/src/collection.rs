//! Which staged Secrets may go.
//!
//! A staged Secret is older than the write that names it, by a minute at most
//! (what a request may take). So one that no ConfigMap names an hour later was
//! left by a write that failed, or by a value that was rotated or removed.

use std::collections::BTreeSet;

use crate::names::is_staged;
#[cfg(doc)]
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
/// clock, the Secrets, then all ConfigMaps of the namespace (a quorum read), whose
/// [`wanted`] Secrets are `named`.
pub fn plan<'a>(
    now: i64,
    secrets: &'a [Candidate],
    named: &BTreeSet<String>,
) -> Vec<&'a Candidate> {
    let mut unnamed = unnamed(secrets, named);
    unnamed.retain(|secret| now.saturating_sub(secret.created) > KEPT_SECONDS);
    unnamed
}

/// The staged Secrets that no ConfigMap names, however old: those that will go,
/// and those of writes under way.
pub fn unnamed<'a>(secrets: &'a [Candidate], named: &BTreeSet<String>) -> Vec<&'a Candidate> {
    let is_unnamed = |secret: &&Candidate| {
        secret.ours && is_staged(&secret.name) && !named.contains(&secret.name)
    };
    secrets.iter().filter(is_unnamed).collect()
}

#[cfg(test)]
mod tests;
