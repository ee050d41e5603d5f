//! `policy test`: the policy's cases, through wasm.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::Map;

use super::cases::{Ran, Runner, entries};
use super::{Error, build, redaction, resource};
use crate::args::author::Test;
use crate::load;
use crate::policy::decision::plain;
use crate::wasm::{Engine, Loaded};

/// What came of a policy's cases.
#[derive(Debug)]
pub struct Tested {
    ran: Vec<Ran>,
    /// Codes that no case reports.
    unseen: BTreeSet<String>,
}

/// Builds a policy and runs its cases.
///
/// # Errors
///
/// If the policy cannot be built, needs a grant, or the folder of cases cannot
/// be read. What is wrong with the cases is in the result.
pub fn test(engine: &Arc<Engine>, arguments: &Test) -> Result<Tested, Error> {
    let folder = &arguments.folder;
    let refused = |failure| Error::program(folder, failure);
    let built = build::compile(engine, folder)?;
    let loaded = Loaded::new(engine, &built.component).map_err(refused)?;
    let description = loaded.description();
    let reads = load::check_description(description).map_err(refused)?;
    let resource = resource(description, Map::new(), &arguments.grants).map_err(refused)?;
    let redaction = redaction(description, &reads, &resource).map_err(refused)?;
    let trial = loaded.trial().map_err(refused)?;
    let runner = Runner {
        description,
        trial: &trial,
        reads,
        redaction,
        spec: &resource.spec,
    };
    let files = entries(&folder.join("cases"))?;
    let ran: Vec<Ran> = files.iter().map(|file| runner.run(file)).collect();
    let declared = description.codes.iter().map(|code| code.code.clone());
    let mut unseen: BTreeSet<String> = declared.collect();
    for code in ran.iter().flat_map(|ran| &ran.codes) {
        unseen.remove(code);
    }
    Ok(Tested { ran, unseen })
}

impl Tested {
    /// Whether there are cases, and all of them pass.
    pub fn passes(&self) -> bool {
        !self.ran.is_empty() && self.ran.iter().all(|ran| ran.faults.is_empty())
    }

    /// One line a case, what differs below it, and a summary.
    pub fn render(&self) -> String {
        if self.ran.is_empty() {
            return "FAILED  there is no case: add one as cases/NAME.yaml\n".into();
        }
        let mut out = String::new();
        for ran in &self.ran {
            let word = if ran.faults.is_empty() {
                "ok    "
            } else {
                "FAILED"
            };
            let about = match ran.about.as_str() {
                "" => String::new(),
                about => plain(&format!(": {about}")),
            };
            let _ = writeln!(out, "{word}  {}{about}", ran.file);
            for fault in &ran.faults {
                let _ = writeln!(out, "        {}", plain(fault));
            }
        }
        if !self.unseen.is_empty() {
            let codes: Vec<&str> = self.unseen.iter().map(String::as_str).collect();
            let _ = writeln!(out, "warning: no case reports `{}`", codes.join("`, `"));
        }
        let failed = self.ran.iter().filter(|ran| !ran.faults.is_empty()).count();
        let _ = writeln!(out, "{} passed, {failed} failed", self.ran.len() - failed);
        out
    }
}
