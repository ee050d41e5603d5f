//! What was found: never a value, or a part of one.

use std::borrow::Cow;

/// A secret in a text. No member can hold a value, so that it may be shown,
/// logged and compared freely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// How sure that is.
    pub confidence: Confidence,
    /// Where it begins in the text; None if the text as a whole is meant.
    pub at: Option<At>,
    /// The key that it stands under inside the text, where there is one.
    pub name: Option<String>,
}

/// A place in a text, counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// It may be a secret: worth a line in a log.
    Low,
    /// It most likely is one, as a dictionary word under `DB_PASSWORD`.
    Medium,
    /// It is one: safe to be moved without asking.
    High,
}

impl Confidence {
    /// `low`, `medium` or `high`.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

/// What kind of secret it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A password, passphrase or PIN.
    Password,
    /// A token.
    Token,
    /// An API key.
    ApiKey,
    /// Another secret: a client secret, a signing or encryption key.
    Secret,
    /// A private key.
    PrivateKey,
    /// User name and password in a URL.
    UrlCredentials,
    /// Credentials of an HTTP header.
    Authorization,
    /// The login of a container registry.
    RegistryLogin,
    /// The hash of a password: it can be guessed at, but not used as it is.
    PasswordHash,
    /// A token of a known format: its name, with an article.
    Format(&'static str),
    /// What a pattern of the settings names.
    Own(String),
}

impl Kind {
    /// Whether it is an identifier, a key that browsers are shown, or one for
    /// tests: no key that it stands under makes it more than that.
    pub(crate) fn is_half_public(&self) -> bool {
        match self {
            Kind::Format(title) => {
                title.ends_with(" ID")
                    || title.ends_with(" test key")
                    || *title == "a Google API key"
            }
            _ => false,
        }
    }

    /// As a message names it, with an article: `a password`.
    pub fn title(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Kind::Password => "a password",
            Kind::Token => "a token",
            Kind::ApiKey => "an API key",
            Kind::Secret => "a secret",
            Kind::PrivateKey => "a private key",
            Kind::UrlCredentials => "a URL with user name and password",
            Kind::Authorization => "credentials of an HTTP header",
            Kind::RegistryLogin => "the login of a container registry",
            Kind::PasswordHash => "the hash of a password",
            Kind::Format(title) => title,
            Kind::Own(name) => return Cow::Owned(format!("`{name}`")),
        })
    }
}
