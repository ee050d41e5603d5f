//! The options of `portcullis audit`.

use clap::{Args, ValueEnum};

use super::Policies;
use super::reach::{Reach, namespace};
use crate::finding::FailOn;

/// `portcullis audit`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without --profile and --policies the WasmPolicies of the cluster are in force; \
    in a cluster that has none of that kind, the profile `starter`.\n\nExit code: 0 nothing is \
    denied, 1 something is, 2 something could not be listed or judged.\n\nExamples:\n  \
    portcullis audit --namespace shop\n  portcullis audit --profile strict --output json"
)]
pub struct Audit {
    /// Only what is in this namespace; may be given several times
    #[arg(long = "namespace", short = 'n', value_name = "NAMESPACE", value_parser = namespace)]
    pub namespaces: Vec<String>,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
    /// Which policies are in force
    #[command(flatten)]
    pub policies: Policies,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// From what on the exit code is 1
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,
    /// Show findings that are only audited
    #[arg(long)]
    pub show_audit: bool,
    /// With each secret that is found, show what to write instead: a Secret
    /// without its value, and what changes in the pods that use it
    #[arg(long)]
    pub fix_hints: bool,
    /// How often the API server is asked at most
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub requests_per_second: u32,
    /// The namespace of the installation whose policies these are; it judges
    /// nothing in it
    #[arg(long, value_name = "NAMESPACE", default_value = "portcullis")]
    pub installation: String,
    /// How many objects a page of a list has, instead of about two MiB
    #[arg(long, value_name = "N", hide = true,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub page_size: Option<u32>,
}

/// How findings in a cluster are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Human,
    /// One JSON document, schema 1; `file` and its places are null
    Json,
    /// SARIF 2.1.0; results have logical locations alone
    Sarif,
}
