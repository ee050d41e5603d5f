//! Programs in ConfigMaps: those that policies name, and the copies that are
//! kept so that a policy goes on where its ConfigMap is changed or gone.
//!
//! A ConfigMap is asked for by name; nothing here lists those of others. What
//! could not be asked (an outage) is not the same as what is not there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};

use super::anchor::api::Anchor;
use super::anchor::owns;
use super::kept;
use crate::policy::program::ConfigMapRef;
use crate::policy::{Cause, Digest, Failure};

/// How long the API server may take over one ConfigMap.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a program cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// It is not as the policy says.
    Wrong(Failure),
    /// The API server did not tell; it may later.
    Unknown(String),
}

impl Missing {
    /// As a failure of the policy.
    pub fn failure(self) -> Failure {
        match self {
            Missing::Wrong(failure) => failure,
            Missing::Unknown(why) => Failure::host(Cause::Source, why),
        }
    }
}

/// Reads programs, and keeps copies of them in the own namespace.
pub struct Programs {
    client: Client,
    namespace: String,
    /// What owns copies, for who writes any.
    anchor: Option<Arc<Anchor>>,
    /// What policies name, with the version that was read.
    named: HashMap<ConfigMapRef, (String, Result<Vec<u8>, Missing>)>,
    /// Copies that were read or written.
    kept: BTreeMap<Digest, Vec<u8>>,
    /// Copies that nobody referred to when it was last looked.
    unused: BTreeSet<String>,
}

impl Programs {
    /// With copies in this namespace.
    pub fn new(client: Client, namespace: String) -> Programs {
        Programs {
            client,
            namespace,
            anchor: None,
            named: HashMap::new(),
            kept: BTreeMap::new(),
            unused: BTreeSet::new(),
        }
    }

    /// The same, with copies that this owns.
    pub fn owned_by(self, anchor: Arc<Anchor>) -> Programs {
        Programs {
            anchor: Some(anchor),
            ..self
        }
    }

    async fn owner(&self) -> Result<Option<OwnerReference>> {
        match &self.anchor {
            Some(anchor) => anchor.owner().await,
            None => Ok(None),
        }
    }

    /// The program in a ConfigMap, as it is now. What was read before and did
    /// not change is not read again; during an outage it goes on.
    ///
    /// # Errors
    ///
    /// No such ConfigMap or key, another digest, no leave to read it; or the
    /// API server does not answer and the program was never read.
    pub async fn named(&mut self, place: &ConfigMapRef) -> Result<Vec<u8>, Missing> {
        let api: Api<PartialObjectMeta<ConfigMap>> =
            Api::namespaced(self.client.clone(), &place.namespace);
        let version = match in_time(api.get_opt(&place.name)).await {
            Ok(found) => found.map(|meta| meta.resource_version().unwrap_or_default()),
            Err(Missing::Wrong(failure)) => return Err(Missing::Wrong(no_leave(place, &failure))),
            Err(Missing::Unknown(why)) => return self.during_outage(place, why),
        };
        let version = version.unwrap_or_default();
        if let Some((known, read)) = self.named.get(place)
            && *known == version
        {
            return read.clone();
        }
        let read = match fetch(&self.client, place).await {
            Err(Missing::Unknown(why)) => return self.during_outage(place, why),
            read => read,
        };
        self.named.insert(place.clone(), (version, read.clone()));
        read
    }

    fn during_outage(&self, place: &ConfigMapRef, why: String) -> Result<Vec<u8>, Missing> {
        let before = self.named.get(place).map(|(_, read)| read.clone());
        before.unwrap_or(Err(Missing::Unknown(why)))
    }

    /// The copy of a program.
    ///
    /// # Errors
    ///
    /// There is none, or the API server does not answer.
    pub async fn kept(&mut self, digest: &Digest) -> Result<Vec<u8>, Missing> {
        if let Some(bytes) = self.kept.get(digest) {
            return Ok(bytes.clone());
        }
        let bytes = fetch(&self.client, &kept::place(&self.namespace, digest)).await?;
        self.kept.insert(digest.clone(), bytes.clone());
        Ok(bytes)
    }

