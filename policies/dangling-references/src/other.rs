//! What is looked up: Secrets, ConfigMaps, and what makes Secrets.

use portcullis_sdk::Reads;
use portcullis_sdk::lookups::{self, Looked};
use serde::Deserialize;

use crate::reference::Kind;

/// Nothing is read of a Secret but that it is there.
#[derive(Reads, Deserialize)]
pub(crate) struct Secret {}

/// Nor of a ConfigMap.
#[derive(Reads, Deserialize)]
pub(crate) struct ConfigMap {}

/// Nor of a SealedSecret: the Secret has its name.
#[derive(Reads, Deserialize)]
pub(crate) struct SealedSecret {}

/// Makes the Secret of its target's name, else of its own.
#[derive(Reads, Deserialize)]
pub(crate) struct ExternalSecret {
    metadata: Metadata,
    #[serde(default)]
    spec: ExternalSpec,
}

#[derive(Default, Reads, Deserialize)]
#[serde(default)]
struct ExternalSpec {
    target: Option<Target>,
}

#[derive(Default, Reads, Deserialize)]
#[serde(default)]
struct Target {
    name: Option<String>,
}

#[derive(Reads, Deserialize)]
struct Metadata {
    name: String,
}

/// Makes the Secret `secretName`.
#[derive(Reads, Deserialize)]
pub(crate) struct Certificate {
    #[serde(default)]
    spec: CertificateSpec,
}

#[derive(Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CertificateSpec {
    secret_name: Option<String>,
}

macro_rules! looked {
    ($($name:ident, $api_version:literal, $resource:literal;)*) => {$(
        impl Looked for $name {
            const API_VERSION: &'static str = $api_version;
            const KIND: &'static str = stringify!($name);
            const RESOURCE: &'static str = $resource;
            const OPTIONAL: bool = true;
        }
    )*};
}

looked!(
    Secret, "v1", "secrets";
    ConfigMap, "v1", "configmaps";
    ExternalSecret, "external-secrets.io/v1", "externalsecrets";
    SealedSecret, "bitnami.com/v1alpha1", "sealedsecrets";
    Certificate, "cert-manager.io/v1", "certificates";
);

/// Whether something in the namespace makes a Secret of this name.
pub(crate) fn makes_secret(name: &str) -> bool {
    let external = || {
        let all = lookups::here::<ExternalSecret>().list();
        all.unwrap_or_default()
            .iter()
            .any(|one| one.target() == name)
    };
    let certificate = || {
        let all = lookups::here::<Certificate>().list().unwrap_or_default();
        all.iter()
            .any(|one| one.spec.secret_name.as_deref() == Some(name))
    };
    external() || lookups::here::<SealedSecret>().has(name) == Some(true) || certificate()
}

/// Whether any object of this kind is known in the namespace, or something
/// that makes one.
pub(crate) fn are_seen(kind: Kind) -> bool {
    match kind {
        Kind::ConfigMap => any::<ConfigMap>(),
        Kind::Secret => {
            any::<Secret>()
                || any::<ExternalSecret>()
                || any::<SealedSecret>()
                || any::<Certificate>()
        }
    }
}

fn any<T: Looked>() -> bool {
    lookups::here::<T>()
        .list()
        .is_some_and(|all| !all.is_empty())
}

impl ExternalSecret {
    fn target(&self) -> &str {
        let target = self.spec.target.as_ref();
        let name = target.and_then(|target| target.name.as_deref());
        name.filter(|name| !name.is_empty())
            .unwrap_or(&self.metadata.name)
    }
}
