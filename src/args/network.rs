//! The options of `portcullis network`.

use std::path::PathBuf;

use clap::Args;

/// `portcullis network`.
#[derive(Debug, Args)]
#[command(
    after_help = "What it does not read: policies of Cilium, Calico and administrators.\n\n\
    Examples:\n  portcullis network shop\n  portcullis network shop --context prod"
)]
pub struct Network {
    /// The namespace
    #[arg(value_name = "NAMESPACE")]
    pub namespace: String,
    /// How to reach the cluster; by default as kubectl does, or as a pod
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}