    /// Keeps a copy of a program, unless there is one.
    ///
    /// # Errors
    ///
    /// What the API server said; the installation is being removed.
    pub async fn keep(&mut self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        if self.kept.contains_key(digest) {
            return Ok(());
        }
        let map = kept::config_map(&self.namespace, digest, bytes, self.owner().await?);
        match self.own().create(&PostParams::default(), &map).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            Err(error) => return Err(error.into()),
        }
        self.kept.insert(digest.clone(), bytes.to_vec());
        Ok(())
    }

    /// Forgets what no policy names any more.
    pub fn retain(&mut self, named: &BTreeSet<ConfigMapRef>, digests: &BTreeSet<Digest>) {
        self.named.retain(|place, _| named.contains(place));
        self.kept.retain(|digest, _| digests.contains(digest));
    }

    /// Deletes copies that nobody refers to, and did not when this was called
    /// last: one that was just written may be about to be referred to. Makes
    /// those anew that the anchor does not own.
    ///
    /// # Errors
    ///
    /// What the API server said.
    pub async fn collect(&mut self, used: &BTreeSet<Digest>) -> Result<()> {
        let api: Api<PartialObjectMeta<ConfigMap>> =
            Api::namespaced(self.client.clone(), &self.namespace);
        let list = api
            .list(&ListParams::default().labels(kept::SELECTOR))
            .await?;
        let names: Vec<String> = list.items.iter().map(ResourceExt::name_any).collect();
        let unused = kept::unused(&names, used);
        for name in unused.intersection(&self.unused) {
            tracing::info!(
                config_map = name,
                "no policy refers to a kept program: deleted"
            );
            self.delete(name).await?;
        }
        self.unused = unused;
        let Some(owner) = self.owner().await? else {
            return Ok(());
        };
        let strangers = list
            .items
            .iter()
            .filter(|copy| !owns(&owner, &copy.metadata));
        for name in strangers.map(ResourceExt::name_any) {
            if let Some(digest) = used.iter().find(|digest| kept::name(digest) == name) {
                self.renew(digest).await?;
            }
        }
        Ok(())
    }

    /// A copy cannot be changed, for there is no right to change any ConfigMap.
    async fn renew(&mut self, digest: &Digest) -> Result<()> {
        let Ok(bytes) = self.kept(digest).await else {
            return Ok(());
        };
        self.delete(&kept::name(digest)).await?;
        self.kept.remove(digest);
        self.keep(digest, &bytes).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        match self.own().delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn own(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}

/// The program in a ConfigMap.
///
/// # Errors
///
/// As for [`Programs::named`].
pub async fn fetch(client: &Client, place: &ConfigMapRef) -> Result<Vec<u8>, Missing> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &place.namespace);
    let found = match in_time(api.get_opt(&place.name)).await {
        Err(Missing::Wrong(failure)) => return Err(Missing::Wrong(no_leave(place, &failure))),
        found => found?,
    };
    kept::program(place, found.and_then(|map| map.binary_data)).map_err(Missing::Wrong)
}

/// What the API server refuses is known; what it does not answer is not.
async fn in_time<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, Missing> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
            let message = status.message;
            Err(Missing::Wrong(Failure::host(Cause::Source, message)))
        }
        Ok(Err(error)) => Err(Missing::Unknown(format!(
            "the API server was asked for its program and failed: {error}"
        ))),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            let why = format!("the API server was asked for its program and took over {seconds} s");
            Err(Missing::Unknown(why))
        }
    }
}

fn no_leave(place: &ConfigMapRef, failure: &Failure) -> Failure {
    let message = format!(
        "Portcullis may not read the ConfigMap `{}`: grant its ServiceAccount `get` on it with a \
         Role ({})",
        place.object(),
        failure.message
    );
    Failure::host(Cause::Source, message)
}

/// `binaryData` of a ConfigMap.
pub type Data = BTreeMap<String, ByteString>;
