//! `portcullis audit` of a live cluster.

/// What goes wrong on the way.
mod faults;
/// Many objects: time and memory.
mod large;
/// What is told of objects that controllers made.
mod owners;
/// Who may not see everything.
mod rights;
/// The same as `check` says.
mod verdicts;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use portcullis_cluster::{Namespace, User, binary};
use serde_json::Value;

use crate::support::cluster;

/// What came of an audit.
#[derive(Debug)]
pub(crate) struct Audit {
    code: i32,
    /// Null where it printed none.
    pub(crate) report: Value,
    stderr: String,
}

/// `portcullis audit --output json` with a kubeconfig.
fn audit_as(kubeconfig: &Path, arguments: &[&str]) -> Audit {
    let output = Command::new(binary().unwrap())
        .args(["audit", "--output", "json", "--kubeconfig"])
        .arg(kubeconfig)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Audit {
        code: output.status.code().unwrap(),
        report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// As an administrator.
pub(crate) fn audit(arguments: &[&str]) -> Audit {
    audit_as(&cluster().kubeconfig(User::Admin), arguments)
}

impl Audit {
    pub(crate) fn code(&self) -> i32 {
        self.code
    }

    fn list(&self, member: &str) -> Vec<&Value> {
        self.report[member]
            .as_array()
            .into_iter()
            .flatten()
            .collect()
    }

    /// Object and code of each finding.
    fn findings(&self) -> Vec<String> {
        let findings = self.list("findings").into_iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        findings
            .map(|one| {
                let [namespace, kind, name, code] =
                    ["namespace", "kind", "name", "code"].map(|member| text(&one[member]));
                format!("{kind} {namespace}/{name} {code}")
            })
            .collect()
    }

    /// Why something was not judged, one line each.
    fn failures(&self) -> Vec<String> {
        let failures = self.list("failures").into_iter();
        failures
            .map(|one| one["cause"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// How many objects of a resource were passed over for a reason.
    fn passed_over(&self, resource: &str, code: &str) -> Option<u64> {
        let mut passed = self.list("passedOver").into_iter();
        let one = passed.find(|one| one["resource"] == resource && one["code"] == code)?;
        one["objects"].as_u64()
    }

    /// Namespaces that have findings.
    fn namespaces(&self) -> BTreeSet<&str> {
        let findings = self.list("findings").into_iter();
        findings
            .filter_map(|one| one["namespace"].as_str())
            .collect()
    }
}

/// Creates objects.
fn create(namespace: &Namespace<'_>, manifest: &str) {
    let created = namespace.kubectl(User::Admin, &["create", "-f", "-"], manifest);
    created.unwrap().ok().unwrap();
}
