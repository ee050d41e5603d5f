//! Baselines: the findings of today, so that only new ones fail tomorrow.
//!
//! A baseline holds fingerprints and how often each occurs, with words for
//! the person who reads its diff. It holds no place: manifests may move.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Finding, Report};

/// The findings that were there, by fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    schema: u32,
    findings: BTreeMap<String, Known>,
}

/// Findings of one fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    count: usize,
    /// For people: policy, code, object, container.
    about: String,
}

/// Why a baseline cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no baseline.
    #[error("it is no baseline: write one with `portcullis check --write-baseline FILE`")]
    Malformed(#[source] serde_json::Error),
    /// It is one of another version.
    #[error("it has schema {0}, this version reads 1: write it anew")]
    Schema(u32),
}

impl Baseline {
    /// All findings of a report.
    pub fn of(report: &Report) -> Baseline {
        let mut findings: BTreeMap<String, Known> = BTreeMap::new();
        for finding in report.findings.iter().filter(|one| is_open(one)) {
            let known = findings
                .entry(finding.fingerprint.clone())
                .or_insert_with(|| Known {
                    count: 0,
                    about: about(finding),
                });
            known.count += 1;
        }
        Baseline {
            schema: 1,
            findings,
        }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    ///
    /// What is none, or of another version.
    pub fn parse(text: &[u8]) -> Result<Baseline, Error> {
        let baseline: Baseline = serde_json::from_slice(text).map_err(Error::Malformed)?;
        match baseline.schema {
            1 => Ok(baseline),
            other => Err(Error::Schema(other)),
        }
    }

    /// The baseline as JSON, with a line's end.
    ///
    /// # Errors
    ///
    /// Never: its maps have text keys.
    pub fn render(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Takes the known findings out of a report, and says how many they were.
    pub fn subtract(mut self, report: &mut Report) -> usize {
        let before = report.findings.len();
        report.findings.retain(
            |finding| match self.findings.get_mut(&finding.fingerprint) {
                Some(known) if known.count > 0 && is_open(finding) => {
                    known.count -= 1;
                    false
                }
                _ => true,
            },
        );
        report.finish(report.summary.objects);
        before - report.findings.len()
    }
}

/// What is exempted is no debt of today: it must be seen when that ends.
fn is_open(finding: &Finding) -> bool {
    finding.exemption.is_none()
}

fn about(finding: &Finding) -> String {
    let container = finding
        .container
        .as_ref()
        .map(|name| format!(", container `{name}`"));
    let container = container.unwrap_or_default();
    format!(
        "{}/{} on {}{container}",
        finding.policy, finding.code, finding.object
    )
}
