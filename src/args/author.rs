//! The author's commands: `portcullis policy new|build|test|inspect|trace`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::policy::spec::Grant;

/// `portcullis policy new`.
#[derive(Debug, Args)]
#[command(
    after_help = "The SDK is not published yet. Without --sdk it is that of the checkout which \
    this executable was built from, if it is still there, else the project's git repository at \
    the tag of this version.\n\nExamples:\n  portcullis policy new no-host-paths\n  \
    portcullis policy new no-host-paths --sdk ~/src/portcullis"
)]
pub struct New {
    /// The policy's name: a DNS label such as `no-host-paths`
    pub name: String,
    /// Where to write it; by default a folder of its name here
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// The SDK: a checkout of Portcullis, its `policies/sdk`, or the URL of a git repository
    #[arg(long, value_name = "PATH|GIT_URL", env = "PORTCULLIS_SDK")]
    pub sdk: Option<String>,
}

/// `portcullis policy build`.
#[derive(Debug, Args)]
#[command(
    after_help = "The same sources (Cargo.lock included) give the same digest on one \
    toolchain, whatever folder they are in."
)]
pub struct Build {
    /// The folder of the policy's crate
    #[arg(value_name = "PATH", default_value = ".")]
    pub folder: PathBuf,
    /// Where to write the component; by default NAME.wasm in the crate's folder
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `portcullis policy test`.
#[derive(Debug, Args)]
#[command(
    after_help = "Each .yaml file in `cases/` holds an object, settings, and what the policy is \
    expected to say. Exit code: 0 all pass, 1 some do not, 2 the policy could not be built."
)]
pub struct Test {
    /// The folder of the policy's crate
    #[arg(value_name = "PATH", default_value = ".")]
    pub folder: PathBuf,
    /// What to grant the policy, as `spec.grants` would
    #[arg(long = "grant", value_name = "GRANT", value_enum)]
    pub grants: Vec<Granted>,
}

/// `portcullis policy inspect`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 the host would load it, 1 it would refuse it, 2 the file is \
    no component."
)]
pub struct Inspect {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    pub file: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    pub output: Form,
}

/// How a component is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people
    #[default]
    Human,
    /// One JSON document
    Json,
}

/// `portcullis policy trace`.
#[derive(Debug, Args)]
#[command(
    after_help = "REQUEST is an AdmissionReview (JSON), or a manifest of one object, which is \
    judged as its creation. What the policy is shown is printed in full: fields that it declared, \
    with values of Secrets and ConfigMaps blank unless you write `--grant values`; then they are \
    printed too."
)]
pub struct Trace {
    /// The component
    #[arg(value_name = "FILE.wasm")]
    pub file: PathBuf,
    /// The request; `-` for standard input
    #[arg(value_name = "REQUEST")]
    pub request: String,
    /// The policy's settings, YAML or JSON
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Manifests of what the policy looks up; it is granted all that it names
    #[arg(long, value_name = "FILE")]
    pub others: Vec<String>,
    /// What to grant the policy, as `spec.grants` would
    #[arg(long = "grant", value_name = "GRANT", value_enum)]
    pub grants: Vec<Granted>,
}

/// [`Grant`] as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Granted {
    /// It sees the values of Secrets and ConfigMaps, and whole objects
    Values,
}

impl From<Granted> for Grant {
    fn from(granted: Granted) -> Grant {
        match granted {
            Granted::Values => Grant::Values,
        }
    }
}
