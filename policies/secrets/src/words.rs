//! Words that say what a value is. All in lower case. Lists of
//! words are set as such, not one a line.

/// What encloses a part of a value that something replaces before it is used.
#[rustfmt::skip]
pub(crate) const SUBSTITUTIONS: [[&str; 2]; 12] = [
    ["${", "}"], ["$(", ")"], ["{{", "}}"], ["<<", ">>"], ["%(", ")"], ["#{", "}"], ["{%", "%}"], ["<%", "%>"],
    ["[[", "]]"], ["{$", "}"], ["@@", "@@"], ["%[", "]"],
];

/// Parts of a value that say that something is looked up for it.
pub(crate) const LOOKUPS: [&str; 8] = [
    "{env.",
    "$__",
    "%env(",
    "process.env",
    "os.environ",
    "getenv",
    "secrets.",
    "!sub",
];

/// Beginnings of what names a secret elsewhere, or holds it encrypted.
#[rustfmt::skip]
pub(crate) const REFERENCES: [&str; 35] = [
    "vault:", "op://", "file:", "env:", "secret:", "secrets:", "secret/", "secrets/", "ref+", "ssm:",
    "ssm://", "arn:", "projects/", "awssm", "gcpsm", "sops:", "enc[", "enc(", "enc:", "{cipher}", "!env",
    "!secret", "!vault", "!include", "!file", "!ref", "!getatt", "$ansible_vault", "k8s:", "keyvault:",
    "@microsoft.keyvault", "aws-sm:", "doppler:", "infisical:", "bws:",
];

/// Identifiers of crypt(3) and its kin.
#[rustfmt::skip]
pub(crate) const CRYPT: [&str; 22] = [
    "1", "2", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "apr1", "argon2", "argon2i", "argon2d",
    "argon2id", "pbkdf2", "pbkdf2-sha256", "pbkdf2-sha512", "scrypt", "sha1", "plaintext",
];

/// Whole values that mean something, and so are no secret.
#[rustfmt::skip]
pub(crate) const VALUES: [&str; 154] = [
    "true", "false", "none", "null", "undefined", "enabled", "disabled", "enable", "disable", "default",
    "auto", "automatic", "required", "optional", "require", "always", "never", "prefer", "preferred",
    "allow", "allowed", "deny", "denied", "strict", "lax", "basic", "bearer", "plain", "plaintext",
    "plain-text", "digest", "ntlm", "oauth", "oauth2", "oidc", "saml", "ldap", "jwt", "jwks", "sha1",
    "sha256", "sha512", "sha-1", "sha-256", "sha-512", "scram-sha-256", "scram-sha-512", "scram", "bcrypt",
    "argon2", "argon2id", "pbkdf2", "scrypt", "rs256", "rs384", "rs512", "hs256", "hs384", "hs512",
    "es256", "es384", "es512", "ps256", "eddsa", "ed25519", "ecdsa", "aes128", "aes256", "aes-128-cbc",
    "aes-256-cbc", "aes-128-gcm", "aes-256-gcm", "aescbc", "aesgcm", "secretbox", "xchacha20", "base64",
    "ascii", "utf8", "utf-8", "string", "text", "boolean", "integer", "number", "object", "array", "list",
    "hidden", "masked", "prompt", "environment", "file", "stdin", "keyring", "keychain", "vault",
    "kubernetes", "cookie", "cookies", "header", "headers", "query", "body", "form", "session", "anonymous",
    "trust", "peer", "ident", "certificate", "kerberos", "gssapi", "manual", "random", "generate",
    "generated", "inherit", "inherited", "unset", "empty", "blank", "nothing", "unknown", "internal",
    "external", "client_credentials", "client-credentials", "authorization_code", "authorization-code",
    "refresh_token", "client_secret_post", "client_secret_basic", "client_secret_jwt", "private_key_jwt",
    "password_credentials", "api_key", "apikey", "api-key", "x-api-key", "authorization", "access_token",
    "id_token", "username", "user_password", "simple", "native", "mysql_native_password",
    "caching_sha2_password", "opaque", "varchar", "char", "uuid", "secret-file",
];

/// Parts of what only stands for a value, or tells to fill one in.
#[rustfmt::skip]
pub(crate) const PLACEHOLDERS: [&str; 41] = [
    "changeme", "change-me", "change_me", "change.me", "change me", "changeit", "change-it", "change_it",
    "change-this", "changethis", "change_this", "change this", "change-in", "change_in", "replaceme", "replace-",
    "replace_", "replace ", "your-", "your_", "yourpass", "yoursecret", "yourtoken", "yourapi", "your ",
    "xxxx", "todo", "fixme", "placeholder", "example", "dummy", "redacted", "insert-", "insert_", "notset",
    "not-set", "not_set", "_here", "-here", "to-be-", "required",
];

/// Beginnings of what may be shown to anybody.
#[rustfmt::skip]
pub(crate) const PUBLIC: [&str; 19] = [
    "ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "age1", "-----begin cert",
    "-----begin public", "-----begin rsa public", "-----begin dh", "sha256:", "sha512:", "sha1:", "md5:",
    "pk_live_", "pk_test_", "pk.eyj", "phc_",
];

/// Extensions of files that hold secrets, or that configuration names.
#[rustfmt::skip]
pub(crate) const EXTENSIONS: [&str; 46] = [
    "pem", "key", "crt", "cer", "cert", "pub", "p12", "pfx", "jks", "keystore", "truststore", "kdbx", "txt",
    "json", "yaml", "yml", "toml", "ini", "conf", "cfg", "config", "env", "xml", "properties", "sh", "py",
    "js", "ts", "php", "rb", "lua", "html", "css", "md", "log", "db", "sqlite", "asc", "gpg", "age", "csv",
    "secret", "token", "htpasswd", "passwd", "sock",
];
