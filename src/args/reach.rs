//! Which cluster, and what in it: options that commands share.

use std::path::PathBuf;

use clap::Args;

use crate::registration::name::{is_label, is_subdomain};

/// Which cluster.
#[derive(Debug, Args)]
pub struct Reach {
    /// How to reach the cluster; by default as kubectl does, or as a pod
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// The name of a namespace.
///
/// # Errors
///
/// What is none, with the rule.
pub(super) fn namespace(text: &str) -> Result<String, &'static str> {
    let rule = "a namespace has lower case letters, digits and, not at its ends, `-` in its name, \
                63 at most";
    is_label(text).then(|| text.to_owned()).ok_or(rule)
}

/// The name of a ConfigMap.
///
/// # Errors
///
/// What is none, with the rule.
pub(super) fn config_map(text: &str) -> Result<String, &'static str> {
    let rule = "a ConfigMap has lower case letters, digits and, not at its ends, `-` and `.` in its \
                name, 253 at most";
    is_subdomain(text).then(|| text.to_owned()).ok_or(rule)
}
