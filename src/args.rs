//! What the user typed. No I/O, no decision: `main` acts on it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::finding::FailOn;
use crate::pack::Profile;

pub mod audit;
pub mod author;
pub mod doctor;
pub mod network;
pub mod reach;
pub mod relocation;
mod units;

use units::{duration, period, size};
pub mod cluster;

/// Policy-as-code admission for Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, about, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge manifests offline, with the verdicts that the webhook would give
    Check(Check),
    /// Judge what is in a live cluster, as if it were created now
    Audit(audit::Audit),
    /// Answer one recorded AdmissionReview
    Review(Review),
    /// Serve the webhook over TLS
    Serve(Box<Serve>),
    /// List and show policies; write, build, test and trace your own
    #[command(subcommand)]
    Policy(Policy),
    /// What a code means, and what to do about it
    Explain(Explain),
    /// Make a CA and a server certificate for development
    Certs(Certs),
    /// Print the registration of the webhook, for `kubectl apply`
    WebhookConfig(WebhookConfig),
    /// Print the definitions of the resources WasmPolicy and PolicyExemption,
    /// for `kubectl apply`
    Crd,
    /// Take the registration out of a cluster until `resume`
    Pause(cluster::Place),
    /// Let a registration come back that was paused or deleted
    Resume(cluster::Place),
    /// Take the registration out of a cluster before it is uninstalled
    Deregister(cluster::Place),
    /// What is wrong with an installation, and how to mend it
    Doctor(doctor::Doctor),
    /// Whether requests are judged as the policies in force say: dry-runs only
    Smoke(doctor::Smoke),
    /// Who may talk to the pods of a namespace, by its NetworkPolicies
    Network(network::Network),
    /// Move secrets out of the ConfigMaps of a namespace, step by step, and back
    #[command(subcommand)]
    Secrets(relocation::Secrets),
    /// Serve what was moved out of ConfigMaps to the pods that use them, and
    /// clear away what nobody uses: the part of an installation that reads
    /// Secrets (docs/relocation.md)
    Relocate(relocation::Relocate),
    /// Compile one policy, for the process that started this one
    #[command(hide = true)]
    CompilePolicy,
}

/// Which policies are in force.
#[derive(Debug, Args)]
pub struct Policies {
    /// Profile of the built-in pack [default: starter]
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// WasmPolicy documents: a file, or a folder of them. One with the name of
    /// a built-in policy takes its place
    #[arg(long = "policies", value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Namespaces that no policy judges
    #[arg(
        long = "exclude-namespace", value_name = "NAME",
        default_values_t = crate::policy::set::SYSTEM_NAMESPACES.map(String::from)
    )]
    pub excluded_namespaces: Vec<String>,
    /// Folder in which compiled policies are kept for the next start, or `off`
    /// [default: ~/.cache/portcullis]
    #[arg(
        long,
        value_name = "FOLDER",
        env = "PORTCULLIS_CODE_CACHE",
        hide_env_values = true
    )]
    pub code_cache: Option<PathBuf>,
}

impl Policies {
    /// The profile that counts.
    pub fn profile(&self) -> Profile {
        self.profile.unwrap_or_default()
    }

    /// Whether policies come from files, so that those of a cluster are not
    /// asked for.
    pub fn are_of_files(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Whether policies were asked for, of files or of the pack.
    pub fn are_given(&self) -> bool {
        self.profile.is_some() || !self.paths.is_empty()
    }
}

/// `portcullis check`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code: 0 nothing is denied, 1 something is, 2 something could not be \
    judged or nothing was there to judge.\n\nExamples:\n  portcullis check deploy/ more.yaml\n  \
    kubectl kustomize . | portcullis check -"
)]
pub struct Check {
    /// Files and folders; `-` for standard input
    #[arg(required = true, value_name = "PATH")]
    pub inputs: Vec<String>,
    /// Which policies are in force
    #[command(flatten)]
    pub policies: Policies,
    /// How to print the findings
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// From what on the exit code is 1
    #[arg(long, value_enum, default_value_t)]
    pub fail_on: FailOn,
    /// Broken documents are reported, but do not make the exit code 2
    #[arg(long)]
    pub allow_broken: bool,
    /// Write the findings to a file and fail for none of them
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub write_baseline: Option<PathBuf>,
    /// Only findings that this file does not hold count
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Show findings that are only audited
    #[arg(long)]
    pub show_audit: bool,
    /// With each secret that is found, show what to write instead: a Secret
    /// without its value, and what changes in the pods that use it
    #[arg(long)]
    pub fix_hints: bool,
    /// PolicyExemptions among the manifests do not count, only those of
    /// --policies
    #[arg(long)]
    pub ignore_exemptions: bool,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Human,
    /// One JSON document, schema 1
    Json,
    /// SARIF 2.1.0, for code scanning (GitHub, GitLab, Azure DevOps)
    Sarif,
    /// JUnit XML, for the test report of a CI: a suite a file, a case an object
    Junit,
}

