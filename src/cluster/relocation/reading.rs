//! What there is of one ConfigMap and its Secrets, read in the order that makes a slow promoter
//! harmless (see [`promotion`]).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Client;
use kube::api::{Api, DynamicObject};
use portcullis_relocation::moments::Moment;
use portcullis_relocation::names::{Half, serving};
use portcullis_relocation::{ConfigMap as Contents, Field, Held, promotion};
use serde_json::Value;

use super::resource;
use crate::cluster::told::one_line;
use crate::failpoint::reached;

/// One ConfigMap, by its name.
pub struct Target<'a> {
    /// The connection.
    pub client: &'a Client,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// What was read.
pub struct Read {
    /// The serving Secrets.
    pub serving: BTreeMap<Half, Held>,
    /// The ConfigMap.
    pub config_map: Option<Value>,
    /// The Relocation of its name.
    pub relocation: Option<DynamicObject>,
    /// The staged Secrets that it names.
    pub staged: BTreeMap<String, Held>,
}

impl Read {
    /// Whether anything of it was moved, or is to be served.
    pub fn is_concerned(&self) -> bool {
        !self.serving.is_empty()
            || self.relocation.is_some()
            || self
                .config_map
                .as_ref()
                .is_some_and(promotion::is_relocated)
    }
}

impl Read {
    /// Whether the ConfigMap has one of these keys, as text or not.
    pub fn holds_any(&self, fields: &BTreeSet<Field>) -> bool {
        let contents = self.config_map.as_ref().map(Contents::new);
        let contents = contents.and_then(|map| map.contents().ok());
        let mut keys = contents.iter().flat_map(|contents| contents.keys());
        !fields.is_empty() && keys.any(|held| fields.iter().any(|field| field.key == held.key))
    }
}

impl Target<'_> {
    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// What the API server says, one line without values.
    pub async fn read(&self) -> Result<Read, String> {
        let mut held = BTreeMap::new();
        for half in Half::ALL {
            if let Some(secret) = self.secret(&serving(self.name, half)).await? {
                held.insert(half, secret);
            }
        }
        reached(Moment::PromoteServingRead);
        let config_map = self.config_map().await?;
        reached(Moment::PromoteConfigMapRead);
        let wanted = config_map.as_ref().map(promotion::wanted).transpose();
        let wanted = wanted.map_err(|error| error.to_string())?;
        let mut staged = BTreeMap::new();
        for name in wanted.into_iter().flatten() {
            if let Some(secret) = self.secret(&name).await? {
                staged.insert(name, secret);
            }
        }
        reached(Moment::PromoteStagedRead);
        let relocation = match self.relocations().get(self.name).await {
            // There is none, or there is no such kind: `secrets restore` is run
            // where Portcullis is not installed, too.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            found => found.map(Some),
        };
        Ok(Read {
            serving: held,
            config_map,
            relocation: relocation.map_err(told("the Relocation"))?,
            staged,
        })
    }

    async fn config_map(&self) -> Result<Option<Value>, String> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), self.namespace);
        let found = maps.get_opt(self.name).await;
        let found = found.map_err(told("the ConfigMap"))?;
        let value = found.map(serde_json::to_value).transpose();
        value.map_err(|_| "the ConfigMap cannot be read".to_owned())
    }

    async fn secret(&self, name: &str) -> Result<Option<Held>, String> {
        let Some(found) = self.secrets().get_opt(name).await.map_err(told(name))? else {
            return Ok(None);
        };
        // Neither error may show what was read.
        let value = serde_json::to_value(found).ok();
        let held = value.and_then(|value| Held::read(&value).ok());
        let unreadable = || format!("Secret {name} cannot be read");
        held.map(Some).ok_or_else(unreadable)
    }

    /// The Secrets of its namespace.
    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    /// The Relocations of its namespace.
    pub fn relocations(&self) -> Api<DynamicObject> {
        resource::within(self.client, self.namespace)
    }
}

/// An error of the API server about `what`, one line.
pub fn told(what: &str) -> impl Fn(kube::Error) -> String + '_ {
    move |error| format!("{what}: {}", one_line(&error))
}
