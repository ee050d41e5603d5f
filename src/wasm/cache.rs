//! Compiled code on disk, for the next start.
//!
//! Compiled code is trusted like the executable, so the folder must belong to
//! this user alone, and each entry bears a tag made with a key that lies
//! beside it. An entry that is damaged, cut off, made elsewhere or open to
//! others is passed over as if it were not there. Whatever else goes wrong
//! here costs time and nothing more: it is said once, never an error.

mod folder;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use folder::Folder;

use super::machine::MachineCode;

/// A folder of compiled code, or why there is none.
pub struct Cache {
    folder: Result<Folder, String>,
    /// What was wrong with it first.
    problem: OnceLock<String>,
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
    /// Others could sign code.
    #[error(
        "{}: others than you may read or write this key of the code cache: remove its folder, \
         which is made anew",
        .0.display()
    )]
    Exposed(PathBuf),
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
        Ok(Cache::of(Ok(Folder::open(folder)?)))
    }

    /// A cache that keeps nothing, and says why once something should be kept:
    /// before that, it costs nothing.
    pub fn unusable(error: &Error) -> Cache {
        Cache::of(Err(error.to_string()))
    }

    fn of(folder: Result<Folder, String>) -> Cache {
        Cache {
            folder,
            problem: OnceLock::new(),
        }
    }

    /// The first thing that went wrong, one line. It was logged; a command
    /// that logs nothing prints it.
    pub fn problem(&self) -> Option<&str> {
        self.problem.get().map(String::as_str)
    }

    /// The code of this name, if it is there and authentic.
    pub(super) fn get(&self, name: &str) -> Option<MachineCode> {
        let found = self.folder.as_ref().ok()?.get(name);
        found.unwrap_or_else(|problem| {
            self.say(problem);
            None
        })
    }

    /// Keeps code under this name.
    pub(super) fn put(&self, name: &str, code: &MachineCode) {
        let kept = match &self.folder {
            Ok(folder) => folder.put(name, code),
            Err(problem) => Err(problem.clone()),
        };
        if let Err(problem) = kept {
            self.say(format!("compiled code is not kept: {problem}"));
        }
    }

    fn say(&self, problem: String) {
        if self.problem.set(problem).is_ok() {
            tracing::warn!(problem = self.problem(), "code cache");
        }
    }
}
