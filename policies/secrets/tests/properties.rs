//! What must not matter: the order of keys, comments, references, the format,
//! and one more layer of text.

use std::collections::BTreeSet;

use portcullis_secrets::{Confidence, Detector, Options};
use proptest::prelude::*;

/// A fact of a text: kind, confidence, and the key it stands under.
type Facts = BTreeSet<(String, Confidence, Option<String>)>;

fn facts(detector: &Detector, key: &str, text: &str) -> Facts {
    let found = detector.entry(key, text).into_iter();
    let fact = |found: portcullis_secrets::Found| {
        (
            found.kind.title().into_owned(),
            found.confidence,
            found.name,
        )
    };
    found.map(fact).collect()
}

thread_local! {
    static DETECTOR: Detector = Detector::new(&Options::default()).expect("a detector");
}

fn with<T>(test: impl FnOnce(&Detector) -> T) -> T {
    DETECTOR.with(test)
}

/// A secret that is hard to guess: letters of both cases and digits in turns.
fn value() -> impl Strategy<Value = String> {
    let turn = "[a-z][A-Z][0-9]";
    prop::collection::vec(turn, 5..10)
        .prop_map(|turns: Vec<String>| turns.concat())
        .prop_filter("distinct", |value| {
            value.bytes().collect::<BTreeSet<u8>>().len() > 9
        })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "password",
        "db_password",
        "admin-password",
        "clientSecret",
        "api_key",
        "apiKey",
        "access_token",
        "secret_key",
        "POSTGRES_PASSWORD",
        "smtp.password",
        "jwt_secret",
        "passphrase",
        "encryption_key",
    ])
}

/// Lines that are no secret, each a whole entry of a format of `key: value`.
fn neighbour() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "user: app",
        "host: db.home.lan",
        "port: 5432",
        "password_file: /run/secrets/x",
        "token_ttl: 15m",
        "enabled: true",
        "secretName: app-tls",
        "reference_password: ${DB_PASSWORD}",
        "other_token: $TOKEN",
        "url: https://sso.lan/token",
        "path: /data",
        "third_secret: vault:secret/data/app",
        "name: web",
        "level: info",
    ])
}

/// The formats that a secret may be hidden in, one nesting deep.
fn formats(name: &str, value: &str) -> Vec<(&'static str, String)> {
    let header = "x: 1\n";
    vec![
        (
            "app.yaml",
            format!("{header}app:\n  {name}: {value}\n  host: db\n"),
        ),
        ("app.yaml", format!("{header}app:\n  {name}: \"{value}\"\n")),
        (
            "app.yaml",
            format!("{header}app: {{host: db, {name}: {value}, port: 1}}\n"),
        ),
        (
            "app.yaml",
            format!("{header}app:\n  - name: {name}\n    value: {value}\n"),
        ),
        (
            "app.yaml",
            format!("{header}app:\n  - value: {value}\n    name: {name}\n"),
        ),
        (
            "app.yaml",
            format!("{header}app:\n  {name}:\n    value: {value}\n"),
        ),
        (
            "app.yaml",
            format!("{header}app:\n  {name}: |\n    {value}\n  host: db\n"),
        ),
        (
            "app.json",
            format!("{{\"app\": {{\"host\": \"db\", \"{name}\": \"{value}\"}}}}"),
        ),
        (
            "app.json",
            format!("{{\"app\": [{{\"name\": \"{name}\", \"value\": \"{value}\"}}]}}"),
        ),
        (
            "app.json",
            format!("{{\"app\": \"{{\\\"{name}\\\": \\\"{value}\\\"}}\"}}"),
        ),
        (
            "app.json",
            format!("{{\"script\": \"user: x\\n{name}: {value}\\nhost: db\"}}"),
        ),
        (
            "app.toml",
            format!("[app]\nhost = \"db\"\n{name} = \"{value}\"\n"),
        ),
        (
            "app.toml",
            format!("app = {{ host = \"db\", {name} = \"{value}\" }}\n"),
        ),
        ("app.ini", format!("[app]\nhost = db\n{name} = {value}\n")),
        (
            "app.properties",
            format!("app.host=db\napp.{name}={value}\n"),
        ),
        (
            "app.xml",
            format!("<app><host>db</host>\n<{name}>{value}</{name}></app>"),
        ),
        (
            "app.xml",
            format!("<app><property name=\"{name}\" value=\"{value}\"/></app>"),
        ),
        (
            "app.xml",
            format!("<app><property><name>{name}</name><value>{value}</value></property></app>"),
        ),
        (".env", format!("HOST=db\n{name}={value}\n")),
        (".env", format!("HOST=db\nexport {name}=\"{value}\"\n")),
        (
            "run.sh",
            format!("#!/bin/sh\nset -e\nexport {name}='{value}'\nexec app\n"),
        ),
        (
            "run.sh",
            format!("#!/bin/sh\napp --host db --{name}={value}\n"),
        ),
        (
            "Caddyfile",
            format!("app.lan {{\n  tls {{\n    {name} {value}\n  }}\n}}\n"),
        ),
        (
            "nginx.conf",
            format!("location / {{\n  proxy_set_header {name} \"{value}\";\n}}\n"),
        ),
        (
            "app.py",
            format!(
                "import os\n{name_py} = '{value}'\n",
                name_py = name.replace(['-', '.'], "_")
            ),
        ),
        (
            "app.conf",
            format!("connection = host=db {name}={value} port=5432\n"),
        ),
        (
            "url.txt",
            format!("see https://api.lan/v1?x=1&{name}={value}&y=2 for it\n"),
        ),
        (
            "init.sql",
            format!("CREATE USER app IDENTIFIED BY '{value}';\n"),
        ),
        ("db.txt", format!("postgres://app:{value}@db:5432/app\n")),
    ]
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for index in 0..4 {
            let sign = match index <= group.len() {
                true => SIGNS[(bits >> (18 - 6 * index) & 63) as usize],
                false => b'=',
            };
            text.push(char::from(sign));
        }
    }
    text
}

