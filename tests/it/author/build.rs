//! `policy build`: the same bytes everywhere, and what stands in its way.

use std::os::unix::fs::PermissionsExt;

use super::{Scratch, building, expect, owner, policy, root};

#[test]
fn the_same_sources_give_the_same_digest_in_another_folder() {
    let _one = building();
    let built = ["owner", "a folder/of another name"].map(|name| {
        let scratch = owner();
        let folder = scratch.path().join(name);
        if name != "owner" {
            std::fs::create_dir_all(folder.parent().expect("a parent")).expect("a folder");
            std::fs::rename(scratch.path().join("owner"), &folder).expect("moved");
        }
        let (printed, said) = expect(0, policy(&folder, &["build", "--out", "it.wasm"]));
        // Not the first one's, found in the target folder that they share.
        assert!(said.contains("Compiling owner v0.1.0"), "{said}");
        (
            printed,
            std::fs::read(folder.join("it.wasm")).expect("built"),
        )
    });
    assert_eq!(built[0], built[1]);
    // And no path of this machine is in it.
    let home = std::env::home_dir().expect("a home");
    for path in [root(), &std::env::temp_dir(), &home] {
        let path = path.to_str().expect("UTF-8").as_bytes();
        let is_there = built[0].1.windows(path.len()).any(|window| window == path);
        assert!(!is_there, "{}", String::from_utf8_lossy(path));
    }
}

#[test]
fn a_policy_of_the_pack_is_built_to_the_very_bytes_of_the_pack() {
    let _one = building();
    let scratch = Scratch::new();
    let out = scratch.path().join("it.wasm");
    let out = out.to_str().expect("UTF-8");
    let mut build = policy(root(), &["build", "policies/image-tags", "--out", out]);
    // In one folder, two sets of compiler flags would undo each other's work.
    build.env("CARGO_TARGET_DIR", root().join("target/guests-tests/pack"));
    expect(0, build);
    let builtin = root().join("target/policies/image-tags.wasm");
    let read = |path: &std::path::Path| std::fs::read(path).expect("a component");
    assert!(read(out.as_ref()) == read(&builtin), "they differ");
}

#[test]
fn errors_of_the_compiler_pass_through() {
    let _one = building();
    let scratch = owner();
    scratch.file("owner/src/lib.rs", "fn broken( {");
    let (out, said) = expect(2, policy(scratch.path(), &["build", "owner"]));
    assert!(out.is_empty() && said.contains("src/lib.rs:1"), "{said}");
    assert!(
        said.contains("error: `cargo build` ended with exit status: 101: see above"),
        "{said}"
    );
    assert!(!scratch.path().join("owner/owner.wasm").exists());
}

#[test]
fn a_lock_file_is_kept_to_and_a_new_version_says_how_to_mend_it() {
    let scratch = owner();
    let manifest = scratch.path().join("owner/Cargo.toml");
    let text = std::fs::read_to_string(manifest).expect("its manifest");
    let bumped = text.replace("version = \"0.1.0\"", "version = \"0.2.0\"");
    scratch.file("owner/Cargo.toml", bumped);
    let (_, said) = expect(2, policy(scratch.path(), &["build", "owner"]));
    assert!(
        said.contains("run `cargo update --workspace` in the policy's folder"),
        "{said}"
    );
}

#[test]
fn what_is_no_policy_is_named() {
    let _one = building();
    let scratch = Scratch::new();
    let (_, said) = expect(2, policy(scratch.path(), &["build"]));
    assert!(said.contains("portcullis policy new NAME"), "{said}");
    let package = "[package]\nname = \"x\"\nedition = \"2024\"\n[workspace]\n";
    scratch.file("x/Cargo.toml", package);
    scratch.file("x/src/lib.rs", "");
    let (_, said) = expect(2, policy(scratch.path(), &["build", "x"]));
    assert!(
        said.contains("write `crate-type = [\"cdylib\", \"rlib\"]`"),
        "{said}"
    );
    scratch.file(
        "x/Cargo.toml",
        format!("{package}[lib]\ncrate-type = [\"cdylib\"]\n"),
    );
    let (_, said) = expect(2, policy(scratch.path(), &["build", "x"]));
    assert!(
        said.contains("it does not export `portcullis:policy/guest@"),
        "{said}"
    );
    scratch.file("y/Cargo.toml", "[workspace]\nmembers = [\"z\"]\n");
    scratch.file("y/z/Cargo.toml", package.replace("[workspace]\n", ""));
    scratch.file("y/z/src/lib.rs", "");
    let (_, said) = expect(2, policy(scratch.path(), &["build", "y"]));
    assert!(
        said.contains("y: it is a workspace of several crates"),
        "{said}"
    );
}

#[test]
fn a_missing_tool_is_one_line_with_the_remedy() {
    let scratch = owner();
    let folder = scratch.path().join("owner");
    let mut build = policy(&folder, &["build"]);
    build.env("PATH", scratch.path());
    let (_, said) = expect(2, build);
    assert!(
        said.contains("install Rust from https://rustup.rs"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_missing_target_is_one_line_with_the_command() {
    let scratch = owner();
    let path = std::env::var("PATH").expect("a PATH");
    let real = format!("PATH='{path}' exec rustc \"$@\"");
    let script =
        format!("#!/bin/sh\ncase \"$*\" in *target-libdir*) echo /nowhere;; *) {real};; esac\n");
    let rustc = scratch.file("bin/rustc", script);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&rustc, executable).expect("executable");
    let mut build = policy(&scratch.path().join("owner"), &["build"]);
    build.env(
        "PATH",
        format!("{}:{path}", scratch.path().join("bin").display()),
    );
    let (_, said) = expect(2, build);
    assert!(
        said.contains("run `rustup target add wasm32-unknown-unknown`"),
        "{said}"
    );
    // cargo may say besides that it waits for another cargo.
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{said}");
}
