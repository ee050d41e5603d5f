//! Files, folders and standard input.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_manifest as manifest;

use crate::finding::Failure;

/// The argument that stands for standard input.
pub const STDIN: &str = "-";
/// The largest file that is read. Objects have at most 1.5 MB; a larger file
/// holds thousands of them or is no manifest.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// What the user named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `-`.
    Stdin,
    /// A file or a folder.
    Path(PathBuf),
}

impl From<&str> for Input {
    fn from(argument: &str) -> Self {
        if argument == STDIN {
            Input::Stdin
        } else {
            Input::Path(argument.into())
        }
    }
}

/// A file that was read.
pub(super) struct File {
    pub(super) name: Arc<str>,
    pub(super) stream: manifest::Stream,
}

/// All files, and those that could not be read.
#[derive(Default)]
pub(super) struct Files {
    pub(super) files: Vec<File>,
    pub(super) failures: Vec<Failure>,
}

/// Reads everything, in order, on as many threads as there are cores.
pub(super) fn read(inputs: &[Input]) -> Files {
    let mut failures = Vec::new();
    let mut named: Vec<Input> = Vec::new();
    for input in inputs {
        match input {
            Input::Stdin if named.contains(input) => {}
            Input::Stdin => named.push(Input::Stdin),
            Input::Path(path) => match walk(path) {
                Ok(files) => named.extend(files.into_iter().map(Input::Path)),
                Err(error) => failures.push(unread(&display(path), &error)),
            },
        }
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = named.len().div_ceil(threads).max(1);
    let results: Vec<Result<File, Failure>> = std::thread::scope(|scope| {
        let read = |part: &'_ [Input]| part.iter().map(file).collect::<Vec<_>>();
        let running: Vec<_> = named
            .chunks(share)
            .map(|part| scope.spawn(move || read(part)))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default())
            .collect()
    });
    let mut files = Files {
        failures,
        ..Files::default()
    };
    if results.len() != named.len() {
        let cause = "reading failed inside Portcullis: report this".to_owned();
        files.failures.push(Failure {
            cause,
            ..Failure::default()
        });
    }
    for result in results {
        match result {
            Ok(file) => files.files.push(file),
            Err(failure) => files.failures.push(failure),
        }
    }
    files
}

/// A file itself; of a folder everything below it that may be a manifest, by
/// name. Hidden folders and links to folders are passed over.
fn walk(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = std::fs::read_dir(path)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let (child, kind) = (entry.path(), entry.file_type()?);
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if kind.is_dir() && !is_hidden {
            files.extend(walk(&child)?);
        } else if !kind.is_dir() && is_manifest(&child) && child.is_file() {
            files.push(child);
        }
    }
    Ok(files)
}

fn is_manifest(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["yaml", "yml", "json"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn file(input: &Input) -> Result<File, Failure> {
    let name = match input {
        Input::Stdin => STDIN.to_owned(),
        Input::Path(path) => display(path),
    };
    let bytes = match input {
        Input::Stdin => stdin(),
        Input::Path(path) => bounded(path),
    };
    let bytes = bytes.map_err(|error| unread(&name, &error))?;
    let stream = manifest::read(&bytes);
    Ok(File {
        name: name.into(),
        stream,
    })
}

fn stdin() -> std::io::Result<Vec<u8>> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        let advice = "standard input is a terminal: pipe manifests in, \
                      as in `kubectl kustomize . | portcullis check -`";
        return Err(std::io::Error::other(advice));
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    within_bounds(bytes)
}

fn bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)?;
    within_bounds(bytes)
}

fn within_bounds(bytes: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("it is larger than 256 MiB: split it"));
    }
    Ok(bytes)
}

/// As it was given, with `/` between its parts.
fn display(path: &Path) -> String {
    path.display().to_string()
}

fn unread(name: &str, error: &std::io::Error) -> Failure {
    let cause = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        _ => error.to_string(),
    };
    Failure {
        file: Some(name.to_owned()),
        cause,
        ..Failure::default()
    }
}
