//! Compiled code on disk, for the next start.
//!
//! Compiled code is trusted like the executable, so the folder must belong to
//! this user alone, and each entry bears a tag made with a key that lies
//! beside it. An entry that is damaged, cut off or made elsewhere is passed
//! over as if it were not there. Whatever else goes wrong here costs time and
//! nothing more: it is logged, never an error.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;

use super::machine::{MachineCode, TAG_BYTES};

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

/// A folder of compiled code.
pub struct Cache {
    folder: PathBuf,
    key: hmac::Key,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be made, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or the key in it.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Others could put code there.
    #[error(
        "{}: others than you may write here, and compiled code must not come from them: \
         run `chmod 700`, or choose another folder with --code-cache",
        .0.display()
    )]
    Shared(PathBuf),
}

/// Where this user's programs keep what they can make again: `portcullis` in
/// `$XDG_CACHE_HOME`, or in `~/.cache`. None without a home.
pub fn usual_folder() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(caches.join("portcullis"))
}

impl Cache {
    /// Opens a folder, and makes it if it is not there.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written, or that others may write.
    pub fn open(folder: &Path) -> Result<Cache, Error> {
        let fail = |source| Error::Io {
            path: folder.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(fail)?;
        let is_shared = |metadata: fs::Metadata| {
            metadata.mode() & 0o022 != 0 || metadata.uid() != rustix::process::geteuid().as_raw()
        };
        if is_shared(fs::symlink_metadata(folder).map_err(fail)?) {
            return Err(Error::Shared(folder.to_owned()));
        }
        let path = folder.join(KEY);
        let key = key(&path).map_err(|source| Error::Io { path, source })?;
        Ok(Cache {
            folder: folder.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }

    /// The code of this name, if it is there and authentic.
    pub(super) fn get(&self, name: &str) -> Option<MachineCode> {
        let path = self.path(name);
        let mut file = File::open(&path).ok()?;
        let mut tag = [0; TAG_BYTES];
        let mut bytes = Vec::new();
        file.read_exact(&mut tag).ok()?;
        file.read_to_end(&mut bytes).ok()?;
        let code = MachineCode::authenticate(&self.key, name, &tag, bytes);
        if code.is_none() {
            tracing::warn!(path = %path.display(), "a damaged entry of the code cache is passed over");
        }
        // The next clearing goes by it; a folder that is read only keeps all.
        let _ = file.set_modified(SystemTime::now());
        code
    }

    /// Keeps code under this name.
    pub(super) fn put(&self, name: &str, code: &MachineCode) {
        if let Err(error) = self.write(name, code).and_then(|()| self.clear(MAX_BYTES)) {
            let folder = self.folder.display();
            tracing::warn!(%folder, %error, "compiled code could not be kept");
        }
    }

    fn write(&self, name: &str, code: &MachineCode) -> io::Result<()> {
        // Other processes read at the same time: an entry appears whole.
        static UNIQUE: AtomicU64 = AtomicU64::new(0);
        let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let temporary = self
            .folder
            .join(format!("{name}.{}.{unique}", std::process::id()));
        let mut file = create_private(&temporary)?;
        let written = file
            .write_all(code.tag(&self.key, name).as_ref())
            .and_then(|()| file.write_all(code.bytes()))
            .and_then(|()| fs::rename(&temporary, self.path(name)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Removes what was not used for the longest time, down to `most` bytes.
    fn clear(&self, most: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            // Another process may have removed it meanwhile.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            let modified = metadata.modified()?;
            if path.extension().is_some_and(|end| end == EXTENSION) {
                entries.push((modified, metadata.len(), path));
            } else if path != self.folder.join(KEY) && is_older(modified, ABANDONED) {
                fs::remove_file(path)?;
            }
        }
        let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
        entries.sort();
        for (_, size, path) in entries {
            if total <= most {
                break;
            }
            fs::remove_file(path)?;
            total -= size;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }
}

fn is_older(modified: SystemTime, than: Duration) -> bool {
    modified.elapsed().is_ok_and(|elapsed| elapsed > than)
}

/// The key of the folder; the first process makes it.
fn key(path: &Path) -> io::Result<Vec<u8>> {
    if !path.exists() {
        let mut key = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
        let temporary = path.with_extension(std::process::id().to_string());
        create_private(&temporary)?.write_all(&key)?;
        // Of two processes, one wins; both read what is there then.
        let linked = fs::hard_link(&temporary, path);
        fs::remove_file(&temporary)?;
        linked.or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(error),
        })?;
    }
    let key = fs::read(path)?;
    if key.len() == KEY_BYTES {
        Ok(key)
    } else {
        let problem = "this is no key of the code cache: remove the folder";
        Err(io::Error::new(io::ErrorKind::InvalidData, problem))
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
