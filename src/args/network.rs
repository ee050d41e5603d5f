//! The options of `portcullis network`.

use clap::Args;

use super::reach::{Reach, namespace};

/// `portcullis network`.
#[derive(Debug, Args)]
#[command(
    after_help = "What it does not read: policies of Cilium, Calico and administrators; for --plan \
    routes of the Gateway API and of Traefik.\n\nExit code with --plan: 0 nothing that is in use \
    would be closed, 1 something would, 2 it could not be looked at.\n\nExamples:\n  \
    portcullis network shop\n  portcullis network shop --plan --profile isolate-full"
)]
pub struct Network {
    /// The namespace
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: String,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
    /// List what enrolment would close, and what to write to keep it open
    #[arg(long)]
    pub plan: bool,
    /// The profile of networks to plan for
    /// [default: that of the namespace, else isolate-ingress]
    #[arg(long, value_name = "PROFILE", requires = "plan")]
    pub profile: Option<String>,
    /// The namespace of the installation, whose policies are planned with
    #[arg(
        long,
        value_name = "NAMESPACE",
        value_parser = namespace,
        default_value = "portcullis",
        hide = true
    )]
    pub installation: String,
}
