//! What the policy may report.

use portcullis_sdk::Codes;
use portcullis_secrets::Confidence;

/// What `configmap-secrets` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// The entry holds a credential: a token of a known format, a private key,
    /// a value that is hard to guess under a name such as `password`. Whoever
    /// may read ConfigMaps reads it; in most clusters that is everybody who
    /// can log in.
    #[code(error, secret)]
    ConfigmapSecret,
    /// The entry most likely holds a credential: a plain word under a name
    /// such as `DB_PASSWORD`, a value that is hard to guess under a name that
    /// says less, a literal in a program.
    #[code(warning, secret)]
    ConfigmapSecretLikely,
    /// The entry may hold a credential, or holds the hash of one, which can be
    /// guessed at.
    #[code(info, secret)]
    ConfigmapSecretPossible,
}

impl Code {
    pub(crate) fn of(confidence: Confidence) -> Code {
        match confidence {
            Confidence::High => Code::ConfigmapSecret,
            Confidence::Medium => Code::ConfigmapSecretLikely,
            Confidence::Low => Code::ConfigmapSecretPossible,
        }
    }
}
