//! What stands under a key of a Secret: a value, or something that says where
//! it comes from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nothing, a cipher, or a reference that is resolved elsewhere.
    Nothing,
    /// What goes with a credential.
    Detail,
    /// A value.
    Value,
}

/// What a value is encrypted by, as SOPS writes it (`stores/sops` of
/// github.com/getsops/sops: `ENC[AES256_GCM,data:...,type:str]`).
const SOPS: &str = "ENC[";

/// What is resolved before or when the Secret is applied, by beginning: Argo CD
/// Vault Plugin, vals and helm-secrets, 1Password, Bank-Vaults.
const REFERENCES: [&str; 5] = ["<path:", "ref+", "op://", "vault:", "secretref+"];

/// Ends of keys under which no credential stands.
const DETAILS: [&str; 18] = [
    "bucket", "database", "db", "dbname", "email", "endpoint", "host", "hostname", "issuer",
    "login", "name", "port", "region", "server", "url", "user", "userid", "username",
];

/// Keys of what everybody may know.
const PUBLIC: [&str; 3] = ["ca.crt", "ca-bundle.crt", "tls.crt"];

/// An entry of `stringData`.
pub(crate) fn of_text(key: &str, text: &str) -> Written {
    let text = text.trim();
    if text.is_empty() || text.starts_with(SOPS) || is_reference(text) {
        return Written::Nothing;
    }
    match is_detail(key, text) {
        true => Written::Detail,
        false => Written::Value,
    }
}

/// An entry of `data`: base64, unless something is still to be put there.
pub(crate) fn of_base64(key: &str, text: &str) -> Written {
    let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let decoded = STANDARD.decode(&digits).map(String::from_utf8);
    match (of_text(key, text), decoded) {
        (Written::Nothing, _) => Written::Nothing,
        (_, Ok(Ok(decoded))) => of_text(key, &decoded),
        // Bytes, or text that no API server takes.
        (_, Ok(Err(_)) | Err(_)) => Written::Value,
    }
}

/// `${NAME}`, `$(NAME)`, `{{ ... }}`, `<name>`, or a reference of a known tool:
/// all of the text, or all that is between its signs.
fn is_reference(text: &str) -> bool {
    if text.contains(char::is_whitespace) && !text.starts_with("{{") {
        return false;
    }
    let wrapped = [("${", "}"), ("$(", ")"), ("{{", "}}"), ("<", ">")];
    wrapped
        .iter()
        .any(|(start, end)| are_groups(text, start, end))
        || REFERENCES.iter().any(|start| text.starts_with(start))
}

/// `${A}`, or several of them, and nothing else.
fn are_groups(mut text: &str, start: &str, end: &str) -> bool {
    while let Some((_, rest)) = text
        .strip_prefix(start)
        .and_then(|rest| rest.split_once(end))
    {
        if rest.is_empty() {
            return true;
        }
        text = rest;
    }
    false
}

fn is_detail(key: &str, text: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let is_certificate =
        text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY");
    let last = key.rsplit(['.', '_', '-']).next().unwrap_or_default();
    let is_named = DETAILS.contains(&last) || PUBLIC.contains(&key.as_str());
    let is_one_line = !text.contains('\n');
    is_certificate || (is_named && is_one_line && !has_credentials(text))
}

/// `scheme://user:password@host`, or `password=...` in a query.
fn has_credentials(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let query = query.to_ascii_lowercase();
    authority.contains('@')
        || ["pass", "pwd", "token", "secret"]
            .iter()
            .any(|n| query.contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_from_what_stands_for_one() {
        for (key, text, written) in [
            ("password", "hunter2", Written::Value),
            ("password", "", Written::Nothing),
            ("password", " \n", Written::Nothing),
            (
                "password",
                "ENC[AES256_GCM,data:x,iv:y,tag:z,type:str]",
                Written::Nothing,
            ),
            ("password", "${DB_PASSWORD}", Written::Nothing),
            ("password", "${A}${B}", Written::Nothing),
            ("password", "${A}b", Written::Value),
            ("password", "$(PASSWORD)", Written::Nothing),
            ("password", "{{ .Values.password }}", Written::Nothing),
            ("password", "<password>", Written::Nothing),
            ("password", "<path:kv/data/db#password>", Written::Nothing),
            ("password", "ref+vault://kv/db#/password", Written::Nothing),
            ("password", "pa$$word", Written::Value),
            ("password", "changeme", Written::Value),
            ("username", "app", Written::Detail),
            ("POSTGRES_DB", "shop", Written::Detail),
            ("url", "jdbc:postgresql://db:5432/shop", Written::Detail),
            ("url", "postgres://app:hunter2@db/shop", Written::Value),
            ("url", "https://db/shop?password=hunter2", Written::Value),
            ("user", "a\npassword: b", Written::Value),
            (
                "ca.crt",
                "-----BEGIN CERTIFICATE-----\nMII\n",
                Written::Detail,
            ),
            (
                "tls.pem",
                "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n",
                Written::Value,
            ),
        ] {
            assert_eq!(of_text(key, text), written, "{key}: {text}");
            let encoded = STANDARD.encode(text);
            assert_eq!(of_base64(key, &encoded), written, "{key}: {encoded}");
        }
        for (text, written) in [
            ("${PASSWORD_BASE64}", Written::Nothing),
            ("ENC[AES256_GCM,data:x,type:str]", Written::Nothing),
            ("no base64!", Written::Value),
            ("/w==", Written::Value),
        ] {
            assert_eq!(of_base64("password", text), written, "{text}");
        }
    }
}
