//! The name of a policy.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The name of a policy: a DNS label or subdomain, as for any resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PolicyName(String);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no name of a resource: write at most 253 of a-z, 0-9, `-` and `.`, \
     with a letter or digit at both ends of each part"
)]
pub struct NameError(String);

impl FromStr for PolicyName {
    type Err = NameError;

    /// A DNS subdomain (RFC 1123), as the API server demands of names.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let is_label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        if name.len() <= 253 && name.split('.').all(is_label) {
            Ok(PolicyName(name.to_owned()))
        } else {
            Err(NameError(name.to_owned()))
        }
    }
}

impl PolicyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_resources() {
        for good in ["a", "image-tags", "a.b-c.d1"] {
            assert_eq!(
                good.parse::<PolicyName>().map(|name| name.to_string()),
                Ok(good.into())
            );
        }
        for bad in ["", "A", "-a", "a-", "a..b", "a_b", "a/b"] {
            assert!(bad.parse::<PolicyName>().is_err(), "{bad}");
        }
    }
}
