//! Where this installation lives, and the connection to its API server.

use std::path::Path;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// The field manager of everything that is written, and the prefix of the
/// names of everything that belongs to an installation.
pub const MANAGER: &str = "portcullis";

/// Where this installation lives in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The namespace of its own objects: Secret of certificates, Lease,
    /// programs. Never judged.
    pub namespace: String,
    /// The Service, in that namespace, by which the API server calls.
    pub service: String,
    /// The port of the Service.
    pub port: u16,
    /// Who this replica is among the others: the name of its pod.
    pub identity: String,
}

/// A connection: by the file that is named, else as kubectl finds its own,
/// else as a pod of the cluster.
///
/// # Errors
///
/// A kubeconfig that cannot be read or is incomplete; no way to a cluster.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client> {
    let config = match kubeconfig {
        Some(file) => of_file(file).await?,
        None => Config::infer()
            .await
            .context("no cluster: run in a pod with a ServiceAccount, or give --kubeconfig FILE")?,
    };
    Ok(Client::try_from(config)?)
}

async fn of_file(file: &Path) -> Result<Config> {
    let place = || format!("--kubeconfig {}", file.display());
    let kubeconfig = Kubeconfig::read_from(file).with_context(place)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .with_context(place)
}
