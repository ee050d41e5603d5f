//! What the policy may report.

use portcullis_sdk::Codes;
use portcullis_secrets::Confidence;

/// What `env-secrets` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// An environment variable holds a credential. Whoever may read the object
    /// reads it, and so does every tool that prints it, every backup and every
    /// log of what was applied.
    #[code(error, secret)]
    EnvSecret,
    /// An environment variable most likely holds a credential: a plain word
    /// under a name such as `DB_PASSWORD`.
    #[code(warning, secret)]
    EnvSecretLikely,
    /// An environment variable may hold a credential, or the hash of one.
    #[code(info, secret)]
    EnvSecretPossible,
    /// A command, an argument or a header of a probe holds a credential. It can
    /// be read in the object, and in the list of processes of the node as well.
    #[code(error, secret)]
    CommandSecret,
    /// A command, an argument or a header of a probe most likely holds a
    /// credential.
    #[code(warning, secret)]
    CommandSecretLikely,
    /// A command, an argument or a header of a probe may hold a credential, or
    /// the hash of one.
    #[code(info, secret)]
    CommandSecretPossible,
}

impl Code {
    /// Of an environment variable.
    pub(crate) fn of_env(confidence: Confidence) -> Code {
        match confidence {
            Confidence::High => Code::EnvSecret,
            Confidence::Medium => Code::EnvSecretLikely,
            Confidence::Low => Code::EnvSecretPossible,
        }
    }

    /// Of all else.
    pub(crate) fn of_command(confidence: Confidence) -> Code {
        match confidence {
            Confidence::High => Code::CommandSecret,
            Confidence::Medium => Code::CommandSecretLikely,
            Confidence::Low => Code::CommandSecretPossible,
        }
    }
}
