//! `policy new`: names, folders, SDKs.

use super::{Scratch, expect, owner, policy, root};

#[test]
fn a_bad_name_is_refused_with_the_rule() {
    let scratch = Scratch::new();
    for name in ["Owner", "2fa", "a_b", "a.b", "../up", "owner-", ""] {
        let (_, said) = expect(2, policy(scratch.path(), &["new", name]));
        assert!(
            said.contains("write a DNS label: at most 63 of a-z"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let (_, said) = expect(2, policy(scratch.path(), &["new", "serde"]));
    assert!(said.contains("write two words"), "{said}");
    let left = std::fs::read_dir(scratch.path())
        .expect("the folder")
        .count();
    assert_eq!(left, 0);
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let scratch = Scratch::new();
    let mine = scratch.file("owner/Cargo.toml", "mine");
    let file = scratch.file("file", "mine");
    for arguments in [&["new", "owner"][..], &["new", "owner", "--path", &file]] {
        let (_, said) = expect(2, policy(scratch.path(), arguments));
        assert!(
            said.contains("is there already and not empty: give another with --path"),
            "{said}"
        );
    }
    for path in [mine, file] {
        assert_eq!(std::fs::read_to_string(path).expect("it is there"), "mine");
    }
    assert!(!scratch.path().join("owner/src").exists());
}

#[test]
fn an_empty_folder_is_taken_and_a_deep_one_is_made() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("empty")).expect("a folder");
    for folder in ["empty", "a/b/c"] {
        let (out, _) = expect(
            0,
            policy(scratch.path(), &["new", "owner", "--path", folder]),
        );
        assert!(out.contains(&format!("next: cd {folder} &&")), "{out}");
        let manifest = scratch.path().join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).expect("written");
        assert!(manifest.contains("name = \"owner\""));
    }
}

#[test]
fn the_sdk_is_a_checkout_its_crate_or_a_repository() {
    let scratch = Scratch::new();
    let root = root().to_str().expect("UTF-8");
    let crate_of_sdk = format!("{root}/policies/sdk");
    let url = "https://example.org/portcullis.git";
    for (name, sdk, expected) in [
        ("one", root, format!("path = \"{crate_of_sdk}\"")),
        ("two", &crate_of_sdk, format!("path = \"{crate_of_sdk}\"")),
        ("three", url, format!("git = \"{url}\"")),
    ] {
        expect(0, policy(scratch.path(), &["new", name, "--sdk", sdk]));
        let manifest = scratch.path().join(name).join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).expect("written");
        assert_eq!(manifest.matches(&expected).count(), 2, "{manifest}");
    }
    let elsewhere = scratch.path().to_str().expect("UTF-8");
    let (_, said) = expect(
        2,
        policy(scratch.path(), &["new", "four", "--sdk", elsewhere]),
    );
    assert!(
        said.contains("holds no policy SDK: give --sdk a checkout"),
        "{said}"
    );
    assert!(!scratch.path().join("four").exists());
}

#[test]
fn a_new_policy_starts_from_the_versions_that_the_sdk_was_tested_with() {
    let scratch = owner();
    let read = |path| std::fs::read_to_string(path).expect("a lock");
    let tested = read(root().join("Cargo.lock"));
    let lock = read(scratch.path().join("owner/Cargo.lock"));
    let packages: Vec<&str> = lock.split("[[package]]").skip(1).collect();
    let from_registry = packages
        .iter()
        .filter(|package| package.contains("checksum"));
    let versions = |package: &&&str| {
        let lines = package.lines().filter(|line| {
            line.starts_with("name") || line.starts_with("version") || line.starts_with("checksum")
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let known: Vec<String> = tested
        .split("[[package]]")
        .collect::<Vec<_>>()
        .iter()
        .map(|p| versions(&p))
        .collect();
    let mut count = 0;
    for package in from_registry {
        assert!(known.contains(&versions(&package)), "{package}");
        count += 1;
    }
    assert!(count > 10 && !lock.contains("wasmtime"), "{lock}");
}