/// `portcullis review`.
#[derive(Debug, Args)]
pub struct Review {
    /// The AdmissionReview, JSON; `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: String,
    /// Which policies are in force
    #[command(flatten)]
    pub policies: Policies,
    /// Answer as the mutating webhook
    #[arg(long)]
    pub mutate: bool,
}

/// `portcullis serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Which policies are in force
    #[command(flatten)]
    pub policies: Policies,
    /// The server's certificate, PEM; read again when it changes. With
    /// --cluster it is made where none is given
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "cluster",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "cluster",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,
    /// The cluster that it runs in
    #[command(flatten)]
    pub cluster: cluster::Cluster,
    /// Only callers with a certificate of this CA, PEM, are answered
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Where the webhook listens, TLS
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    pub listen: SocketAddr,
    /// Where /livez, /readyz and /metrics listen, plain
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub metrics_listen: SocketAddr,
    /// Offer HTTP/2 besides HTTP/1.1
    #[arg(long)]
    pub http2: bool,
    /// Threads that evaluate; by default one a core
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Room for verdicts that are given again to the same text (replicas of
    /// one template): a size, `8MiB`, or `off`. Policies that are granted
    /// `values` are never remembered
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = size)]
    pub verdict_cache: usize,
    /// How long to serve on after SIGTERM, until nobody sends any more
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub drain_delay: Duration,
    /// How long requests in flight may take after that
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub drain_timeout: Duration,
    /// How often the certificate's files are looked at
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub tls_poll: Duration,
    /// How often the files of --policies are looked at
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub policies_poll: Duration,
    /// What is logged
    #[command(flatten)]
    pub logging: Logging,
}

/// What a process that stays logs, and how.
#[derive(Debug, Args)]
pub struct Logging {
    /// How log lines look
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// Which log lines: a level, or the syntax of tracing's EnvFilter
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "PORTCULLIS_LOG"
    )]
    pub log: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    #[default]
    Json,
    /// For people
    Human,
}

/// `portcullis policy`.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// List the policies in force
    List {
        /// Which policies are in force
        #[command(flatten)]
        policies: Policies,
    },
    /// Show one policy: its page, codes, reads and settings
    Show {
        /// Its name
        name: String,
        /// Which policies are in force
        #[command(flatten)]
        policies: Policies,
    },
    /// Write the crate of a new policy
    New(author::New),
    /// Build a policy's crate to a component that describes itself
    Build(author::Build),
    /// Build a policy and run its cases
    Test(author::Test),
    /// What a component is, wants and is given, without putting it in force
    Inspect(author::Inspect),
    /// Show what a policy is shown of one request, what it says, and what comes of it
    Trace(author::Trace),
}

/// `portcullis explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// A code, as findings show it: `image-latest`
    pub code: String,
    /// Which policies are in force
    #[command(flatten)]
    pub policies: Policies,
}

/// `portcullis certs`.
#[derive(Debug, Args)]
pub struct Certs {
    /// Where to write ca.crt, ca.key, tls.crt and tls.key
    pub folder: PathBuf,
    /// A name or an IP address of the server; may be given several times
    #[arg(
        long = "name", value_name = "NAME",
        default_values_t = crate::certs::DEFAULT_NAMES.map(String::from)
    )]
    pub names: Vec<String>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

/// `portcullis webhook-config`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  portcullis webhook-config --service portcullis/portcullis --ca-file ca.crt \
    | kubectl apply -f -\n  portcullis webhook-config --url https://10.0.0.7:8443 --ca-file ca.crt \
    --namespace-selector env=staging\n\nGive the options of policies as to `portcullis serve`: \
    what is registered is what these policies judge. Namespaces that are excluded, the system's \
    and that of --service are left out, so that they work while Portcullis does not."
)]
pub struct WebhookConfig {
    /// Where the API server finds Portcullis: `https://HOST:PORT`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Or a Service of the cluster: `NAMESPACE/NAME[:PORT]`; the port is 443
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// The CA of the server's certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub ca_file: PathBuf,
    /// Name of the two configurations
    #[arg(long, value_name = "NAME", default_value = "portcullis")]
    pub name: String,
    /// Only namespaces with such labels: `KEY=VALUE`, `KEY!=VALUE`,
    /// `KEY in (A,B)`, `KEY notin (A,B)`, `KEY`, `!KEY`; may be given several
    /// times, all must hold
    #[arg(long = "namespace-selector", value_name = "REQUIREMENT")]
    pub namespace_selectors: Vec<String>,
    /// Which policies are in force
    #[command(flatten)]
    pub policies: Policies,
}
