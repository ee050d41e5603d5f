//! `policy build`: from a crate to a component that describes itself.

use std::path::Path;
use std::sync::Arc;

use super::cargo::Crate;
use super::{Error, grouped};
use crate::args::author::Build;
use crate::load;
use crate::wasm::{Engine, Loaded, assemble, inspect};

/// A policy that was built, and loads.
pub(super) struct Built {
    pub(super) name: String,
    pub(super) component: Vec<u8>,
}

/// Builds a policy and writes the component; says where, its size and digest.
///
/// # Errors
///
/// What cargo says; a component that the host would refuse; a file that cannot
/// be written.
pub fn build(engine: &Arc<Engine>, arguments: &Build) -> Result<String, Error> {
    let built = compile(engine, &arguments.folder)?;
    let refused = |failure| Error::program(&arguments.folder, failure);
    let inspected = inspect(&built.component).map_err(refused)?;
    if let Some(description) = &inspected.description {
        load::check_description(description).map_err(refused)?;
    }
    let default = || arguments.folder.join(format!("{}.wasm", built.name));
    let path = arguments.out.clone().unwrap_or_else(default);
    std::fs::write(&path, &built.component).map_err(|source| Error::file(&path, source))?;
    let path = path.strip_prefix(".").unwrap_or(&path);
    Ok(format!(
        "{}: {} bytes, {}\n",
        path.display(),
        grouped(built.component.len()),
        inspected.digest
    ))
}

/// Builds the crate in a folder.
pub(super) fn compile(engine: &Arc<Engine>, folder: &Path) -> Result<Built, Error> {
    let policy = Crate::read(folder)?;
    let module = policy.compile()?;
    let refused = |failure| Error::program(folder, failure);
    let component = assemble(&module).map_err(refused)?;
    let loaded = Loaded::new(engine, &component).map_err(refused)?;
    // It runs, and says of itself what was embedded.
    loaded.trial().map_err(refused)?;
    Ok(Built {
        name: policy.name,
        component,
    })
}
