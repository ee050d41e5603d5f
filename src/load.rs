//! From what was found to policies that run.
//!
//! `source` gives bytes, `wasm` programs; this room brings them together, and
//! neither knows of the other. A policy that cannot be loaded stays in the
//! set as one that fails: it never vanishes.

mod again;
pub mod taker;
pub mod watch;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portcullis_contract::{Description, Redaction, reads::Reads};

use crate::pack::Pack;
use crate::policy::spec::Grant;
use crate::policy::{Cause, Failure, Policy, PolicySet, Ready, Sight, Spec, effect, matching, set};
use crate::source::{self, Found};
use crate::wasm::{Engine, Loaded, inspect};

/// Loads policies, one a core at a time: compiling takes a moment, and memory.
///
/// # Errors
///
/// Two policies of one name; everything else becomes a failing policy.
pub fn load(
    engine: &Arc<Engine>,
    pack: &Pack,
    found: &[Found],
    excluded_namespaces: BTreeSet<String>,
) -> Result<PolicySet, set::Duplicate> {
    let load = |found: &Found| policy(engine, found, source::program(pack, found).as_deref());
    PolicySet::new(each(found, |found| found, load), excluded_namespaces)
}

/// Loads each, one a core at a time, since compiling takes tens of MB; the
/// results are in no order. `found` tells of each which policy it is.
fn each<T: Sync>(
    wanted: &[T],
    found: impl Fn(&T) -> &Found + Sync,
    load: impl Fn(&T) -> Policy + Sync,
) -> Vec<Policy> {
    let next = AtomicUsize::new(0);
    let share = || {
        let take = || wanted.get(next.fetch_add(1, Ordering::Relaxed));
        let load = |one: &T| {
            catch_unwind(AssertUnwindSafe(|| load(one))).unwrap_or_else(|_| panicked(found(one)))
        };
        std::iter::from_fn(take).map(load).collect::<Vec<_>>()
    };
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(wanted.len()))
            .map(|_| scope.spawn(share))
            .collect();
        let mut policies = share();
        for thread in others {
            // A panic is caught above, policy by policy.
            policies.extend(thread.join().unwrap_or_default());
        }
        policies
    })
}

fn panicked(found: &Found) -> Policy {
    let failure = Failure::host(
        Cause::Program,
        "loading it failed inside Portcullis: report this",
    );
    failing(found, None, failure)
}

fn failing(found: &Found, description: Option<Arc<Description>>, failure: Failure) -> Policy {
    let spec = found.resource.spec.clone();
    Policy {
        name: found.resource.name.clone(),
        spec,
        description,
        program: Err(failure),
    }
}

fn policy(engine: &Arc<Engine>, found: &Found, program: Result<&[u8], &Failure>) -> Policy {
    let bytes = match program {
        Ok(bytes) => bytes,
        Err(failure) => return failing(found, None, failure.clone()),
    };
    let loaded = match Loaded::new(engine, bytes) {
        Ok(loaded) => loaded,
        Err(failure) => {
            // What it says it judges still bounds whose requests it breaks.
            let description = inspect(bytes)
                .ok()
                .and_then(|inspected| inspected.description);
            return failing(found, description.map(Arc::new), failure);
        }
    };
    let description = Arc::clone(loaded.description());
    match ready(&loaded, &description, &found.resource.spec) {
        Ok(ready) => Policy {
            name: found.resource.name.clone(),
            spec: found.resource.spec.clone(),
            description: Some(description),
            program: Ok(ready),
        },
        Err(failure) => failing(found, Some(description), failure),
    }
}

/// Whether a policy would load, without putting it in force.
///
/// # Errors
///
/// Why it would not.
pub fn attempt(
    engine: &Arc<Engine>,
    found: &Found,
    program: Result<&[u8], &Failure>,
) -> Result<(), Failure> {
    policy(engine, found, program).program.map(drop)
}

/// The parsed reads of a description that the host can keep to.
///
/// # Errors
///
/// Reads that do not fit the grammar, constraints that could never match, and
/// settings that it does not have.
pub fn check_description(description: &Description) -> Result<Reads, Failure> {
    let refuse = |problem: String| Failure::guest(Cause::Description, problem);
    let reads = Reads::parse(description.reads.iter().map(String::as_str))
        .map_err(|error| refuse(format!("its description has a bad {error}")))?;
    matching::check_constraints("/matches", &description.matches)
        .map_err(|error| refuse(format!("its description is malformed: {error}")))?;
    let mut needed = description.mutating_settings.iter();
    let known = &description.settings["properties"];
    match needed.find(|name| known.get(name.as_str()).is_none()) {
        Some(unknown) => Err(refuse(format!(
            "its description names `{unknown}` in `mutatingSettings`, which is not in the schema \
             of its settings"
        ))),
        None => Ok(reads),
    }
}

/// A component as the operator wants it to run.
///
/// # Errors
///
/// A description or settings that are refused, overrides of unknown codes,
/// and reads and lookups that need a grant.
pub fn ready(loaded: &Loaded, description: &Description, spec: &Spec) -> Result<Ready, Failure> {
    let reads = check_description(description)?;
    check_codes(description, spec)?;
    effect::check(description, spec)?;
    let redaction = redaction(description, &reads, spec)?;
    let sight = Arc::new(Sight::new(description, spec)?);
    let program = loaded.program(&spec.settings, spec.limits)?.seeing(&sight);
    Ok(Ready {
        reads: Arc::new(reads),
        redaction,
        sight,
        program: Arc::new(program),
    })
}

/// An override of a code that the policy does not know would do nothing, and
/// a misspelt one would leave a denial off.
fn check_codes(description: &Description, spec: &Spec) -> Result<(), Failure> {
    let unknown = spec
        .overrides
        .iter()
        .flat_map(|entry| &entry.codes)
        .find(|code| description.code(code).is_none());
    let Some(unknown) = unknown else {
        return Ok(());
    };
    let known: Vec<&str> = description
        .codes
        .iter()
        .map(|code| code.code.as_str())
        .collect();
    let message = format!(
        "`spec.overrides` names the code `{unknown}`, which the policy does not have: \
         it has `{}`",
        known.join("`, `")
    );
    Err(Failure::host(Cause::Settings, message))
}

/// What of a request's values a policy with this description is shown.
///
/// # Errors
///
/// It needs a grant, or has reads that need one, and the operator did not give
/// it.
pub fn redaction(
    description: &Description,
    reads: &Reads,
    spec: &Spec,
) -> Result<Redaction, Failure> {
    if spec.grants.contains(&Grant::Values) {
        return Ok(Redaction::None);
    }
    let members: Vec<&str> = reads.whole_objects().into_iter().collect();
    let sees = match members[..] {
        _ if description.needs_values => "judges values of Secrets and ConfigMaps".to_owned(),
        [] => return Ok(Redaction::Blank),
        _ => {
            let members = members.join("`, `");
            format!("reads all of `{members}`, values of Secrets included")
        }
    };
    let message = format!("it {sees}: if you trust it with them, write `spec.grants: [values]`");
    Err(Failure::host(Cause::Grant, message))
}
