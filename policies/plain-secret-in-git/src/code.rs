//! What the policy may report.

use portcullis_sdk::Codes;

/// What `plain-secret-in-git` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// A value of a Secret stands in a file in the clear; base64 hides nothing.
    /// Whoever has the repository, a copy or an old commit of it has the value.
    #[code(error, secret)]
    PlainSecret,
    /// What stands in the file in the clear goes with a credential and is none:
    /// the name of a user, a database or a host, an address, a certificate.
    #[code(info, secret)]
    PlainSecretDetail,
}
