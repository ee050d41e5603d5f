//! Names of the Secrets that relocation owns.
//!
//! All begin with [`RESERVED`]; a ValidatingAdmissionPolicy keeps that prefix
//! for Portcullis' accounts, so that nobody else can feed a pod by such a name.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// Prefix of all names that relocation gives to Secrets.
pub const RESERVED: &str = "portcullis-moved-";

/// Longest name of a Secret or ConfigMap: a DNS subdomain (RFC 1123).
const LONGEST: usize = 253;
/// How much of a long name stays, so that a person recognises it.
const KEPT: usize = 180;

/// What a serving Secret holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Half {
    /// Keys of `data`.
    Text,
    /// Keys of `binaryData`, which `envFrom` never sees.
    Binary,
}

/// The Secret that pods read the moved keys of one half of a ConfigMap from.
/// Fixed for each ConfigMap, and no two ConfigMaps share one.
pub fn serving(config_map: &str, half: Half) -> String {
    let half = match half {
        Half::Text => 't',
        Half::Binary => 'b',
    };
    let plain = format!("{RESERVED}{half}-{config_map}");
    if plain.len() <= LONGEST {
        return plain;
    }
    let kept: String = config_map.chars().take(KEPT).collect();
    let told = hex(&digest(&SHA256, config_map.as_bytes()).as_ref()[..16]);
    format!(
        "{RESERVED}{half}x-{}-{told}",
        kept.trim_end_matches(['-', '.'])
    )
}

/// A staged Secret, out of 64 random bits. Never [`DRY_RUN`].
pub fn staged(random: u64) -> String {
    format!("{RESERVED}s-{:016x}", random.max(1))
}

/// The name that stands in placeholders of a dry run, where nothing is written.
/// No Secret ever has it.
pub const DRY_RUN: &str = "portcullis-moved-s-0000000000000000";

/// The Secret that a user is told to keep himself, of a ConfigMap or of whatever
/// else a value should not be in.
pub fn advised(beside: &str) -> String {
    format!("{beside}-secret")
}

/// Whether a Secret of this name is relocation's.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED)
}

/// Whether a Secret of this name is a staged one.
pub fn is_staged(name: &str) -> bool {
    let random = name
        .strip_prefix(RESERVED)
        .and_then(|rest| rest.strip_prefix("s-"));
    random.is_some_and(|text| {
        text.len() == 16
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_long_config_maps_stay_apart_and_fit() {
        let long = "a".repeat(LONGEST);
        let other = format!("{}b", "a".repeat(LONGEST - 1));
        let name = serving(&long, Half::Text);
        assert!(name.len() <= LONGEST, "{name}");
        assert_ne!(name, serving(&other, Half::Text));
        assert_ne!(name, serving(&long, Half::Binary));
        // A short ConfigMap cannot be named so that it gets a long one's Secret.
        let forged = name
            .strip_prefix("portcullis-moved-t")
            .map(|rest| &rest[1..]);
        assert_ne!(forged.map(|short| serving(short, Half::Text)), Some(name));
    }

    #[test]
    fn staged_names_are_told_from_serving_ones() {
        assert!(is_staged(&staged(7)));
        assert!(!is_staged(&serving("s-0000000000000007", Half::Text)));
        assert!(!is_staged("portcullis-moved-s-7"));
    }
}
