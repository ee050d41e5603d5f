//! Relocation: from what was typed to what runs.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use portcullis::args::{self, relocation};
use portcullis::cluster::relocation::serving::{self, Serving};
use portcullis::cluster::{self, Home};
use portcullis::telemetry;

/// Who may write placeholders; None where nothing is moved.
pub(crate) fn restorers(arguments: &args::Serve) -> Option<BTreeSet<String>> {
    let typed = &arguments.cluster;
    typed
        .relocation
        .then(|| typed.restorers.iter().cloned().collect())
}

/// Whoever reaches the port can say that he is anybody, and a Secret would be
/// created for him.
///
/// # Errors
///
/// Callers are not known to be the API server; policies are not the cluster's.
pub(crate) fn check(arguments: &args::Serve) -> Result<()> {
    let typed = &arguments.cluster;
    if !typed.relocation {
        return Ok(());
    }
    if arguments.policies.are_of_files() {
        bail!("--relocation needs the policies of the cluster: leave --policies away");
    }
    if arguments.client_ca.is_none() && !typed.port_is_guarded {
        bail!(
            "--relocation writes Secrets for whoever calls: give --client-ca FILE, so that only the \
             API server can, or --port-is-guarded if a network rule sees to that (docs/relocation.md)"
        );
    }
    Ok(())
}

/// `relocate`: serves what was moved, until a signal.
pub(crate) fn relocate(arguments: &relocation::Relocate) -> Result<u8> {
    telemetry::init(arguments.log_format, &arguments.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = cluster::connect(arguments.place.kubeconfig.as_deref()).await?;
        let namespace = Home::namespace(arguments.place.namespace.as_deref());
        serving::run(Serving::new(client, &namespace)).await;
        Ok(0)
    })
}
