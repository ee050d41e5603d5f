//! One request of the past, decided on as the webhook would: for `review` and
//! `policy trace`.
//!
//! Knows where such a request is read from. Must not know how it is judged
//! (`admit`) or what it looks like on the wire (`review`).

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::admit::{Known, Phase, Scope, Subject, admit};
use crate::policy::{Decision, Others, PolicySet};
use crate::review::Request;

/// What the webhook would have at most.
const DEADLINE: Duration = Duration::from_secs(10);

/// What was to be read could not be.
#[derive(Debug, thiserror::Error)]
#[error("{}", .name.display())]
pub struct Unreadable {
    name: PathBuf,
    source: std::io::Error,
}

/// Reads a file; `-` is standard input.
///
/// # Errors
///
/// If it cannot be read, with its name.
pub fn read(file: &str) -> Result<Vec<u8>, Unreadable> {
    if file != "-" {
        return std::fs::read(file).map_err(|source| Unreadable {
            name: file.into(),
            source,
        });
    }
    let mut body = Vec::new();
    match std::io::stdin().lock().read_to_end(&mut body) {
        Ok(_) => Ok(body),
        Err(source) => Err(Unreadable {
            name: "standard input".into(),
            source,
        }),
    }
}

/// The request as `admit` takes it: of its namespace no more is known than it
/// says itself. `others` are the objects besides, if anybody knows them.
pub fn subject<'r>(request: &'r Request, others: Option<&'r Arc<dyn Others>>) -> Subject<'r> {
    Subject {
        admission: &request.admission,
        attributes: &request.attributes,
        namespace: &request.namespace,
        known: Known::InPart,
        others,
    }
}

/// What all policies of the set make of the request.
pub fn decide(
    set: &PolicySet,
    request: &Request,
    phase: Phase,
    others: Option<&Arc<dyn Others>>,
) -> Decision {
    let scope = Scope {
        phase,
        failure_policy: None,
        moving: false,
    };
    admit(
        set,
        &subject(request, others),
        scope,
        Instant::now() + DEADLINE,
    )
}
