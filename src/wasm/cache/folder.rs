//! The files of the cache.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use rustix::fs::OFlags;

use super::Error;
use crate::wasm::machine::{MachineCode, TAG_BYTES};

/// The name of the key, and its length in bytes.
const KEY: &str = "key";
const KEY_BYTES: usize = 32;
/// How much the folder may hold; beyond it what was not used for the longest
/// time goes. About 100 policies.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// What a process that was killed left half written goes after this.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// Entries end on this.
const EXTENSION: &str = "code";

/// A folder that belongs to this user alone, and its key.
pub(super) struct Folder {
    path: PathBuf,
    key: hmac::Key,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Folder, Error> {
        let fail = |path: &Path| {
            let path = path.to_owned();
            |source| Error::Io { path, source }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(fail(path))?;
        if !is_ours(&fs::symlink_metadata(path).map_err(fail(path))?, 0o022) {
            return Err(Error::Shared(path.to_owned()));
        }
        let file = path.join(KEY);
        let (key, metadata) = key(&file).map_err(fail(&file))?;
        if !is_ours(&metadata, 0o077) {
            return Err(Error::Exposed(file));
        }
        Ok(Folder {
            path: path.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }

    /// The code of this name; none if it is not there.
    ///
    /// # Errors
    ///
    /// Why an entry that is there is not taken.
    pub(super) fn get(&self, name: &str) -> Result<Option<MachineCode>, String> {
        let path = self.entry(name);
        let refuse = |problem: String| format!("{} is passed over: {problem}", path.display());
        let file = match open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refuse(error.to_string())),
        };
        let metadata = file.metadata().map_err(|error| refuse(error.to_string()))?;
        if !is_ours(&metadata, 0o022) || !metadata.is_file() || metadata.len() > MAX_BYTES {
            return Err(refuse("others than you could have written it".into()));
        }
        let code = self.read(name, &file, metadata.len());
        // The next clearing goes by it; a folder that is read only keeps all.
        let _ = file.set_modified(SystemTime::now());
        match code {
            Some(code) => Ok(Some(code)),
            None => Err(refuse("it is damaged, or was not made here".into())),
        }
    }

    fn read(&self, name: &str, mut file: &File, size: u64) -> Option<MachineCode> {
        let mut tag = [0; TAG_BYTES];
        // Megabytes that would be moved each time that the room for them grows.
        let mut bytes = Vec::with_capacity(usize::try_from(size).ok()?);
        file.read_exact(&mut tag).ok()?;
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        MachineCode::authenticate(&self.key, name, &tag, bytes)
    }

    /// Keeps code under this name.
    ///
    /// # Errors
    ///
    /// Why it could not be kept, one line.
    pub(super) fn put(&self, name: &str, code: &MachineCode) -> Result<(), String> {
        self.write(name, code)
            .and_then(|()| self.clear(MAX_BYTES))
            .map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn write(&self, name: &str, code: &MachineCode) -> io::Result<()> {
        // Other processes read at the same time: an entry appears whole.
        let temporary = self.path.join(format!("{name}.{}", unique()?));
        let mut file = create_private(&temporary)?;
        let written = file
            .write_all(code.tag(&self.key, name).as_ref())
            .and_then(|()| file.write_all(code.bytes()))
            .and_then(|()| fs::rename(&temporary, self.entry(name)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Removes what was not used for the longest time, down to `most` bytes.
    fn clear(&self, most: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            // Another process may have removed it meanwhile.
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            let modified = metadata.modified()?;
            if path.extension().is_some_and(|end| end == EXTENSION) {
                entries.push((modified, metadata.len(), path));
            } else if path != self.path.join(KEY) && is_older(modified, ABANDONED) {
                remove(&path)?;
            }
        }
        let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
        entries.sort();
        for (_, size, path) in entries {
            if total <= most {
                break;
            }
            remove(&path)?;
            total -= size;
        }
        Ok(())
    }

    fn entry(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.{EXTENSION}"))
    }
}

/// Of this user, with none of the `forbidden` permissions.
fn is_ours(metadata: &Metadata, forbidden: u32) -> bool {
    metadata.mode() & forbidden == 0 && metadata.uid() == rustix::process::geteuid().as_raw()
}

fn is_older(modified: SystemTime, than: Duration) -> bool {
    modified.elapsed().is_ok_and(|elapsed| elapsed > than)
}

/// Two processes may clear at once.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens what lies at this very place, and waits for nothing there.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.cast_signed())
        .open(path)
}

/// The key of the folder; the first process makes it.
fn key(path: &Path) -> io::Result<(Vec<u8>, Metadata)> {
    if !path.exists() {
        make_key(path)?;
    }
    let mut file = open(path)?;
    let metadata = file.metadata()?;
    let mut key = Vec::new();
    (&mut file)
        .take(KEY_BYTES as u64 + 1)
        .read_to_end(&mut key)?;
    if key.len() == KEY_BYTES {
        Ok((key, metadata))
    } else {
        let problem = "this is no key of the code cache: remove the folder";
        Err(io::Error::new(io::ErrorKind::InvalidData, problem))
    }
}

fn make_key(path: &Path) -> io::Result<()> {
    let key: [u8; KEY_BYTES] = random()?;
    let temporary = path.with_extension(unique()?);
    let written = create_private(&temporary)?.write_all(&key);
    // Of two processes, one wins; both read what is there then.
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    remove(&temporary)?;
    linked.or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(error),
    })
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| io::Error::other("no random numbers"))?;
    Ok(bytes)
}

/// A name that nobody else has: in containers, all processes have the id 1.
fn unique() -> io::Result<String> {
    Ok(format!("{:016x}", u64::from_le_bytes(random()?)))
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
