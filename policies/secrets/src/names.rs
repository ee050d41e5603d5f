//! Words that names of keys are made of. All in lower case. Lists of
//! words are set as such, not one a line.

use crate::Kind;

/// Words after a secret's name that change nothing: `PASSWORD_PROD`,
/// `secret_key_base`.
#[rustfmt::skip]
pub(crate) const TAILS: [&str; 34] = [
    "value", "val", "string", "str", "plain", "plaintext", "text", "clear", "cleartext", "raw", "default",
    "prod", "production", "dev", "development", "staging", "stage", "test", "live", "sandbox", "main", "primary",
    "secondary", "base", "b64", "base64", "hex", "old", "new", "current", "previous", "env", "data", "content",
];

/// Words before a secret's name that make it a question, a rule or a flag.
#[rustfmt::skip]
pub(crate) const NOT_BEFORE: [&str; 59] = [
    "reset", "forgot", "forgotten", "forget", "lost", "change", "changed", "update", "min", "max", "minimum",
    "maximum", "show", "hide", "toggle", "enable", "enabled", "disable", "disabled", "allow", "allowed", "require",
    "required", "requires", "has", "is", "no", "without", "ask", "prompt", "confirm", "verify", "invalid",
    "incorrect", "wrong", "missing", "weak", "strong", "expired", "generate", "generated", "enter", "type",
    "skip", "check", "validate", "public", "pub", "num", "number", "count", "send", "needs", "invalidate", "revoke",
    "remember", "use", "existing", "rotate",
];

/// Words before `pass` that make it another verb or noun.
#[rustfmt::skip]
pub(crate) const PASSES: [&str; 20] = [
    "proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached", "by", "high", "low", "band", "first", "second", "one",
    "two", "single", "multi", "all", "test", "tests", "boarding",
];

/// Words before `secret` that make it the name of a Kubernetes object.
#[rustfmt::skip]
pub(crate) const NO_SECRETS: [&str; 27] = [
    "tls", "ssl", "pull", "image", "imagepull", "cert", "certs", "certificate", "ca", "kube", "kubernetes", "k8s",
    "registry", "docker", "name", "ref", "mount", "volume", "sealed", "external", "password", "pass", "token",
    "credentials", "credential", "creds", "detect",
];

/// Words before `secret` that make it a value of an application.
#[rustfmt::skip]
pub(crate) const APP_SECRETS: [&str; 49] = [
    "jwt", "session", "sessions", "app", "application", "cookie", "client", "webhook", "webhooks", "vault", "vaults",
    "encryption", "signing", "sign", "hmac", "csrf", "shared", "oauth", "oauth2", "oidc", "turn", "form", "macaroon",
    "nextauth", "auth", "state", "storage", "api", "hash", "master", "registration", "better", "consumer", "rpc",
    "internal", "gateway", "admin", "user", "bot", "access", "refresh", "erlang", "otp", "totp", "federation", "link",
    "preview", "payload", "key",
];

/// Words before `token` that make it a word of a language, a page or a
/// placeholder, and CSRF tokens, which are names of fields.
#[rustfmt::skip]
pub(crate) const NO_TOKENS: [&str; 30] = [
    "csrf", "xsrf", "next", "page", "continuation", "cancellation", "cancel", "sync", "start", "stop", "end", "eos",
    "bos", "pad", "unk", "special", "prompt", "completion", "output", "input", "context", "total", "chunk", "per",
    "reasoning", "mask", "sep", "cls", "lexer", "idle",
];

/// Words before `key` that make it a secret, however it looks.
#[rustfmt::skip]
pub(crate) const KEYS: [&str; 25] = [
    "api", "secret", "private", "access", "encryption", "encrypt", "signing", "master", "preshared", "shared", "auth",
    "account", "cipher", "crypto", "crypt", "aes", "jwt", "hmac", "cookie", "unseal", "recovery", "secretaccess",
    "wireguard", "psk", "apikey",
];

/// Words before `key` that make a value that is hard to guess a secret.
#[rustfmt::skip]
pub(crate) const LABELS: [&str; 33] = [
    "app", "application", "license", "licence", "service", "session", "admin", "root", "write", "read", "ingest",
    "integration", "routing", "registration", "network", "activation", "subscription", "webhook", "deploy", "device",
    "provisioning", "enrollment", "storage", "bot", "hash", "security", "validation", "nonce", "logged", "user", "vault",
    "setup", "sign",
];

/// Words before `key` that make it anything but a secret.
#[rustfmt::skip]
pub(crate) const NO_KEYS: [&str; 46] = [
    "primary", "foreign", "partition", "sort", "cache", "map", "group", "label", "object", "hot", "idx", "index",
    "bucket", "host", "signature", "row", "column", "dict", "order", "lookup", "topic", "message", "site", "publishable",
    "tls", "ssl", "cert", "certificate", "ca", "server", "unique", "name", "file", "config", "data", "short", "shortcut",
    "arrow", "modifier", "translation", "i18n", "annotation", "json", "yaml", "metadata", "password",
];

/// Ends of names without a sign between their words.
pub(crate) const COMPOUNDS: [(&str, Kind); 46] = [
    ("password", Kind::Password),
    ("passwd", Kind::Password),
    ("passphrase", Kind::Password),
    ("passwort", Kind::Password),
    ("userpass", Kind::Password),
    ("dbpass", Kind::Password),
    ("sqlpass", Kind::Password),
    ("mailpass", Kind::Password),
    ("smtppass", Kind::Password),
    ("rootpass", Kind::Password),
    ("adminpass", Kind::Password),
    ("authpass", Kind::Password),
    ("requirepass", Kind::Password),
    ("sshpass", Kind::Password),
    ("ftppass", Kind::Password),
    ("ldappass", Kind::Password),
    ("bindpass", Kind::Password),
    ("keypass", Kind::Password),
    ("storepass", Kind::Password),
    ("pgpass", Kind::Password),
    ("webpass", Kind::Password),
    ("mqttpass", Kind::Password),
    ("masterauth", Kind::Password),
    ("bindpw", Kind::Password),
    ("rootpw", Kind::Password),
    ("rootdnpw", Kind::Password),
    ("userpw", Kind::Password),
    ("adminpw", Kind::Password),
    ("passwordsalt", Kind::Secret),
    ("clientsecret", Kind::Secret),
    ("sharedsecret", Kind::Secret),
    ("authtoken", Kind::Token),
    ("accesstoken", Kind::Token),
    ("apitoken", Kind::Token),
    ("bottoken", Kind::Token),
    ("apikey", Kind::ApiKey),
    ("secretkey", Kind::Secret),
    ("privatekey", Kind::Secret),
    ("presharedkey", Kind::Secret),
    ("encryptionkey", Kind::Secret),
    ("authkey", Kind::Secret),
    ("masterkey", Kind::Secret),
    ("signingkey", Kind::Secret),
    ("secretaccesskey", Kind::Secret),
    ("jwtsecret", Kind::Secret),
    ("appsecret", Kind::Secret),
];
