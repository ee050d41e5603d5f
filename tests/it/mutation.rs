//! Changes: RFC 6902 against a second implementation, chains of policies.
