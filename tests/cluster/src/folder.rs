//! The folder of a cluster: state, keys, logs.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::Process;

/// Leaves the folder where it is, to look into it.
const KEEP_VARIABLE: &str = "PORTCULLIS_TEST_KEEP";

/// A folder that is removed when it is dropped, or when this process has ended
/// in any other way.
pub(crate) struct Folder {
    path: PathBuf,
    /// Removes the folder at its end. None: the folder is kept.
    _sweeper: Option<Process>,
}

impl Folder {
    /// A new folder that nobody else can read: keys are kept in it.
    pub(crate) fn new(plane: &Path) -> Result<Folder> {
        let path = std::env::temp_dir().join(crate::unique());
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{} cannot be made", path.display()))?;
        let sweeper = match std::env::var_os(KEEP_VARIABLE) {
            Some(_) => {
                eprintln!("{KEEP_VARIABLE} is set: {} is kept", path.display());
                None
            }
            None => {
                let folder = path.display().to_string();
                Some(Process::start(
                    plane,
                    &path,
                    "sweep",
                    &["sweep".into(), folder],
                )?)
            }
        };
        Ok(Folder {
            path,
            _sweeper: sweeper,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the folder, as text.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Writes a file and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.path.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        Ok(path.display().to_string())
    }
}
