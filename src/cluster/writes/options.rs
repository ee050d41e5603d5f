//! How an installation writes, as flags have it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::certificates::Lifetimes;
use crate::cluster::registrations::Wish;
use crate::cluster::self_call::SelfCall;
use crate::server::tls;

/// Where the CA comes from that callers are told of.
#[derive(Debug, Clone)]
pub enum Certificates {
    /// We make CA and leaf, and the leaf is served by this.
    Own(Arc<tls::Certificate>),
    /// Somebody mounts the leaf, and its CA in this file, PEM.
    File(PathBuf),
    /// cert-manager makes the leaf and writes its CA into every caBundle.
    Injected,
}

/// How to write.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is registered; its `ca_bundle` is filled in here.
    pub wish: Wish,
    /// `--namespace-selector` and `--object-selector` as they were typed.
    pub selectors: [Vec<String>; 2],
    /// The profile in force beside the policies of the cluster.
    pub profile: Option<&'static str>,
    /// Where the CA comes from.
    pub certificates: Certificates,
    /// How long certificates of our own live.
    pub lifetimes: Lifetimes,
    /// Where we call ourselves.
    pub self_call: SelfCall,
    /// How long entries are there with Ignore before they may fail closed.
    pub settle: Duration,
    /// Between two passes where nothing changes.
    pub resync: Duration,
}
