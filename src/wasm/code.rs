//! Where the compiled code of a program comes from: this executable, the
//! cache, or the compiler.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::compiler::{self, Order};
use super::engine::Engine;
use super::machine::MachineCode;
use crate::policy::spec::Limits;
use crate::policy::{Cause, Failure};

/// What an evaluation starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// The state after `init`, which ran once, when the policy was loaded.
    Snapshot,
    /// A new instance, which runs `init` first.
    Init,
}

/// A component's bytes and what names them.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) bytes: std::sync::Arc<[u8]>,
    /// The digest of `bytes`.
    pub(super) digest: String,
}

impl Source {
    fn order<'a>(&'a self, settings: &'a str, limits: Limits) -> Order<'a> {
        Order {
            component: &self.bytes,
            settings,
            limits,
        }
    }
}

/// Code that can be instantiated.
pub(super) struct Code {
    pub(super) component: Component,
    pub(super) start: Start,
}

/// Of each, the one that is there already, and otherwise compiled.
///
/// # Errors
///
/// A component that is no policy, and whatever its `init` ends with.
pub(super) fn obtain(
    engine: &Engine,
    source: &Source,
    settings: &str,
    limits: Limits,
) -> Result<Code, Failure> {
    if let Some(code) = embedded(engine, source, settings) {
        return Ok(code);
    }
    for start in [Start::Snapshot, Start::Init] {
        let name = name(engine, source, settings, start);
        let Some(machine) = engine.cache().and_then(|cache| cache.get(&name)) else {
            continue;
        };
        // An entry that another version made is of another name: what does
        // not map here is a CPU that changed under the cache.
        if let Ok(component) = machine.map(engine.wasmtime()) {
            return Ok(Code { component, start });
        }
    }
    let order = source.order(settings, limits);
    let (machine, start) = match engine.child() {
        None => compiler::compile(engine.wasmtime(), order)?,
        Some(child) => {
            let (code, start) = child.compile(engine.address_space(), order)?;
            (MachineCode::of_child(code), start)
        }
    };
    if let Some(cache) = engine.cache() {
        cache.put(&name(engine, source, settings, start), &machine);
    }
    let component = machine.map(engine.wasmtime()).map_err(not_ours)?;
    Ok(Code { component, start })
}

pub(super) fn not_ours(error: wasmtime::Error) -> Failure {
    let message = format!("it is no policy of this host: {}", error.root_cause());
    Failure::guest(Cause::Program, message)
}

/// Code of a policy for any CPU of this architecture, to be embedded.
///
/// # Errors
///
/// As for loading it.
pub(super) fn precompile(
    source: &Source,
    settings: &str,
    limits: Limits,
) -> Result<Vec<u8>, Failure> {
    let target = super::engine::baseline()
        .map_err(|error| Failure::host(Cause::Program, error.to_string()))?;
    let (machine, start) = compiler::compile(&target, source.order(settings, limits))?;
    let head = head(source, settings, start);
    Ok([&head[..], machine.bytes()].concat())
}

fn embedded(engine: &Engine, source: &Source, settings: &str) -> Option<Code> {
    for start in [Start::Snapshot, Start::Init] {
        let head = head(source, settings, start);
        let code = engine
            .embedded()
            .iter()
            .find_map(|entry| entry.strip_prefix(&head[..]));
        if let Some(code) = code {
            // Made for the quickest layout of memory; others compile.
            let component = MachineCode::of_executable(code).map(engine.wasmtime());
            return Some(Code {
                component: component.ok()?,
                start,
            });
        }
    }
    None
}

/// Names embedded code: wasmtime itself checks all else.
fn head(source: &Source, settings: &str, start: Start) -> [u8; 32] {
    identity(source, settings, start).finalize().into()
}

/// Names code in the cache: by all that it depends on, so that an entry is
/// never stale.
fn name(engine: &Engine, source: &Source, settings: &str, start: Start) -> String {
    let mut hash = Hashing(identity(source, settings, start));
    engine
        .wasmtime()
        .precompile_compatibility_hash()
        .hash(&mut hash);
    let digest = hash.0.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn identity(source: &Source, settings: &str, start: Start) -> Sha256 {
    let mut hash = Sha256::new();
    for part in [
        env!("CARGO_PKG_VERSION"),
        &source.digest,
        settings,
        &format!("{start:?}"),
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash
}

/// Lets what can be hashed be hashed with SHA-256.
struct Hashing(Sha256);

impl Hasher for Hashing {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not asked for: the digest is taken instead.
    fn finish(&self) -> u64 {
        0
    }
}
