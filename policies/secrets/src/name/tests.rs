use super::*;

fn strength(name: &str) -> Option<Strength> {
    classify(name.as_bytes(), &[]).map(|label| label.strength)
}

#[test]
fn a_name_is_read_in_words() {
    for (name, expected) in [
        ("apiKey", "api key"),
        ("APIKey", "api key"),
        ("API_KEY", "api key"),
        ("spring.datasource.password", "spring datasource password"),
        ("GF_SECURITY__ADMIN", "gf security admin"),
        ("dbpassword", "dbpassword"),
        ("oauth2Token", "oauth2 token"),
        ("key1", "key1"),
    ] {
        let words = Words::of(name.as_bytes());
        let read: Vec<_> = (0..words.count).rev().map(|i| words.back(i)).collect();
        assert_eq!(read.join(" "), expected, "{name}");
    }
}

#[test]
fn names_of_secrets_promise_one() {
    for name in [
        "password",
        "PASSWORD",
        "dbPassword",
        "POSTGRES_PASSWORD",
        "spring.datasource.password",
        "requirepass",
        "masterauth",
        "rootpw",
        "MYSQL_PWD",
        "smtp_pass",
        "client_secret",
        "clientSecret",
        "JWT_SECRET",
        "secret_key_base",
        "KEY_VAULTS_SECRET",
        "api-key",
        "APIKEY",
        "X-Api-Key",
        "access_token",
        "BOT_TOKEN",
        "auth_token",
        "private_key",
        "secretkey",
        "PASSWORD_PROD",
        "password2",
        "encryption_key",
        "dbpassword",
        "passwordsalt",
        "wpa_psk",
        "passphrase",
        "registration_shared_secret",
        "AWS_SECRET_ACCESS_KEY",
    ] {
        assert_eq!(strength(name), Some(Strength::Strong), "{name}");
    }
}

#[test]
fn names_of_other_things_promise_none() {
    for name in [
        "password_file",
        "PASSWORD_POLICY",
        "secretName",
        "secret_name",
        "tokenUrl",
        "key",
        "TOKEN_EXPIRY_SECONDS",
        "DISABLE_PASSWORD",
        "reset_password",
        "public_key",
        "PUB_KEY_PATH",
        "proxy_pass",
        "fastcgi_pass",
        "bypass",
        "compass",
        "keycloak",
        "monkey",
        "primary_key",
        "password_hash",
        "existingSecret",
        "tls-secret",
        "imagePullSecret",
        "csrf_token",
        "max_tokens",
        "next_page_token",
        "passwordSecret",
        "sort_key",
        "author",
        "secretary",
        "allow_empty_password",
        "no_password",
        "routing-key-prefix",
        "user_password_minlen",
    ] {
        assert_eq!(strength(name), None, "{name}");
    }
}
