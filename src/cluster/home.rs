//! Where this installation lives, and the connection to its API server.

use std::error::Error as _;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig};
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

impl Home {
    /// The namespace that was asked for, else that of this pod, else the one
    /// that an installation has where nobody chooses another.
    pub fn namespace(asked: Option<&str>) -> String {
        let asked = asked.filter(|asked| !asked.is_empty()).map(str::to_owned);
        let usual = || MANAGER.to_owned();
        asked.or_else(|| read(NAMESPACE_FILE)).unwrap_or_else(usual)
    }

    /// Who this replica is: what was asked for, else the name of the pod or
    /// of the machine.
    ///
    /// # Errors
    ///
    /// It has none.
    pub fn identity(asked: Option<&str>) -> Result<String> {
        let asked = asked.filter(|asked| !asked.is_empty()).map(str::to_owned);
        asked
            .or_else(|| read(HOSTNAME_FILE))
            .context("this machine has no name: give --identity NAME")
    }
}

/// A file's text, unless there is none.
fn read(file: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A connection: by the file that is named, else as kubectl finds its own,
/// else as a pod of the cluster.
///
/// # Errors
///
/// A kubeconfig that cannot be read or is incomplete; no way to a cluster.
pub async fn connect(kubeconfig: Option<&Path>) -> Result<Client> {
    connect_to(kubeconfig, None).await
}

/// The same, to the cluster of this context of a kubeconfig.
///
/// # Errors
///
/// As for [`connect`]; also if there is no such context.
pub async fn connect_to(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Client> {
    let config = match (kubeconfig, context) {
        (Some(file), context) => of_file(file, context).await?,
        (None, Some(name)) => Config::from_kubeconfig(&options(context))
            .await
            .map_err(|error| one_line(&error))
            .with_context(|| format!("--context {name}"))?,
        (None, None) => Config::infer().await.map_err(|error| nowhere(&error))?,
    };
    Ok(Client::try_from(config)?)
}

fn options(context: Option<&str>) -> KubeConfigOptions {
    KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    }
}

async fn of_file(file: &Path, context: Option<&str>) -> Result<Config> {
    let place = || format!("--kubeconfig {}", file.display());
    let kubeconfig = Kubeconfig::read_from(file).map_err(|error| one_line(&error));
    let kubeconfig = kubeconfig.with_context(place)?;
    Config::from_custom_kubeconfig(kubeconfig, &options(context))
        .await
        .map_err(|error| one_line(&error))
        .with_context(place)
}

/// Why there is no cluster, where none was named.
fn nowhere(error: &InferConfigError) -> anyhow::Error {
    let config = error.source().map(|why| one_line(&why).to_string());
    let is_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    let pod = is_pod.then(|| Config::incluster().err()).flatten();
    let whys = config.into_iter().chain(pod.map(|why| why.to_string()));
    let whys = whys.collect::<Vec<_>>().join("; ");
    anyhow!("no cluster: give --kubeconfig FILE, or run in a pod with a ServiceAccount: {whys}")
}

/// Errors of YAML show the lines they are about, which may hold a token.
fn one_line(error: &impl std::fmt::Display) -> anyhow::Error {
    let text = error.to_string();
    anyhow!("{}", text.lines().next().unwrap_or_default().trim_end())
}
