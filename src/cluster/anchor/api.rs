//! The anchor, on the API server.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use arc_swap::ArcSwapOption;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Going, Standing, owners, owns, parents};
use crate::cluster::home::MANAGER;

/// Knows the anchor of one installation.
pub struct Anchor {
    roles: Api<ClusterRole>,
    namespaces: Api<Namespace>,
    name: String,
    namespace: String,
    /// Whether we register: then an anchor that is gone means that we must
    /// not, for nobody would take the registration away.
    registers: bool,
    known: ArcSwapOption<Standing>,
    problem: Mutex<Option<String>>,
}

impl Anchor {
    /// The anchor of the installation in `namespace` whose configurations are
    /// named `registration`.
    pub fn new(client: Client, namespace: &str, registration: &str, registers: bool) -> Anchor {
        Anchor {
            roles: Api::all(client.clone()),
            namespaces: Api::all(client),
            name: super::name(registration),
            namespace: namespace.to_owned(),
            registers,
            known: ArcSwapOption::empty(),
            problem: Mutex::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks at it, and has it owned by the namespace.
    ///
    /// # Errors
    ///
    /// The API server does not tell.
    pub async fn look(&self) -> Result<Standing> {
        let standing = self.try_look().await?;
        self.known.store(Some(standing.clone().into()));
        Ok(standing)
    }

    /// What was last seen; looks if nothing was. The owner of what is made.
    ///
    /// # Errors
    ///
    /// As [`Anchor::look`]; also if the installation is being removed, for
    /// then nothing is to be made.
    pub async fn owner(&self) -> Result<Option<OwnerReference>> {
        let standing = match self.known.load_full() {
            Some(known) => known.as_ref().clone(),
            None => self.look().await?,
        };
        match standing {
            Standing::Going(how) => bail!(how.line()),
            standing => Ok(standing.owner().cloned()),
        }
    }

    /// Why the anchor does not go with the namespace, if it does not.
    pub fn problem(&self) -> Option<String> {
        let problem = self.problem.lock();
        problem.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn try_look(&self) -> Result<Standing> {
        let place = || format!("reading Namespace {}", self.namespace);
        let home = match self.namespaces.get_opt(&self.namespace).await {
            Ok(Some(home)) if home.metadata.deletion_timestamp.is_none() => Some(home),
            Ok(_) => return Ok(Standing::Going(Going::Namespace(self.namespace.clone()))),
            Err(error) if is_forbidden(&error) => None,
            Err(error) => return Err(error).with_context(place),
        };
        let gone = || Ok(Standing::Going(Going::Anchor(self.name.clone())));
        let anchor = match self.roles.get_opt(&self.name).await {
            Ok(Some(anchor)) if anchor.metadata.deletion_timestamp.is_none() => anchor,
            Ok(Some(_)) => return gone(),
            Ok(None) if self.registers => return gone(),
            Ok(None) => return Ok(self.without("is not there")),
            // The rights of an installation that is removed go as it goes.
            Err(error) if is_forbidden(&error) && self.was_known() => {
                bail!(
                    "ClusterRole {} may not be read any more: nothing is written until it may",
                    self.name
                )
            }
            Err(error) if is_forbidden(&error) => return Ok(self.without("may not be read")),
            Err(error) => return Err(error).context(format!("reading ClusterRole {}", self.name)),
        };
        if let Some(home) = home {
            self.attach(&anchor.metadata, &home).await;
        }
        Ok(super::owner(&anchor).map_or_else(|| self.without("has no uid"), Standing::Held))
    }

    /// Whether it was ever there, or seen to go.
    fn was_known(&self) -> bool {
        let known = self.known.load();
        known
            .as_ref()
            .is_some_and(|known| !matches!(**known, Standing::Without(_)))
    }

    fn without(&self, why: &str) -> Standing {
        Standing::Without(format!(
            "ClusterRole {} {why}: an uninstallation leaves the registration behind; apply \
             the manifests of this version",
            self.name
        ))
    }

    /// Has the anchor go with the namespace; all else goes on without.
    async fn attach(&self, anchor: &ObjectMeta, home: &Namespace) {
        let Some(parents) = parents(anchor, home) else {
            return self.told(None);
        };
        let metadata = json!({
            "resourceVersion": anchor.resource_version,
            "ownerReferences": parents,
        });
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(json!({"metadata": metadata}));
        let patched = self.roles.patch_metadata(&self.name, &parameters, &patch);
        match patched.await {
            // Somebody else wrote meanwhile: the next look sees what.
            Ok(_) => self.told(None),
            Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => {}
            Err(error) => self.told(Some(format!(
                "namespace {} does not own ClusterRole {}, so that deleting the namespace alone \
                 leaves the registration behind: {error}",
                self.namespace, self.name
            ))),
        }
    }

    fn told(&self, problem: Option<String>) {
        let mut known = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        *known = problem;
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// Has an object that is there owned by the anchor.
///
/// # Errors
///
/// Whatever the API server says, but that somebody else was quicker.
pub async fn adopt<K>(all: &Api<K>, name: &str, owner: &OwnerReference) -> kube::Result<()>
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let Some(mut object) = all.get_opt(name).await? else {
        return Ok(());
    };
    if owns(owner, object.meta()) {
        return Ok(());
    }
    object.meta_mut().owner_references = Some(owners(owner, object.meta()));
    let parameters = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    match all.replace(name, &parameters, &object).await {
        Err(kube::Error::Api(status)) if [404, 409].contains(&status.code) => Ok(()),
        replaced => replaced.map(drop),
    }
}
