//! The image, unpacked and run: what is in it, and that it is enough.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use portcullis::policy::digest::Digest;
use serde_json::Value;

use super::layout::USER;
use super::{Arch, Image, write};
use crate::build;
use crate::shell::{output, root};

/// Where `chroot` is.
const SYSTEM: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// What may be in it, by the end of the path.
const KNOWN: [&str; 6] = [
    "usr/bin/portcullis",
    "etc/ssl/certs/ca-certificates.crt",
    "/libc.so.6",
    "/libm.so.6",
    "/libgcc_s.so.1",
    "lib64/ld-linux-x86-64.so.2",
];

/// Builds it twice, compares, unpacks it, and runs what it holds as the user it
/// names with nothing else to see.
pub(crate) fn check() -> Result<()> {
    let arch = Arch::Amd64;
    if !arch.is_ours() {
        println!("the image for {} is not run on this machine", arch.name());
        return Ok(());
    }
    let binary = build::release(None)?;
    let folder = root().join("target/image");
    let image = write(arch, &binary, &folder)?;
    let again = write(arch, &binary, &folder.join("again"))?;
    ensure!(
        image.digest == again.digest,
        "two builds of one binary differ: {} and {}",
        image.digest,
        again.digest
    );
    let inside = unpack(&image, &folder.join("root"))?;
    verdicts(&inside)
}

/// The root file system of the image; each blob is what its name says.
fn unpack(image: &Image, folder: &Path) -> Result<PathBuf> {
    let layout = folder.with_extension("layout");
    for old in [&layout, &folder.to_owned()] {
        if old.exists() {
            std::fs::remove_dir_all(old).with_context(|| format!("{}", old.display()))?;
        }
    }
    tar::Archive::new(std::fs::File::open(&image.file)?).unpack(&layout)?;
    let blob = |digest: &Value| -> Result<Vec<u8>> {
        let digest: Digest = serde_json::from_value(digest.clone())?;
        let bytes = std::fs::read(layout.join("blobs/sha256").join(digest.hex()))?;
        ensure!(Digest::of(&bytes) == digest, "the blob {digest} is another");
        Ok(bytes)
    };
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json"))?)?;
    let manifest = &index["manifests"][0]["digest"];
    ensure!(
        *manifest == *image.digest.as_str(),
        "another manifest: {manifest}"
    );
    let manifest: Value = serde_json::from_slice(&blob(manifest)?)?;
    let config: Value = serde_json::from_slice(&blob(&manifest["config"]["digest"])?)?;
    let user = config["config"]["User"].as_str().unwrap_or_default();
    ensure!(user == format!("{USER}:{USER}"), "it runs as {user:?}");
    let layer = blob(&manifest["layers"][0]["digest"])?;
    let mut layer = tar::Archive::new(GzDecoder::new(&*layer));
    layer.unpack(folder)?;
    strangers(folder)?;
    Ok(folder.to_owned())
}

fn strangers(folder: &Path) -> Result<()> {
    let mut found = BTreeSet::new();
    files(folder, &mut found)?;
    let is_known = |path: &&PathBuf| {
        let path = path.to_string_lossy();
        KNOWN.iter().any(|known| path.ends_with(known))
    };
    let strangers: Vec<_> = found.iter().filter(|path| !is_known(path)).collect();
    ensure!(
        strangers.is_empty(),
        "nobody asked for {strangers:?} in the image"
    );
    ensure!(
        found.len() == KNOWN.len(),
        "something is missing: {found:?}"
    );
    Ok(())
}

fn files(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

/// A review is answered by the binary of the image, as its user, in its root.
fn verdicts(inside: &Path) -> Result<()> {
    let review = std::fs::read(root().join("tests/data/reviews/pod-create-bare.json"))?;
    std::fs::create_dir_all(inside.join("tmp"))?;
    std::fs::write(inside.join("tmp/review.json"), review)?;
    let user = format!("--userspec={USER}:{USER}");
    let run = |arguments: &[&str]| {
        let mut chroot = Command::new("chroot");
        chroot.arg(&user).arg(inside).arg("/usr/bin/portcullis");
        chroot.args(arguments).env_clear().env("PATH", SYSTEM);
        output(&mut chroot).context("the binary of the image does not run (`chroot` wants root)")
    };
    let version = run(&["--version"])?;
    ensure!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    let answer = run(&["review", "--profile", "strict", "/tmp/review.json"])?;
    let answer: Value = serde_json::from_str(&answer)?;
    ensure!(
        answer["response"]["allowed"].is_boolean(),
        "no verdict: {answer}"
    );
    println!("the image's binary judges, as {USER}, with nothing else to see");
    Ok(())
}
