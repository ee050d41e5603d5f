//! `policy inspect`: a component as the host sees it, before it is in force.

mod lookups;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use portcullis_contract::{Description, Lookup, MatchConstraints, Operation, Rule};
use serde::Serialize;
use serde_json::Map;

use super::{Error, component, grouped};
use crate::load;
use crate::policy::decision::plain;
use crate::policy::spec::Limits;
use crate::policy::{Cause, Failure};
use crate::wasm::{self, Engine, Loaded};

/// The eight bytes that a core module starts with: magic and version.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// What a file holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The file as it was given.
    pub file: String,
    /// Its size.
    pub bytes: usize,
    /// `sha256:` and the digest of its bytes.
    pub digest: String,
    /// What it imports, by name; a policy imports nothing but lookups.
    pub imports: Vec<String>,
    /// What every evaluation starts from; none if it does not load.
    pub start: Option<String>,
    /// Why the host would refuse it; none if it loads.
    pub refused: Option<String>,
    /// What it says of itself, if that much can be read.
    pub description: Option<Description>,
    /// What it needs of the operator.
    pub needs: Option<Needs>,
    /// The limits of one evaluation, unless `spec.limits` says otherwise.
    pub limits: Limits,
}

/// What a policy needs of the operator beyond being put in force.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Needs {
    /// How it stands with values of Secrets and ConfigMaps.
    pub values: Values,
    /// It asks for changes of objects: the mutating webhook has to call it.
    pub mutating: bool,
    /// Only with one of these settings.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub mutating_settings: BTreeSet<String>,
    /// Kinds of effects, each of which needs a grant.
    pub effects: BTreeSet<String>,
    /// Kinds whose objects it looks up, each of which needs a grant, and in a
    /// cluster the right of Portcullis to list and watch them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<Lookup>,
}

/// How a policy stands with values of Secrets and ConfigMaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Values {
    /// It reads whole objects, and does not load without the grant `values`.
    Needed,
    /// It reads where they may be, and sees them blank without the grant.
    Blank,
    /// It reads nothing that could hold one.
    Unread,
}

/// Reads a component and tries it out: `describe`, and `init` without settings.
///
/// # Errors
///
/// A file that cannot be read, or that is no component.
pub fn inspect(engine: &Arc<Engine>, file: &Path) -> Result<Found, Error> {
    let bytes = component(file)?;
    if bytes.starts_with(CORE_MODULE) {
        return Err(Error::Input {
            place: file.display().to_string(),
            problem: "this is a core module, not a component: `portcullis policy build` in the \
                      policy's folder makes one of it"
                .into(),
        });
    }
    let inspected = wasm::inspect(&bytes).map_err(|failure| Error::program(file, failure))?;
    let (start, refused) = match load(engine, &bytes) {
        Ok(start) => (Some(start), None),
        Err(failure) => (None, Some(failure.message)),
    };
    Ok(Found {
        file: file.display().to_string(),
        bytes: bytes.len(),
        digest: inspected.digest,
        imports: inspected.imports,
        start,
        refused,
        needs: inspected.description.as_ref().map(needs),
        description: inspected.description,
        limits: Limits::default(),
    })
}

/// Tries it out; says what its evaluations start from.
fn load(engine: &Arc<Engine>, bytes: &[u8]) -> Result<String, Failure> {
    let loaded = Loaded::new(engine, bytes)?;
    load::check_description(loaded.description())?;
    loaded.trial()?;
    match loaded.snapshot_obstacle(&Map::new(), Limits::default()) {
        Ok(None) => Ok("the state after `init`, which runs once".into()),
        Ok(Some(obstacle)) => Ok(format!(
            "nothing: `init` runs each time, as no snapshot can be taken: {obstacle}"
        )),
        // A policy may need settings.
        Err(failure) if failure.cause == Cause::Settings => {
            Ok("what is known once it has settings".into())
        }
        Err(failure) => Err(failure),
    }
}

fn needs(description: &Description) -> Needs {
    let values = match load::check_description(description) {
        _ if description.needs_values => Values::Needed,
        Ok(reads) if !reads.whole_objects().is_empty() => Values::Needed,
        _ if description.reads.iter().any(|read| may_hold_values(read)) => Values::Blank,
        _ => Values::Unread,
    };
    Needs {
        values,
        mutating: description.mutating,
        mutating_settings: description.mutating_settings.clone(),
        effects: description.effects.clone(),
        lookups: description.lookups.clone(),
    }
}

