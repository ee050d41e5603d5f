//! The ConfigMap of the state.

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, ObjectMeta, PostParams};

use super::{NAME, State};
use crate::cluster::anchor;
use crate::cluster::certificates::api::OWNED_BY;
use crate::cluster::home::MANAGER;

/// A state, and the object it was read from.
pub struct Stored {
    /// As it is to be written.
    pub state: State,
    before: State,
    object: Option<ConfigMap>,
}

/// Reads the state.
///
/// # Errors
///
/// One that nobody can read; whatever the API server says.
pub async fn read(maps: &Api<ConfigMap>) -> Result<Stored> {
    let object = maps
        .get_opt(NAME)
        .await
        .context("reading ConfigMap portcullis-state")?;
    let state = State::parse(object.as_ref())?;
    Ok(Stored {
        before: state.clone(),
        state,
        object,
    })
}

impl Stored {
    /// Writes it if it has changed and nobody else has written since; gives the
    /// object that holds it, owned by `owner` if it is new.
    ///
    /// # Errors
    ///
    /// Somebody has; whatever the API server says.
    pub async fn write(
        self,
        maps: &Api<ConfigMap>,
        owner: Option<&OwnerReference>,
    ) -> Result<ObjectReference> {
        if let Some(object) = self.object.as_ref().filter(|_| self.state == self.before) {
            return Ok(reference(&object.metadata));
        }
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let data = Some(self.state.data());
        let written = match self.object {
            Some(object) => {
                let map = ConfigMap { data, ..object };
                maps.replace(NAME, &parameters, &map).await
            }
            None => maps.create(&parameters, &new(data, owner)).await,
        };
        let written = written.context("writing ConfigMap portcullis-state")?;
        Ok(reference(&written.metadata))
    }

    /// Forgets what is of an installation that was removed: what the garbage
    /// collector took was not deleted by anybody.
    pub fn begin_anew(&mut self, owner: &OwnerReference) {
        let object = self.object.as_ref();
        if object.is_some_and(|object| anchor::is_of_earlier(owner, &object.metadata)) {
            self.state = State::default();
        }
    }

    /// What was said before.
    pub fn before(&self) -> &State {
        &self.before
    }
}

fn reference(metadata: &ObjectMeta) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("ConfigMap".to_owned()),
        name: Some(NAME.to_owned()),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

fn new(
    data: Option<std::collections::BTreeMap<String, String>>,
    owner: Option<&OwnerReference>,
) -> ConfigMap {
    let (key, value) = OWNED_BY;
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            labels: Some([(key.to_owned(), value.to_owned())].into()),
            owner_references: owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        data,
        ..ConfigMap::default()
    }
}
