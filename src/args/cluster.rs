//! The options of an installation in a cluster.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::reach::namespace;
use super::{duration, period};
use crate::pack::Profile;

/// Which cluster, and which installation in it.
#[derive(Debug, Args)]
pub struct Place {
    /// How to reach the cluster; by default as kubectl does, or as a pod
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the installation
    /// [default: that of the pod, else `portcullis`]
    #[arg(
        long,
        value_name = "NAMESPACE",
        value_parser = namespace,
        env = "POD_NAMESPACE",
        hide_env_values = true
    )]
    pub namespace: Option<String>,
    /// Name of the two webhook configurations
    #[arg(
        long = "registration",
        value_name = "NAME",
        default_value = "portcullis",
        hide = true
    )]
    pub registration: String,
}

/// `serve --cluster`.
#[derive(Debug, Args)]
pub struct Cluster {
    /// Look after an installation in a cluster: its WasmPolicies, which take the
    /// place of those of --profile that have the same name (with --policies
    /// they are not asked for), its certificates, its registration
    #[arg(id = "cluster", long = "cluster")]
    pub enabled: bool,
    /// Leave webhook configurations to somebody else
    #[arg(long, requires_all = ["cluster", "tls_cert"], conflicts_with_all = ["ca_from", "ca_file"])]
    pub without_registration: bool,
    /// Which cluster
    #[command(flatten)]
    pub place: Place,
    /// The Service by which the API server calls, in that namespace
    #[arg(long, value_name = "NAME[:PORT]", default_value = "portcullis")]
    pub service: String,
    /// Which replica this is: the name of its pod [default: the host's name]
    #[arg(long, value_name = "NAME", env = "POD_NAME", hide_env_values = true)]
    pub identity: Option<String>,
    /// Judge only namespaces with such labels, as for `webhook-config`
    #[arg(
        long = "namespace-selector",
        value_name = "REQUIREMENT",
        requires = "cluster"
    )]
    pub namespace_selectors: Vec<String>,
    /// Judge only objects with such labels: `KEY=VALUE`, `KEY in (A,B)`, `KEY`.
    /// Users choose labels: this opts in, and can keep nobody from opting out
    #[arg(
        long = "object-selector",
        value_name = "REQUIREMENT",
        requires = "cluster"
    )]
    pub object_selectors: Vec<String>,
    /// The Certificate whose CA cert-manager injects into the registration;
    /// with --tls-cert and --tls-key from its Secret
    #[arg(long, value_name = "NAMESPACE/NAME", requires_all = ["cluster", "tls_cert"])]
    pub ca_from: Option<String>,
    /// Or the CA of --tls-cert in a file, PEM; read again and again
    #[arg(long, value_name = "FILE", requires_all = ["cluster", "tls_cert"], conflicts_with = "ca_from")]
    pub ca_file: Option<PathBuf>,
    /// How often the replica that writes audits what is there, besides after
    /// outages: a time, or `off`
    #[arg(long, value_name = "DURATION", default_value = "60m", value_parser = period)]
    pub audit_interval: Duration,
    /// A profile of the pack whose refusals each audit tells besides, without
    /// refusing anything: what a change to it would mean
    #[arg(long, value_name = "PROFILE", value_enum, requires = "cluster")]
    pub audit_profile: Option<Profile>,
    /// Have secrets leave ConfigMaps in namespaces that are enrolled for it
    /// (docs/relocation.md); needs --client-ca or --port-is-guarded
    #[arg(long, requires = "cluster", conflicts_with = "without_registration")]
    pub relocation: bool,
    /// Your word that a network rule keeps everybody but the API server from
    /// this port: whoever reaches it could otherwise have Secrets created
    #[arg(long, requires = "relocation")]
    pub port_is_guarded: bool,
    /// A user who may write ConfigMaps with placeholders, and so put a backup
    /// back
    #[arg(long = "restorer", value_name = "USER", requires = "relocation")]
    pub restorers: Vec<String>,
    /// What the account may create, a resource with its group such as
    /// `networkpolicies.networking.k8s.io`: policies of --profile that have such
    /// objects created are in force, too. May be given several times
    #[arg(long, value_name = "KIND", requires = "cluster")]
    pub may_create: Vec<String>,
    /// The profile of networks that `default-network-policy` gives each new
    /// namespace, or `none` [default: what --profile says]
    #[arg(long, value_name = "NETWORK", value_enum, requires = "may_create")]
    pub enrol_new: Option<EnrolNew>,
    /// Where this process reaches the Service, if not by its name
    #[arg(long, value_name = "HOST:PORT", hide = true)]
    pub self_call_address: Option<String>,
    /// How long a CA lives that is made here
    #[arg(long, value_name = "DURATION", default_value = "525600m", value_parser = duration, hide = true)]
    pub ca_lifetime: Duration,
    /// How long a leaf lives that is made here
    #[arg(long, value_name = "DURATION", default_value = "43200m", value_parser = duration, hide = true)]
    pub leaf_lifetime: Duration,
    /// How long a new CA is published before a leaf of it is served
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    pub ca_propagation: Duration,
    /// How long the registration is there with Ignore before it may be Fail
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration, hide = true)]
    pub settle: Duration,
    /// How often everything is looked at where nothing seems to change
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration, hide = true)]
    pub resync: Duration,
}

/// What new namespaces are enrolled under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EnrolNew {
    /// In: the same namespace, ingress controllers and monitoring.
    IsolateIngress,
    /// The same, and out to the same namespace, DNS and the API server alone.
    IsolateFull,
    /// They are not.
    None,
}

impl EnrolNew {
    /// The setting `enrolNew` of `default-network-policy`.
    pub fn setting(self) -> Option<&'static str> {
        match self {
            EnrolNew::IsolateIngress => Some("isolate-ingress"),
            EnrolNew::IsolateFull => Some("isolate-full"),
            EnrolNew::None => None,
        }
    }
}
