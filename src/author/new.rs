//! `policy new`: the crate of a policy, written from a template.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::sdk::Sdk;
use super::{Error, cargo};
use crate::args::author::New;

/// The toolchain that the SDK is tested with.
const TOOLCHAIN: &str = include_str!("../../rust-toolchain.toml");

/// The files of a new policy. In each, `@NAME@` is its name, `@CRATE@` the
/// name as Rust writes it, and `@SDK@` where the SDK is.
const FILES: [(&str, &str); 11] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("README.md", include_str!("template/README.md.in")),
    (".gitignore", include_str!("template/gitignore")),
    ("policy.yaml", include_str!("template/policy.yaml")),
    ("src/lib.rs", include_str!("template/lib.rs")),
    ("tests/cases.rs", include_str!("template/tests/cases.rs")),
    (
        "cases/owner-missing.yaml",
        include_str!("template/cases/owner-missing.yaml"),
    ),
    (
        "cases/owner-named.yaml",
        include_str!("template/cases/owner-named.yaml"),
    ),
    (
        "cases/owner-unknown.yaml",
        include_str!("template/cases/owner-unknown.yaml"),
    ),
    (
        "cases/settings-fault.yaml",
        include_str!("template/cases/settings-fault.yaml"),
    ),
    (
        "cases/update.yaml",
        include_str!("template/cases/update.yaml"),
    ),
];

/// Words that are keywords of Rust or name a crate that the policy uses.
const RESERVED: [&str; 44] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "final",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "portcullis-sdk",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "type",
];

/// Writes the crate of a new policy; says where, and what comes next.
///
/// # Errors
///
/// A name that no policy can have; a folder that is not empty; no SDK; files
/// that cannot be written.
pub fn new(arguments: &New) -> Result<String, Error> {
    let name = arguments.name.as_str();
    check_name(name)?;
    let folder = arguments
        .path
        .clone()
        .unwrap_or_else(|| PathBuf::from(name));
    check_free(&folder)?;
    let sdk = Sdk::find(arguments.sdk.as_deref())?;
    for (file, template) in FILES {
        let text = template
            .replace("@NAME@", name)
            .replace("@CRATE@", &name.replace('-', "_"))
            .replace("@SDK@", &sdk.dependency());
        write(&folder.join(file), &text)?;
    }
    let toolchain = format!("{TOOLCHAIN}targets = [\"{}\"]\n", cargo::TARGET);
    write(&folder.join("rust-toolchain.toml"), &toolchain)?;
    seed_lock(&folder, &sdk)?;
    let shown = folder.display();
    Ok(format!(
        "{shown}: a policy that wants an owner on every workload, for you to change\n\
         SDK: {sdk}\n\
         next: cd {shown} && portcullis policy test && portcullis policy build\n"
    ))
}

/// A DNS label (RFC 1123) that starts with a letter, since cargo demands that
/// of a crate, and that Rust can take as a name.
fn check_name(name: &str) -> Result<(), Error> {
    let is_label = name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let rule = if !is_label {
        "write a DNS label: at most 63 of a-z, 0-9 and `-`, a letter first and no `-` at the end"
    } else if RESERVED.contains(&name) {
        "Rust means something else by it: write two words, as in `no-host-paths`"
    } else {
        return Ok(());
    };
    Err(Error::Name {
        name: name.chars().take(64).collect(),
        rule,
    })
}

/// Nothing is there, or an empty folder.
fn check_free(folder: &Path) -> Result<(), Error> {
    let entries = std::fs::read_dir(folder).map(|mut entries| entries.next().is_none());
    match entries.map_err(|error| (error.kind(), error)) {
        Ok(true) | Err((ErrorKind::NotFound, _)) => Ok(()),
        Ok(false) | Err((ErrorKind::NotADirectory, _)) => Err(Error::Occupied(folder.to_owned())),
        Err((_, error)) => Err(Error::file(folder, error)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)
    };
    write().map_err(|source| Error::file(path, source))
}

/// Starts from the versions that the SDK was tested with. Where cargo is
/// missing or cannot reach them, the first build chooses.
fn seed_lock(folder: &Path, sdk: &Sdk) -> Result<(), Error> {
    let Some(known) = sdk
        .lock()
        .and_then(|lock| std::fs::read_to_string(lock).ok())
    else {
        return Ok(());
    };
    let lock = folder.join("Cargo.lock");
    write(&lock, &known)?;
    if cargo::prune_lock(folder) {
        return Ok(());
    }
    std::fs::remove_file(&lock).map_err(|source| Error::file(&lock, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels_that_rust_can_take() {
        let longest = "a".repeat(63);
        for good in ["a", "no-host-paths", "v2", "owner", &longest] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in [
            "", "A", "-a", "a-", "a_b", "a.b", "2fa", "a/b", "../a", "é", &too_long,
        ] {
            let message = check_name(bad).expect_err(bad).to_string();
            assert!(
                message.contains("write a DNS label: at most 63"),
                "{message}"
            );
        }
        for reserved in RESERVED {
            assert!(
                check_name(reserved)
                    .expect_err(reserved)
                    .to_string()
                    .contains("Rust")
            );
        }
    }

    #[test]
    fn a_template_leaves_no_placeholder_behind() {
        for (file, template) in FILES {
            let rest = ["@NAME@", "@CRATE@", "@SDK@"]
                .iter()
                .fold(template.to_owned(), |text, placeholder| {
                    text.replace(placeholder, "")
                });
            assert!(!rest.contains('@'), "{file}");
        }
    }
}
