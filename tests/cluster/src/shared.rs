//! One cluster for all tests of a process.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use crate::cluster::Cluster;

/// The variable that names the kubeconfig of a cluster to test against,
/// instead of one that is started.
pub const KUBECONFIG_VARIABLE: &str = "PORTCULLIS_TEST_KUBECONFIG";

static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();

/// Whether other tests use this cluster, too.
pub(crate) fn is_shared(cluster: &Cluster) -> bool {
    let shared = SHARED.get().and_then(|shared| shared.as_ref().ok());
    shared.is_some_and(|shared| std::ptr::eq(shared, cluster))
}

/// The cluster that all tests of this process share, each in a namespace of
/// its own: a new one, or that of [`KUBECONFIG_VARIABLE`].
///
/// # Errors
///
/// It does not start; every later call says so, too.
pub fn shared() -> Result<&'static Cluster> {
    let start = || match std::env::var_os(KUBECONFIG_VARIABLE) {
        Some(config) => Cluster::foreign(Path::new(&config)),
        None => Cluster::start(),
    };
    SHARED
        .get_or_init(|| start().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow!("{error}"))
}
