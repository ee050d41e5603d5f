//! `portcullis policy list`, `policy show` and `explain`: what a policy is, for
//! people.

use std::fmt::Write;

mod settings;
mod sheet;

pub use sheet::{Column, sheet};
use sheet::{leads_to, level};

use crate::policy::PolicySet;
use crate::policy::exemption::standing;

/// There is no such policy.
#[derive(Debug, thiserror::Error)]
#[error("no policy in force is named `{name}`: there is `{known}`")]
pub struct Unknown {
    name: String,
    known: String,
}

/// One line a policy.
pub fn list(set: &PolicySet) -> String {
    let width = set
        .policies()
        .iter()
        .map(|p| p.name.as_str().len())
        .max()
        .unwrap_or(0)
        .max(4);
    let mut out = format!(
        "{:width$}  {:10}  {:7}  SUMMARY\n",
        "NAME", "VERSION", "FAILURE"
    );
    for policy in set.policies() {
        let (version, summary) = match (&policy.description, &policy.program) {
            (_, Err(failure)) => ("-".to_owned(), format!("failed: {failure}")),
            (Some(description), Ok(_)) => {
                (description.version.clone(), description.summary.clone())
            }
            (None, Ok(_)) => ("-".to_owned(), String::new()),
        };
        let failure = policy.spec.failure_policy.to_string();
        let _ = writeln!(
            out,
            "{:width$}  {version:10}  {failure:7}  {summary}",
            policy.name.as_str()
        );
    }
    out
}

/// No policy in force reports such a code.
#[derive(Debug, thiserror::Error)]
#[error("no policy in force reports `{code}`: there is `{known}`")]
pub struct UnknownCode {
    code: String,
    known: String,
}

/// What a code means, and what to do.
///
/// # Errors
///
/// A code that no policy has, with those there are.
pub fn explain(set: &PolicySet, code: &str) -> Result<String, UnknownCode> {
    let described = || {
        set.policies()
            .iter()
            .filter_map(|p| Some((p, p.description.as_deref()?)))
    };
    let mut out = String::new();
    for (policy, description) in described() {
        if let Some(found) = description.code(code) {
            let (level, leads) = (level(found.level), leads_to(&policy.spec, found));
            let _ = writeln!(
                out,
                "{}/{code}: {level}, leads to {leads}\n\n{}\n",
                policy.name, found.meaning
            );
            let _ = writeln!(
                out,
                "Examples and settings: portcullis policy show {}",
                policy.name
            );
        }
    }
    if let Some((_, meaning)) = standing::CODES.iter().find(|(known, _)| *known == code) {
        let _ = writeln!(
            out,
            "{}/{code}: of a PolicyExemption\n\n{meaning}\n",
            standing::POLICY
        );
        let _ = writeln!(out, "More: docs/exemptions.md");
    }
    if out.is_empty() {
        let codes = described().flat_map(|(_, description)| &description.codes);
        let known: Vec<&str> = codes.map(|code| code.code.as_str()).collect();
        return Err(UnknownCode {
            code: code.to_owned(),
            known: known.join("`, `"),
        });
    }
    Ok(out)
}

/// A policy's page.
///
/// # Errors
///
/// A name that none has, with those there are.
pub fn show(set: &PolicySet, name: &str) -> Result<String, Unknown> {
    let policy = set.get(name).ok_or_else(|| {
        let known: Vec<&str> = set.policies().iter().map(|p| p.name.as_str()).collect();
        Unknown {
            name: name.to_owned(),
            known: known.join("`, `"),
        }
    })?;
    let mut out = String::new();
    if let Err(failure) = &policy.program {
        let _ = writeln!(out, "# {name}\n\nIt does not load: {failure}\n");
    }
    if let (Some(description), Some(matches)) = (&policy.description, policy.constraints()) {
        let column = Column {
            heading: "leads to",
            spec: Some(&policy.spec),
        };
        out.push_str(&sheet(description, matches, &[column]));
    }
    Ok(out)
}
