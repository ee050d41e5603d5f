use std::fmt;

use crate::names::Half;

/// One key of a ConfigMap, and the half that it is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    /// `data` or `binaryData`.
    pub half: Half,
    /// The key.
    pub key: String,
}

impl Field {
    /// A key of `data`.
    pub fn text(key: impl Into<String>) -> Self {
        let key = key.into();
        Self {
            half: Half::Text,
            key,
        }
    }

    /// A key of `binaryData`.
    pub fn binary(key: impl Into<String>) -> Self {
        let key = key.into();
        Self {
            half: Half::Binary,
            key,
        }
    }

    /// The place in the object, as a JSON Pointer.
    pub fn pointer(&self) -> String {
        format!("/{}/{}", self.half.member(), escaped(&self.key))
    }
}

/// As a person names it: `data.password`.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.half.member(), self.key)
    }
}

impl Half {
    /// Both.
    pub const ALL: [Half; 2] = [Half::Text, Half::Binary];

    /// The member of a ConfigMap that holds this half.
    pub fn member(self) -> &'static str {
        match self {
            Half::Text => "data",
            Half::Binary => "binaryData",
        }
    }
}

/// One token of a JSON Pointer (RFC 6901, section 3).
pub(crate) fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// `data.a, data.b and 3 more`: texts stay short however many keys there are.
pub(crate) fn listed<'a>(fields: impl IntoIterator<Item = &'a Field>) -> String {
    const SHOWN: usize = 5;
    let all: Vec<String> = fields.into_iter().map(ToString::to_string).collect();
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
