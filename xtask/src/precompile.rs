//! The machine code of the built-in policies, with the settings that the
//! profiles give them, for any CPU of the architecture: a first start compiles
//! nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use portcullis::pack::{Pack, Profile};
use portcullis::policy::spec::{ProgramRef, Spec};
use portcullis::source;
use portcullis::wasm::{Engine, Loaded};

use crate::build::write_changed;
use crate::shell::root;

/// Compiles what the profiles use, from and to `folder`; returns the files.
pub(crate) fn all(folder: &Path) -> Result<Vec<PathBuf>> {
    let engine = Arc::new(Engine::new()?);
    let mut files = Vec::new();
    for (name, spec) in distinct()? {
        let number = files.len();
        let file = folder.join(format!("{name}.{number}.code"));
        let program = folder.join(format!("{name}.wasm"));
        let bytes = std::fs::read(&program).with_context(|| format!("{}", program.display()))?;
        let code = Loaded::new(&engine, &bytes)?
            .precompile(&spec.settings, spec.limits)
            .with_context(|| format!("policy `{name}`"))?;
        write_changed(&file, &code)?;
        files.push(file);
    }
    Ok(files)
}

/// The built-in programs of the profiles, once for each settings.
fn distinct() -> Result<Vec<(String, Spec)>> {
    let mut distinct: Vec<(String, Spec)> = Vec::new();
    for profile in ["observe", "starter", "strict"] {
        let folder = root().join("pack").join(profile);
        let folders = [folder.join("effects"), folder];
        for found in source::policies(&Pack::EMPTY, Profile::None, &folders)? {
            let spec = found.resource.spec;
            let ProgramRef::Builtin(name) = &spec.program else {
                anyhow::bail!("{}: the pack holds built-in programs only", found.place);
            };
            let is_same =
                |(known, other): &(String, Spec)| known == name && other.settings == spec.settings;
            if !distinct.iter().any(is_same) {
                distinct.push((name.clone(), spec));
            }
        }
    }
    Ok(distinct)
}
