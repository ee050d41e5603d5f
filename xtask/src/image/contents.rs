//! What is in the image.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::Arch;
use crate::shell::{command, output};

/// Where the binary is in the image.
pub(super) const BINARY: &str = "usr/bin/portcullis";
/// Where rustls-native-certs and everybody else looks.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Where Debian's cross compiler has the runtime of the other architecture.
const CROSS: &str = "/usr/aarch64-linux-gnu/lib";

/// A file of the image.
pub(super) struct Part {
    /// Without the slash before it.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    pub(super) is_executable: bool,
    /// Where it was read from.
    pub(super) origin: PathBuf,
}

/// All files, in the order of their paths.
pub(super) fn of(arch: Arch, binary: &Path) -> Result<Vec<Part>> {
    let mut parts = vec![part(BINARY, binary, true)?];
    for (path, origin) in runtime(arch, binary)? {
        parts.push(part(path.trim_start_matches('/'), &origin, true)?);
    }
    let certificates = Path::new("/").join(CERTIFICATES);
    ensure!(
        certificates.is_file(),
        "{} is missing: install the package ca-certificates",
        certificates.display()
    );
    parts.push(part(CERTIFICATES, &certificates, false)?);
    parts.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(parts)
}

fn part(path: &str, origin: &Path, is_executable: bool) -> Result<Part> {
    let bytes = std::fs::read(origin).with_context(|| format!("{}", origin.display()))?;
    Ok(Part {
        path: path.to_owned(),
        bytes,
        is_executable,
        origin: origin.to_owned(),
    })
}

/// The shared libraries that the binary asks for and the loader: where they are
/// in the image, and here.
fn runtime(arch: Arch, binary: &Path) -> Result<Vec<(String, PathBuf)>> {
    let headers = output(command("readelf", &["-ldW"]).arg(binary))
        .context("readelf is missing: install the package binutils")?;
    let (needed, loader) = (needed(&headers), loader(&headers)?);
    let folder = match arch {
        Arch::Amd64 => "/lib/x86_64-linux-gnu",
        Arch::Arm64 => "/lib/aarch64-linux-gnu",
    };
    let here = |in_image: &str, name: &str| match arch.is_ours() {
        true => PathBuf::from(in_image),
        false => Path::new(CROSS).join(name),
    };
    let mut files = Vec::new();
    for name in needed {
        let is_loader = loader.ends_with(&format!("/{name}"));
        if !is_loader {
            let path = format!("{folder}/{name}");
            files.push((path.clone(), here(&path, &name)));
        }
    }
    let name = loader.rsplit('/').next().unwrap_or_default();
    files.push((loader.clone(), here(&loader, name)));
    Ok(files)
}

/// `Shared library: [libc.so.6]`.
fn needed(headers: &str) -> Vec<String> {
    let lines = headers.lines().filter(|line| line.contains("(NEEDED)"));
    let name = |line: &str| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned());
    lines.filter_map(name).collect()
}

/// `[Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]`.
fn loader(headers: &str) -> Result<String> {
    const BEFORE: &str = "Requesting program interpreter: ";
    let rest = headers.split_once(BEFORE).map(|(_, rest)| rest);
    match rest.and_then(|rest| rest.split_once(']')) {
        Some((path, _)) => Ok(path.to_owned()),
        None => bail!("the binary names no loader: it is not linked to a C runtime"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADERS: &str = "
  INTERP         0x000318 0x0000000000000318 0x0000000000000318 0x00001c 0x00001c R   0x1
      [Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]
 0x0000000000000001 (NEEDED)             Shared library: [libgcc_s.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000000c (INIT)               0x16f000
";

    #[test]
    fn libraries_and_the_loader_are_read_from_the_binary() {
        assert_eq!(needed(HEADERS), ["libgcc_s.so.1", "libc.so.6"]);
        assert_eq!(loader(HEADERS).unwrap(), "/lib64/ld-linux-x86-64.so.2");
        assert!(loader("nothing").is_err());
    }
}
