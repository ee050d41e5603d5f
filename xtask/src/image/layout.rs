//! An OCI image layout in a tar: image-spec v1.1, image-layout.md.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use portcullis::policy::digest::Digest;
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

use super::contents::{BINARY, Part};
use super::{Arch, REPOSITORY};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Nobody: what distroless images call `nonroot`.
pub(super) const USER: u32 = 65532;
/// When everything was made, so that it is the same tomorrow.
const EPOCH: &str = "1970-01-01T00:00:00Z";

pub(super) struct Layout {
    pub(super) bytes: Vec<u8>,
    /// Of the manifest.
    pub(super) digest: Digest,
    /// What a node pulls, in bytes.
    pub(super) size: u64,
}

struct Blob {
    digest: Digest,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Blob {
        Blob {
            digest: Digest::of(&bytes),
            bytes,
        }
    }

    fn descriptor(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// The layout of an image of these files.
pub(super) fn of(arch: Arch, contents: &[Part]) -> Result<Layout> {
    let files = files(contents)?;
    let layer = Blob::new(compressed(&files)?);
    let config = Blob::new(config(arch, &Digest::of(&files)).to_string().into());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(CONFIG),
        "layers": [layer.descriptor(LAYER)],
    });
    let manifest = Blob::new(manifest.to_string().into());
    let blobs = [layer, config, manifest];
    let size = blobs.iter().map(|blob| blob.bytes.len() as u64).sum();
    let digest = blobs[2].digest.clone();
    Ok(Layout {
        bytes: archive(arch, &blobs)?,
        digest,
        size,
    })
}

/// The root file system, uncompressed.
fn files(contents: &[Part]) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    let mut folders = std::collections::BTreeSet::new();
    for part in contents {
        for (at, _) in part.path.match_indices('/') {
            let folder = &part.path[..=at];
            if folders.insert(folder.to_owned()) {
                append(&mut tar, EntryType::Directory, folder, 0o755, &[])?;
            }
        }
        let mode = if part.is_executable { 0o755 } else { 0o644 };
        append(&mut tar, EntryType::Regular, &part.path, mode, &part.bytes)?;
    }
    Ok(tar.into_inner()?)
}

fn append(
    tar: &mut Builder<Vec<u8>>,
    kind: EntryType,
    path: &str,
    mode: u32,
    bytes: &[u8],
) -> Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes)
        .with_context(|| path.to_owned())
}

fn compressed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?)
}

fn config(arch: Arch, layer: &Digest) -> Value {
    json!({
        "architecture": arch.name(),
        "os": "linux",
        "created": EPOCH,
        "config": {
            "User": format!("{USER}:{USER}"),
            "Entrypoint": [format!("/{BINARY}")],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "portcullis",
                "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
                "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer]},
        "history": [{"created": EPOCH, "created_by": "cargo xtask image"}],
    })
}

/// `oci-layout`, `index.json` and the blobs; the index is last, as it names them.
fn archive(arch: Arch, blobs: &[Blob; 3]) -> Result<Vec<u8>> {
    let mut tar = Builder::new(Vec::new());
    let layout = json!({"imageLayoutVersion": "1.0.0"}).to_string();
    append(
        &mut tar,
        EntryType::Regular,
        "oci-layout",
        0o644,
        layout.as_bytes(),
    )?;
    for blob in blobs {
        let path = format!("blobs/sha256/{}", blob.digest.hex());
        append(&mut tar, EntryType::Regular, &path, 0o644, &blob.bytes)?;
    }
    let mut manifest = blobs[2].descriptor(MANIFEST);
    manifest["platform"] = json!({"architecture": arch.name(), "os": "linux"});
    let version = env!("CARGO_PKG_VERSION");
    manifest["annotations"] = json!({
        "org.opencontainers.image.ref.name": version,
        // What containerd names it after an import.
        "io.containerd.image.name": format!("{REPOSITORY}:{version}"),
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [manifest],
    });
    append(
        &mut tar,
        EntryType::Regular,
        "index.json",
        0o644,
        index.to_string().as_bytes(),
    )?;
    Ok(tar.into_inner()?)
}
