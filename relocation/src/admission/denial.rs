use std::fmt;

use crate::field::{Field, listed};

/// Why a ConfigMap is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A placeholder that was not issued for this place, or not lately.
    ForgedPlaceholder,
    /// The user may not create Secrets here.
    SecretsForbidden,
    /// More than [`super::MOST_KEYS`] keys.
    TooManyKeys,
    /// More values than one Secret holds.
    TooLarge,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// A moved key of an immutable ConfigMap was given another value.
    Immutable,
    /// Running pods read the key from the ConfigMap.
    InUse,
    /// The value is elsewhere in the object too.
    ValueRemains,
    /// An annotation is a copy of the object that cannot be read.
    UnreadableCopy,
    /// Too many values were tried against the one that was moved.
    Throttled,
    /// No ConfigMap as the API server sends one.
    Malformed,
    /// A value that should have been moved was not (validating side).
    NotMoved,
}

impl Code {
    /// As in metrics and documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::ForgedPlaceholder => "forged-placeholder",
            Code::SecretsForbidden => "secrets-forbidden",
            Code::TooManyKeys => "too-many-keys",
            Code::TooLarge => "too-large",
            Code::NamespaceTerminating => "namespace-terminating",
            Code::Immutable => "immutable",
            Code::InUse => "in-use",
            Code::ValueRemains => "value-remains",
            Code::UnreadableCopy => "unreadable-copy",
            Code::Throttled => "throttled",
            Code::Malformed => "malformed",
            Code::NotMoved => "not-moved",
        }
    }
}

/// A refusal. Its text names keys and places, and never a value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denial {
    /// Why.
    pub code: Code,
    /// The keys that it is about.
    pub fields: Vec<Field>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Denial {
    /// `what` is told behind the keys.
    pub(crate) fn of<'a>(
        code: Code,
        fields: impl IntoIterator<Item = &'a Field>,
        what: impl fmt::Display,
    ) -> Self {
        let fields: Vec<Field> = fields.into_iter().cloned().collect();
        let message = match fields.is_empty() {
            true => what.to_string(),
            false => format!("{}: {what}", listed(&fields)),
        };
        Self {
            code,
            fields,
            message,
        }
    }
}
