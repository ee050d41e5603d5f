//! `cargo xtask image`: the container image, without a daemon.
//!
//! From scratch: the binary, the C runtime that it is linked to, certificates
//! of public CAs, and nothing else. The same sources in the same folder with
//! the same toolchain give the same bytes.

mod contents;
mod layout;
mod parts;
mod run;
mod sbom;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use portcullis::policy::digest::Digest;

use crate::build;
use crate::shell::root;

pub(crate) use run::check;

/// What an image may weigh, compressed (issue 7).
const MOST: u64 = 40_000_000;
/// Where images are pushed, as the chart has it.
const REPOSITORY: &str = "ghcr.io/portcullis-dev/portcullis";

/// What an image is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arch {
    Amd64,
    Arm64,
}

impl Arch {
    /// As images name it.
    fn name(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        }
    }

    /// As rustc names it.
    fn target(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-unknown-linux-gnu",
            Arch::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    fn is_ours(self) -> bool {
        std::env::consts::ARCH == self.target().split('-').next().unwrap_or_default()
    }
}

/// An image that was written.
pub(crate) struct Image {
    /// An OCI layout in a tar, as `skopeo`, `podman`, `ctr` and `docker` read it.
    pub(crate) file: PathBuf,
    /// What a registry names it by.
    pub(crate) digest: Digest,
}

/// The command.
pub(crate) fn image(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let arch = match words[..] {
        [] | ["--arch", "amd64"] => Arch::Amd64,
        ["--arch", "arm64"] => Arch::Arm64,
        _ => bail!("`cargo xtask image` takes `--arch amd64`, `--arch arm64` or nothing"),
    };
    let binary = build::release((!arch.is_ours()).then(|| arch.target()))?;
    let image = write(arch, &binary, &root().join("target/image"))?;
    println!("{}\n{}", image.file.display(), image.digest);
    Ok(())
}

/// Writes the image of this binary into a folder, and its list of parts.
pub(crate) fn write(
    arch: Arch,
    binary: &std::path::Path,
    folder: &std::path::Path,
) -> Result<Image> {
    let contents = contents::of(arch, binary)?;
    for part in &contents {
        println!("{:>9} {}", part.bytes.len(), part.path);
    }
    let name = format!("portcullis-{}-{}", env!("CARGO_PKG_VERSION"), arch.name());
    std::fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let bom = folder.join(format!("{name}.spdx.json"));
    let parts = parts::of(arch, &contents)?;
    std::fs::write(&bom, sbom::document(&name, &parts)?)
        .with_context(|| format!("{}", bom.display()))?;
    let layout = layout::of(arch, &contents)?;
    let file = folder.join(format!("{name}.oci.tar"));
    std::fs::write(&file, &layout.bytes).with_context(|| format!("{}", file.display()))?;
    println!(
        "{:>9} compressed; {} parts in the SBOM",
        layout.size,
        parts.len()
    );
    ensure!(
        layout.size < MOST,
        "the image is {} bytes, more than {MOST}",
        layout.size
    );
    Ok(Image {
        file,
        digest: layout.digest,
    })
}
