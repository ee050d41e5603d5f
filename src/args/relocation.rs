//! The options of relocation.

use std::net::SocketAddr;

use clap::{Args, Subcommand};

use super::cluster::Place;
use super::reach::{Reach, config_map, namespace};
use super::{Logging, Policies};

/// `portcullis relocate`.
#[derive(Debug, Args)]
pub struct Relocate {
    /// Which installation
    #[command(flatten)]
    pub place: Place,
    /// Only namespaces with such labels, as for `serve`
    #[arg(long = "namespace-selector", value_name = "REQUIREMENT")]
    pub namespace_selectors: Vec<String>,
    /// Where /livez, /readyz and /metrics listen, plain [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// What is logged
    #[command(flatten)]
    pub logging: Logging,
}

/// `portcullis secrets`.
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// Enrol a namespace: the rights that moving takes there, and its label.
    /// ConfigMaps that are there stay as they are, at stage Audit
    Enrol(Enrol),
    /// What would move, who uses it, what stands in the way, and the next command.
    /// Writes nothing
    Plan(Plan),
    /// Serve present values from a Secret, too, so that new pods read them there
    Prepare(Prepare),
    /// Move what is secret in a ConfigMap that no pod reads it from any more
    Redact(One),
    /// What was moved, who uses it and what is wrong with it
    Status(Status),
    /// Whether anything is moved, and how to put it back; exit code 1 if so. For
    /// who uninstalls: it looks at ConfigMaps, and needs nothing of ours to run
    Moved(Status),
    /// Put values back into ConfigMaps, and let them stay there
    Restore(Restore),
    /// Make digests in placeholders with a new key; takes 20 s, since each replica
    /// has to know it first
    RotateKeys(RotateKeys),
}

/// `portcullis secrets enrol`.
#[derive(Debug, Args)]
pub struct Enrol {
    /// The namespace
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: String,
    /// Print what would be applied, and apply nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The namespace of the installation
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace, default_value = "portcullis")]
    pub installation: String,
    /// The account of the webhook, in that namespace
    #[arg(long, value_name = "NAME", default_value = "portcullis", hide = true)]
    pub account: String,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
}

/// `portcullis secrets plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// The namespace
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: String,
    /// Which policies say what moves [default: those of the cluster]
    #[command(flatten)]
    pub policies: Policies,
    /// The namespace of the installation whose policies these are
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace, default_value = "portcullis")]
    pub installation: String,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
}

/// One ConfigMap.
#[derive(Debug, Args)]
pub struct One {
    /// Its namespace
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: String,
    /// Its name
    #[arg(value_name = "CONFIGMAP", value_parser = config_map)]
    pub config_map: String,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
}

/// `portcullis secrets prepare`.
#[derive(Debug, Args)]
pub struct Prepare {
    /// Which ConfigMap
    #[command(flatten)]
    pub one: One,
    /// A key of it; may be given again
    #[arg(long = "key", value_name = "KEY", required = true)]
    pub keys: Vec<String>,
}

/// `portcullis secrets status` and `moved`.
#[derive(Debug, Args)]
pub struct Status {
    /// One namespace [default: all]
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: Option<String>,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
}

/// `portcullis secrets restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The namespace
    #[arg(value_name = "NAMESPACE", value_parser = namespace, required_unless_present = "all")]
    pub namespace: Option<String>,
    /// One ConfigMap of it [default: all of them]
    #[arg(value_name = "CONFIGMAP", value_parser = config_map)]
    pub config_map: Option<String>,
    /// In all namespaces
    #[arg(long, conflicts_with_all = ["namespace", "config_map"])]
    pub all: bool,
    /// Put back what the Secrets hold although the keys of the digests are lost:
    /// look at the Secrets first
    #[arg(long)]
    pub trusting: bool,
    /// The namespace of the installation
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace, default_value = "portcullis")]
    pub installation: String,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
}

/// `portcullis secrets rotate-keys`.
#[derive(Debug, Args)]
pub struct RotateKeys {
    /// Instead, recognise former keys no more: placeholders that were made with them
    /// stand, and get others once their values are applied again
    #[arg(long)]
    pub drop_former: bool,
    /// The namespace of the installation
    #[arg(long, value_name = "NAMESPACE", value_parser = namespace, default_value = "portcullis")]
    pub installation: String,
    /// Which cluster
    #[command(flatten)]
    pub reach: Reach,
}
