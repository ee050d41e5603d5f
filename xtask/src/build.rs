//! `cargo xtask build`: the guests, then the binary that embeds them.

mod release;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use portcullis::wasm::{assemble, inspect};

pub(crate) use release::{release, released};

use crate::precompile;
use crate::shell::{cargo, command, output, root, run};

/// What policies are compiled for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Folders of `policies/` that are no policies.
const TOOLS: [&str; 3] = ["derive", "sdk", "secrets"];

/// Everything; `--release` makes the binary to install.
pub(crate) fn all(arguments: &[String]) -> Result<()> {
    let release = match arguments {
        [] => false,
        [flag] if flag == "--release" => true,
        _ => anyhow::bail!("`cargo xtask build` takes `--release` or nothing"),
    };
    if release {
        return self::release(None).map(drop);
    }
    policies()?;
    run(&mut cargo(&["build", "--package", "portcullis", "--bins"]))
}

/// The built-in policies, as components in `target/policies`.
pub(crate) fn policies() -> Result<()> {
    ensure_target(TARGET)?;
    let names = names()?;
    let mut build = cargo(&["build", "--profile", "guest", "--target", TARGET]);
    for name in &names {
        build.args(["--package", name]);
    }
    build
        .env("RUSTFLAGS", remapping())
        .env("CARGO_TARGET_DIR", guest_target());
    run(&mut build)?;
    let folder = root().join("target/policies");
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    names.iter().try_for_each(|name| encode(name, &folder))?;
    let compiled = precompile::all(&folder)?;
    remove_strangers(&folder, &names, &compiled)
}

/// The names of the built-in policies.
pub(crate) fn names() -> Result<Vec<String>> {
    let folder = root().join("policies");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.join("Cargo.toml").is_file() && !TOOLS.contains(&name) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "{} holds no policy", folder.display());
    Ok(names)
}

fn guest_target() -> PathBuf {
    root().join("target/guests")
}

/// Paths of this machine do not end up in a guest, so that its digest is the
/// same wherever it is built.
fn remapping() -> String {
    let home = std::env::var("CARGO_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|_| Path::new(&std::env::var("HOME").unwrap_or_default()).join(".cargo"));
    let (home, root) = (home.display().to_string(), root().display().to_string());
    format!("--remap-path-prefix={home}=cargo --remap-path-prefix={root}=portcullis")
}

fn encode(name: &str, folder: &Path) -> Result<()> {
    let file = format!("{}.wasm", name.replace('-', "_"));
    let module = guest_target().join(TARGET).join("guest").join(file);
    let bytes = std::fs::read(&module).with_context(|| format!("{}", module.display()))?;
    let component = assemble(&bytes).with_context(|| format!("policy `{name}`"))?;
    let digest = inspect(&component)?.digest;
    let path = folder.join(format!("{name}.wasm"));
    write_changed(&path, &component)?;
    println!("policy {name}: {} bytes, {digest}", component.len());
    Ok(())
}

/// Unchanged files keep their time, so that the binary is not built anew.
pub(crate) fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).ok().as_deref() == Some(bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes).with_context(|| format!("{}", path.display()))
}

/// What belongs to policies and settings that are no longer there.
fn remove_strangers(folder: &Path, names: &[String], compiled: &[PathBuf]) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_program = names
            .iter()
            .any(|name| path == folder.join(format!("{name}.wasm")));
        if !is_program && !compiled.contains(&path) {
            std::fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
        }
    }
    Ok(())
}

/// rustup does not install targets by itself where RUSTUP_AUTO_INSTALL is 0.
fn ensure_target(target: &str) -> Result<()> {
    let installed = output(&mut command("rustup", &["target", "list", "--installed"]))
        .context("rustup is missing: install it from https://rustup.rs")?;
    if installed.lines().any(|line| line == target) {
        return Ok(());
    }
    run(&mut command("rustup", &["target", "add", target]))
}
