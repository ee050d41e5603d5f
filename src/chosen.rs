//! The policies that a command line names, loaded.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use k8s_openapi::jiff::Timestamp;
use portcullis::load::taker::Prepare;
use portcullis::load::watch::{Wanted, Watch};
use portcullis::pack::{Pack, Profile};
use portcullis::policy::PolicySet;
use portcullis::policy::exemption::book::Book;
use portcullis::source::Found;
use portcullis::wasm::Engine;
use portcullis::wasm::cache::{self, Cache};
use portcullis::{args, load, source};

include!(concat!(env!("OUT_DIR"), "/pack.rs"));

/// One copy of ten megabytes: a `const` would have one for each use.
pub(crate) static PACK: Pack = Pack {
    programs: PROGRAMS,
    compiled: COMPILED,
    profiles: PROFILES,
    effects: EFFECTS,
    with_effects: false,
};

pub(crate) const NO_POLICY: &str =
    "no policy is in force: name some with --policies, or a --profile of the pack";

/// The policies for manifests and audits, which act on nothing.
pub(crate) fn policy_set(arguments: &args::Policies) -> Result<(Arc<Engine>, PolicySet)> {
    set_of(PACK.having_effects(), arguments)
}

/// The policies that a server with these arguments has in force.
pub(crate) fn served_set(arguments: &args::Policies) -> Result<PolicySet> {
    Ok(set_of(PACK, arguments)?.1)
}

/// The policies of a profile for a server that may have objects of these kinds
/// created.
pub(crate) fn served(profile: Profile, may_create: &[String]) -> Result<Vec<Found>> {
    let mut found = source::policies(&PACK.having_effects(), profile, &[])?;
    found.retain(|one| {
        let effects = &one.resource.spec.effects;
        effects
            .iter()
            .all(|effect| may_create.contains(&effect.name()))
    });
    Ok(found)
}

fn set_of(pack: Pack, arguments: &args::Policies) -> Result<(Arc<Engine>, PolicySet)> {
    let found = source::documents(&pack, arguments.profile(), &arguments.paths)?;
    if found.policies.is_empty() {
        bail!(NO_POLICY);
    }
    let engine = engine(arguments)?.with_patience();
    let engine = Arc::new(engine);
    let set = load::load(&engine, &pack, &found.policies, excluded(arguments))?;
    let exemptions = Book::new(found.exemptions, Timestamp::now);
    let set = set.exempting(Arc::new(exemptions.into()));
    // A server logged it.
    if let Some(problem) = engine.cache_problem()
        && !tracing::dispatcher::has_been_set()
    {
        anstream::eprintln!("warning: {problem}");
    }
    Ok((engine, set))
}

pub(crate) fn engine(arguments: &args::Policies) -> Result<Engine> {
    let cache = code_cache(arguments.code_cache.as_deref());
    let engine = Engine::new()?.with_children();
    Ok(engine.with_code(PACK.compiled, cache))
}

pub(crate) fn excluded(arguments: &args::Policies) -> BTreeSet<String> {
    arguments.excluded_namespaces.iter().cloned().collect()
}

/// Policies that are loaded again when their files change.
pub(crate) fn watched(
    engine: &Arc<Engine>,
    arguments: &args::Policies,
    prepare: Prepare,
) -> Result<Watch> {
    let wanted = Wanted {
        pack: PACK,
        profile: arguments.profile(),
        paths: arguments.paths.clone(),
        excluded_namespaces: excluded(arguments),
    };
    let watch = Watch::start(engine, wanted, prepare)?;
    if watch.set().load().policies().is_empty() {
        bail!(NO_POLICY);
    }
    Ok(watch)
}

/// The folder that was asked for, or the usual one. A cache only saves time,
/// and a container's file system is often read only: no folder is a reason to
/// judge nothing.
fn code_cache(asked: Option<&Path>) -> Option<Cache> {
    let folder = match asked {
        Some(folder) if folder.as_os_str() == "off" => return None,
        Some(folder) => folder.to_owned(),
        None => cache::usual_folder()?,
    };
    Some(Cache::open(&folder).unwrap_or_else(|error| Cache::unusable(&error)))
}
