//! Names of Kubernetes objects and labels, where an option gives them.

use std::fmt;

use super::Error;

/// The longest label value, and the longest part of a DNS name (RFC 1123).
const LABEL_BYTES: usize = 63;
/// The longest name of an object (RFC 1123 subdomain).
const NAME_BYTES: usize = 253;

/// The name of a webhook configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// # Errors
    ///
    /// What is no RFC 1123 subdomain.
    pub fn parse(text: &str) -> Result<Name, Error> {
        if is_subdomain(text) {
            return Ok(Name(text.to_owned()));
        }
        Err(Error::Option {
            option: "--name",
            problem: format!(
                "`{text}` is no name of an object: write lower case letters, digits, `-` and `.`, \
                 as in `portcullis`"
            ),
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether it is an RFC 1123 subdomain, as names of most objects are.
pub fn is_subdomain(text: &str) -> bool {
    text.len() <= NAME_BYTES && text.split('.').all(is_label)
}

/// Whether it is an RFC 1123 label, as names of namespaces and Services are.
pub fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_BYTES).contains(&text.len())
        && text.bytes().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether it is the value of a label, which may be empty.
pub(super) fn is_label_value(text: &str) -> bool {
    let ends = [text.bytes().next(), text.bytes().last()];
    text.len() <= LABEL_BYTES
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && ends
            .into_iter()
            .flatten()
            .all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether it is the key of a label: `NAME` or `PREFIX/NAME`.
pub(super) fn is_label_key(text: &str) -> bool {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    prefix.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_objects() {
        for good in ["portcullis", "a.b-c", "0"] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "a_b", ".a", "a.", "-a", &"a".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }
}
