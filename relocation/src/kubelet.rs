//! A model of the kubelet: what the containers of a pod get, for given
//! ConfigMaps and Secrets. For tests: the pod before relocation and the pod
//! after it must get the same.
//!
//! It is what a kubelet 1.36 does, and is itself held against one
//! (`tests/cluster/tests/relocation/consumers.rs`). Modelled: `env` with all but
//! `resourceFieldRef` and `fileKeyRef`, `envFrom`, `$(VAR)` in variables,
//! command, arguments and `subPathExpr`; volumes of ConfigMaps, Secrets and
//! projections of these and of the downward API; `items`, modes, `optional`,
//! `subPath`. A pod comes as the API server stores it, with its defaults.
//!
//! Not modelled: owners of files (`fsGroup`), updates of files while a container
//! runs, how a container that waits is tried again.
//!
//! What the kubelet did otherwise than thought at first:
//!
//! - An empty variable in a `subPathExpr` is a missing one (`missing value for
//!   NAME`), while in `env`, command and arguments it is just empty.
//! - `envFrom` takes every key; only older kubelets leave out what is no name of a
//!   variable ([`World::is_strict`]).
//! - The kubelet of the tests has no bind mounts: a `subPath` below a file fails
//!   when the container is made (`CreateContainerError`), not before.

mod environment;
mod expansion;
mod files;

use std::collections::BTreeMap;

use serde_json::Value;

pub use expansion::expand;

/// A ConfigMap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigMap {
    /// `data`.
    pub text: BTreeMap<String, String>,
    /// `binaryData`, decoded.
    pub binary: BTreeMap<String, Vec<u8>>,
}

/// A Secret: its `data`, decoded.
pub type Secret = BTreeMap<String, Vec<u8>>;

/// What there is in the namespace of the pod.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// ConfigMaps by name.
    pub config_maps: BTreeMap<String, ConfigMap>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Secret>,
    /// The variables of Services.
    pub services: BTreeMap<String, String>,
    /// Whether `envFrom` leaves out keys that are no names of variables, with an
    /// event, as kubelets did before they took any name.
    pub is_strict: bool,
}

/// What a container gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Its environment, Services included.
    pub environment: BTreeMap<String, String>,
    /// Its command, expanded.
    pub command: Vec<String>,
    /// Its arguments, expanded.
    pub arguments: Vec<String>,
    /// What it finds at the paths of its mounts of modelled volumes.
    pub mounts: BTreeMap<String, Files>,
}

/// Files by their paths below a mount; empty when the mount is the file.
pub type Files = BTreeMap<String, File>;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Permissions.
    pub mode: i64,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Why a container is not made. The kubelet tries again, until it can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No container of the pod is made.
    #[error("FailedMount: volume {volume:?}: {cause}")]
    Volume {
        /// Which.
        volume: String,
        /// What is missing.
        cause: String,
    },
    /// `CreateContainerConfigError`.
    #[error("CreateContainerConfigError: {0}")]
    Config(String),
}

impl Failure {
    /// What a user sees that does not name ConfigMaps or Secrets.
    pub fn reason(&self) -> &'static str {
        match self {
            Failure::Volume { .. } => "FailedMount",
            Failure::Config(_) => "CreateContainerConfigError",
        }
    }
}

/// What each container gets, init and ephemeral containers included, by name.
pub fn resolve(pod: &Value, world: &World) -> BTreeMap<String, Result<Given, Failure>> {
    let containers = ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|kind| list(&pod["spec"][kind]));
    let containers: Vec<&Value> = containers.collect();
    let volumes = files::volumes(pod, &containers, world);
    let given = containers.into_iter().map(|container| {
        let given = match &volumes {
            Ok(volumes) => give(pod, container, volumes, world),
            Err(failure) => Err(failure.clone()),
        };
        (text(&container["name"]).to_owned(), given)
    });
    given.collect()
}

fn give(
    pod: &Value,
    container: &Value,
    volumes: &BTreeMap<String, Files>,
    world: &World,
) -> Result<Given, Failure> {
    let environment = environment::of(pod, container, world)?;
    let words = |field: &str| {
        let words = list(&container[field]).iter().map(text);
        let expanded = words.map(|word| expand(word, |name| environment.get(name).cloned()));
        expanded.collect()
    };
    Ok(Given {
        command: words("command"),
        arguments: words("args"),
        mounts: files::mounts(container, volumes, &environment)?,
        environment,
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What a reference may leave out, it does: `optional`.
fn is_optional(reference: &Value) -> bool {
    reference["optional"] == true
}

/// A field of the pod, as `fieldRef` names it.
fn field(pod: &Value, path: &str) -> Result<String, Failure> {
    let metadata = &pod["metadata"];
    let of_map = |map: &str| {
        let key = path
            .strip_prefix(map)?
            .strip_prefix("['")?
            .strip_suffix("']")?;
        Some(text(&metadata[map.trim_start_matches("metadata.")][key]).to_owned())
    };
    let found = match path {
        "metadata.name" | "metadata.namespace" | "metadata.uid" => {
            Some(text(&metadata[path.trim_start_matches("metadata.")]).to_owned())
        }
        "spec.nodeName" => Some(text(&pod["spec"]["nodeName"]).to_owned()),
        "spec.serviceAccountName" => Some(text(&pod["spec"]["serviceAccountName"]).to_owned()),
        _ => of_map("metadata.labels").or_else(|| of_map("metadata.annotations")),
    };
    found.ok_or_else(|| Failure::Config(format!("fieldPath {path} is not modelled")))
}