/// Where `contract::reads` blanks values.
fn may_hold_values(read: &str) -> bool {
    const PLACES: [&str; 5] = ["data", "binaryData", "stringData", "metadata", "*"];
    let Some(rest) = ["object.", "oldObject."]
        .iter()
        .find_map(|root| read.strip_prefix(root))
    else {
        return false;
    };
    match rest.split(['.', '[']).collect::<Vec<_>>().as_slice() {
        ["metadata"] | ["metadata", "*" | "annotations", ..] => true,
        ["metadata", ..] => false,
        [first, ..] => PLACES.contains(first),
        [] => false,
    }
}

impl Found {
    /// As one JSON document.
    ///
    /// # Errors
    ///
    /// None in practice: every member can be written.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// For people.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, text: &str| {
            let _ = writeln!(out, "{name:9}  {}", plain(text));
        };
        if let Some(description) = &self.description {
            let Description {
                name,
                version,
                summary,
                ..
            } = description;
            row("policy", &format!("{name} {version}: {summary}"));
        }
        row(
            "file",
            &format!("{}, {} bytes", self.file, grouped(self.bytes)),
        );
        row("digest", &self.digest);
        row("imports", &or_none(&self.imports, "nothing"));
        let loads = self.refused.as_ref().map(|why| format!("no: {why}"));
        row("loads", loads.as_deref().unwrap_or("yes"));
        if let Some(start) = &self.start {
            row("starts", &format!("from {start}"));
        }
        for (name, text) in self.description.iter().flat_map(describe) {
            row(name, &text);
        }
        if let Some(needs) = &self.needs {
            row("values", needs.values.text());
            row("changes", &changes(needs));
            row("effects", &or_none(&needs.effects, "none"));
            for (name, text) in lookups::rows(&needs.lookups) {
                row(name, &text);
            }
        }
        let Limits {
            deadline_milliseconds,
            memory_mebibytes,
        } = self.limits;
        let limits = format!(
            "{deadline_milliseconds} ms and {memory_mebibytes} MiB an evaluation, unless \
             `spec.limits` says otherwise"
        );
        row("limits", &limits);
        out
    }
}

impl Values {
    fn text(self) -> &'static str {
        match self {
            Values::Needed => {
                "it judges values of Secrets and ConfigMaps, and does not load without `spec.grants: [values]`"
            }
            Values::Blank => {
                "of Secrets and ConfigMaps it sees keys, and values only with `spec.grants: [values]`"
            }
            Values::Unread => "it reads none of Secrets and ConfigMaps: no grant is needed",
        }
    }
}

fn changes(needs: &Needs) -> String {
    let settings: Vec<&str> = needs.mutating_settings.iter().map(String::as_str).collect();
    match (needs.mutating, settings.as_slice()) {
        (false, _) => "none: it only judges".into(),
        (true, []) => "it may ask for changes of objects".into(),
        (true, settings) => format!(
            "it may ask for changes of objects, with the setting {}",
            settings.join(" or ")
        ),
    }
}

fn describe(description: &Description) -> Vec<(&'static str, String)> {
    let level = |code: &portcullis_contract::Code| format!("{:?}", code.level).to_lowercase();
    let codes = description.codes.iter();
    let codes: Vec<String> = codes
        .map(|code| format!("{} ({})", code.code, level(code)))
        .collect();
    let settings = description
        .settings
        .get("properties")
        .and_then(|all| all.as_object());
    let settings: Vec<&String> = settings.into_iter().flat_map(|all| all.keys()).collect();
    vec![
        (
            "interface",
            format!("portcullis:policy@{}", description.interface),
        ),
        ("judges", judges(&description.matches)),
        ("reads", or_none(&description.reads, "nothing")),
        ("codes", or_none(&codes, "none")),
        ("settings", or_none(&settings, "none")),
    ]
}

fn judges(constraints: &MatchConstraints) -> String {
    let rule = |rule: &Rule| {
        let operations: Vec<&str> = rule
            .operations
            .iter()
            .copied()
            .map(Operation::as_str)
            .collect();
        let groups: Vec<&str> = rule.api_groups.iter().map(String::as_str).collect();
        let resources = rule.resources.join(", ");
        match groups.as_slice() {
            [""] => format!("{} of {resources}", operations.join(" and ")),
            _ => format!(
                "{} of {resources} ({})",
                operations.join(" and "),
                groups.join(", ")
            ),
        }
    };
    let rules: Vec<String> = constraints.resource_rules.iter().map(rule).collect();
    rules.join("; ")
}

fn or_none<'t, T: AsRef<str> + 't>(texts: impl IntoIterator<Item = &'t T>, none: &str) -> String {
    let texts: Vec<&str> = texts.into_iter().map(AsRef::as_ref).collect();
    if texts.is_empty() {
        none.to_owned()
    } else {
        texts.join(", ")
    }
}
