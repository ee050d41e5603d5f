//! Where this installation lives, and the connection to its API server.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
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

/// Where a pod finds its namespace (Kubernetes: "Accessing the API from a pod").
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// The name of the machine, or of the pod.
const HOSTNAME_FILE: &str = "/proc/sys/kernel/hostname";
/// The port of the Service unless somebody says otherwise.
const PORT: u16 = 443;

impl Home {
    /// Where this installation lives, as far as nobody says otherwise: in the
    /// namespace of its pod, by the name of that.
    ///
    /// # Errors
    ///
    /// Nobody said, and this is no pod.
    pub fn find(
        namespace: Option<String>,
        service: String,
        identity: Option<String>,
    ) -> Result<Home> {
        let read = |file: &str| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let namespace = namespace
            .filter(|namespace| !namespace.is_empty())
            .or_else(|| read(NAMESPACE_FILE))
            .context("this is no pod of a cluster: give --namespace NAME")?;
        let identity = identity
            .filter(|identity| !identity.is_empty())
            .or_else(|| read(HOSTNAME_FILE))
            .context("this machine has no name: give --identity NAME")?;
        ensure!(!service.is_empty(), "--service is empty: give its name");
        Ok(Home {
            namespace,
            service,
            port: PORT,
            identity,
        })
    }
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
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| one_line(&error));
    let kubeconfig = kubeconfig.with_context(place)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| one_line(&error))
        .with_context(place)
}

/// Errors of YAML show the lines they are about, which may hold a token.
fn one_line(error: &KubeconfigError) -> anyhow::Error {
    let text = error.to_string();
    anyhow!("{}", text.lines().next().unwrap_or_default().trim_end())
}
