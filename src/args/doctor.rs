//! The options of `portcullis doctor` and `portcullis smoke`.

use clap::{Args, ValueEnum};

use super::reach::{Reach, namespace};

/// Which installation is looked at from outside.
#[derive(Debug, Args)]
pub struct Installation {
    /// The namespace of the installation
    #[arg(
        long,
        short = 'n',
        value_name = "NAMESPACE",
        value_parser = namespace,
        default_value = "portcullis"
    )]
    pub namespace: String,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
    /// Name of the two webhook configurations
    #[arg(long, value_name = "NAME", default_value = "portcullis", hide = true)]
    pub registration: String,
}

/// `portcullis doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 nothing is wrong, 1 something is, 2 something could not be looked \
    at.\n\nWhat each line means: docs/doctor.md\n\nExamples:\n  portcullis doctor\n  \
    portcullis doctor --context prod --output json"
)]
pub struct Doctor {
    /// Which installation
    #[command(flatten)]
    pub installation: Installation,
    /// The Service by which the API server calls [default: what is registered]
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Where a replica is reached from here, as by `kubectl port-forward`
    /// [default: the endpoints of the Service]
    #[arg(long, value_name = "HOST:PORT")]
    pub served_at: Option<String>,
    /// How to print what is wrong
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// `portcullis smoke`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is stored: every create is a dry-run. Exit code: 0 all was answered as \
    the policies in force say, 1 something was not, 2 something could not be tried.\n\n\
    Examples:\n  portcullis smoke\n  portcullis smoke --in shop --output json"
)]
pub struct Smoke {
    /// Which installation
    #[command(flatten)]
    pub installation: Installation,
    /// The namespace in which objects are tried
    #[arg(long = "in", value_name = "NAMESPACE", value_parser = namespace, default_value = "default")]
    pub target: String,
    /// How to print what came back
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// How lines are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Human,
    /// One JSON document, schema 1
    Json,
}
