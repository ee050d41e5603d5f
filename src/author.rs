//! The author's path: from no policy to one that runs.
//!
//! One file a command (`new`, `build`, `test`, `inspect`, `trace`). Knows
//! cargo, folders of crates and what is said to people. Must not know how
//! anything is judged: `test` and `trace` run a policy as the webhook does.
//!
//! Invariant: nothing that is there is overwritten, except the component that
//! `build` is asked to write.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use portcullis_contract::reads::Reads;
use portcullis_contract::{Description, Redaction};
use serde_json::{Map, Value, json};

use crate::args::author::Granted;
use crate::policy::effect::EffectGrant;
use crate::policy::lookup::LookupGrant;
use crate::policy::spec::{API_VERSION, Grant, KIND, Resource};
use crate::policy::{Cause, Failure};
use crate::{load, source};

mod build;
mod cargo;
mod cases;
mod inspect;
mod new;
mod sdk;
mod test;
mod trace;

pub use build::build;
pub use inspect::{Found, inspect};
pub use new::new;
pub use test::{Tested, test};
pub use trace::trace;

/// Why a command of an author could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that no policy can have.
    #[error("`{name}` cannot be the name of a policy: {rule}")]
    Name {
        /// What was typed.
        name: String,
        /// What a name has to be.
        rule: &'static str,
    },
    /// A folder that is in the way.
    #[error("{} is there already and not empty: give another with --path", .0.display())]
    Occupied(PathBuf),
    /// A place without an SDK.
    #[error(
        "`{0}` holds no policy SDK: give --sdk a checkout of Portcullis, its `policies/sdk`, \
         or the URL of a git repository"
    )]
    Sdk(String),
    /// A folder without a crate of a policy.
    #[error("{}: {problem}", .folder.display())]
    Crate {
        /// The folder.
        folder: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A program that is not installed.
    #[error(
        "{0} cannot be started: install Rust from https://rustup.rs, and see that it is in PATH"
    )]
    Tool(&'static str, #[source] std::io::Error),
    /// The compiler does not know the guests' target.
    #[error(
        "the compilation target {0} is not installed: run `rustup target add {0}` in the \
         policy's folder"
    )]
    Target(&'static str),
    /// cargo said why.
    #[error("`{command}` ended with {status}: see above")]
    Cargo {
        /// What was run.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// cargo said why, and may not have been allowed to change the lock file.
    #[error(
        "`cargo metadata --locked` ended with {0}: see above; where Cargo.lock is behind \
         Cargo.toml, run `cargo update --workspace` in the policy's folder"
    )]
    Locked(ExitStatus),
    /// A file that cannot be read or written.
    #[error("{}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A component that the host refuses.
    #[error("{place}")]
    Program {
        /// Where it is from.
        place: String,
        /// Why.
        #[source]
        failure: Failure,
    },
    /// Something that was given and is not what it should be.
    #[error("{place}: {problem}")]
    Input {
        /// The file.
        place: String,
        /// What is wrong, and what to give.
        problem: String,
    },
    /// The request to trace cannot be read.
    #[error(transparent)]
    Request(#[from] crate::replay::Unreadable),
}

impl Error {
    fn file(path: &Path, source: std::io::Error) -> Error {
        Error::File {
            path: path.to_owned(),
            source,
        }
    }

    fn program(place: &Path, failure: Failure) -> Error {
        Error::Program {
            place: place.display().to_string(),
            failure,
        }
    }
}

/// The bytes of a component, as far as the host reads them.
fn component(file: &Path) -> Result<Vec<u8>, Error> {
    source::read_bounded(file).map_err(|source| Error::file(file, source))
}

/// The document that would put a component in force with these settings and
/// grants, everything that it looks up, and the host's defaults for all else.
fn resource(
    description: &Description,
    settings: Map<String, Value>,
    grants: &[Granted],
) -> Result<Resource, Failure> {
    let grants: Vec<Grant> = grants.iter().copied().map(Grant::from).collect();
    let document = json!({
        "apiVersion": API_VERSION, "kind": KIND,
        "metadata": {"name": description.name},
        "spec": {"program": {"file": "-"}, "settings": settings, "grants": grants,
            "lookups": LookupGrant::everything(description),
            "effects": EffectGrant::everything(description)},
    });
    Resource::parse(&document).map_err(|error| {
        Failure::guest(
            Cause::Description,
            format!("its description cannot be used: {error}"),
        )
    })
}

/// What a policy with this description and these grants is shown.
fn redaction(
    description: &Description,
    reads: &Reads,
    resource: &Resource,
) -> Result<Redaction, Failure> {
    load::redaction(description, reads, &resource.spec).map_err(|failure| {
        Failure::host(failure.cause, format!("{failure}, here `--grant values`"))
    })
}

/// A number with a comma every three digits: sizes are compared by eye.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