fn likely(facts: &Facts) -> bool {
    facts
        .iter()
        .any(|(_, confidence, _)| *confidence >= Confidence::Medium)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_secret_is_found_in_every_format(name in name(), value in value()) {
        with(|detector| {
            for (key, text) in formats(name, &value) {
                prop_assert!(likely(&facts(detector, key, &text)), "{key}: {text}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_secret_is_found_one_nesting_deeper(name in name(), value in value()) {
        with(|detector| {
            for (key, text) in formats(name, &value) {
                let block: String = text.lines().map(|line| format!("    {line}\n")).collect();
                let block = format!("outer:\n  {key}: |\n{block}");
                prop_assert!(likely(&facts(detector, "outer.yaml", &block)), "{key}: {block}");
                let encoded = base64(text.as_bytes());
                let found = detector.binary(key, &encoded);
                prop_assert!(found.iter().any(|found| found.confidence >= Confidence::Medium), "{key}: {encoded}");
                let found = facts(detector, "x", &encoded);
                prop_assert!(likely(&found) || key.ends_with(".py"), "{key}: {encoded}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_order_of_keys_does_not_matter(
        name in name(), value in value(),
        neighbours in prop::collection::vec(neighbour(), 0..6),
        place in 0_usize..6, turn in 0_usize..6,
    ) {
        let own = format!("{name}: {value}");
        let mut lines: Vec<&str> = neighbours.clone();
        lines.insert(place.min(lines.len()), &own);
        let once = lines.join("\n") + "\n";
        let at = turn % lines.len();
        lines.rotate_left(at);
        let turned = lines.join("\n") + "\n";
        with(|detector| {
            let expected = facts(detector, "app", &once);
            prop_assert!(likely(&expected), "{once}");
            prop_assert_eq!(&expected, &facts(detector, "app", &turned));
            Ok(())
        })?;
    }

    #[test]
    fn comments_and_references_change_nothing(
        name in name(), value in value(), secret in any::<bool>(),
        neighbours in prop::collection::vec(neighbour(), 1..6),
        place in 0_usize..8,
    ) {
        let own = format!("{name}: {value}");
        let mut lines: Vec<&str> = neighbours.clone();
        if secret {
            lines.push(&own);
        }
        let text = lines.join("\n") + "\n";
        let comments = ["# a note", "# the password is in the vault", "# token: see the wiki", "  # secret, really"];
        let references = ["extra_password: ${EXTRA}", "extra_token: {{ .Values.token }}", "extra_key: !secret key"];
        with(|detector| {
            let expected = facts(detector, "app", &text);
            prop_assert_eq!(secret, likely(&expected), "{}", text);
            for line in comments.iter().chain(&references) {
                let mut lines = lines.clone();
                lines.insert(place % (lines.len() + 1), line);
                let text = lines.join("\n") + "\n";
                prop_assert_eq!(&expected, &facts(detector, "app", &text), "{}", text);
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_text_breaks_the_search_and_no_finding_holds_a_part_of_a_value(
        text in "[ -~\n\t\u{e4}\u{20ac}]{0,200}", name in name(), value in value(),
    ) {
        with(|detector| {
            let whole = format!("{text}{name}: {value}{text}");
            for found in detector.entry("file", &whole) {
                let shown = format!("{found:?}");
                prop_assert!(!shown.contains(&value), "{shown}");
                let at = found.at.expect("a place");
                let line = whole.split('\n').nth(at.line - 1);
                let column = line.map(|line| line.chars().count());
                prop_assert!(column >= Some(at.column - 1), "{at:?}: {whole}");
            }
            let _ = detector.words(&[&text, &whole]);
            let _ = detector.literal(name, &whole);
            let _ = detector.binary(name, &whole);
            Ok(())
        })?;
    }
}
