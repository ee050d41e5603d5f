//! The webhook configurations, on the API server.

use anyhow::{Context, Result};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::{entries, holds};
use crate::cluster::home::MANAGER;
use crate::cluster::state::Kind;

/// One of the two configurations.
#[derive(Clone)]
pub struct Slot {
    /// Which.
    pub kind: Kind,
    /// All of its kind.
    pub api: Api<DynamicObject>,
    /// Its name.
    pub name: String,
}

impl Slot {
    /// The configuration of this kind and name.
    pub fn new(client: Client, kind: Kind, name: &str) -> Slot {
        let resource = match kind {
            Kind::Validating => ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
            Kind::Mutating => ApiResource::erase::<MutatingWebhookConfiguration>(&()),
        };
        Slot {
            kind,
            api: Api::all_with(client, &resource),
            name: name.to_owned(),
        }
    }

    fn place(&self) -> String {
        let kind = match self.kind {
            Kind::Validating => "ValidatingWebhookConfiguration",
            Kind::Mutating => "MutatingWebhookConfiguration",
        };
        format!("{kind} {}", self.name)
    }

    /// What is there.
    ///
    /// # Errors
    ///
    /// Whatever the API server says.
    pub async fn read(&self) -> Result<Option<Value>> {
        let found = self.api.get_opt(&self.name).await;
        let found = found.with_context(|| format!("reading {}", self.place()))?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// Makes it as wanted. What others have put into it is taken out. `live`
    /// is what is there: if it was deleted since, that is a conflict, so that
    /// what somebody just took away does not come back.
    ///
    /// # Errors
    ///
    /// Whatever the API server says.
    pub async fn write(&self, wanted: &Value, live: Option<&Value>) -> Result<()> {
        let parameters = PatchParams::apply(MANAGER).force();
        let mut document = wanted.clone();
        if let Some(live) = live {
            document["metadata"]["uid"] = live["metadata"]["uid"].clone();
        }
        let apply = Patch::Apply(document);
        let applied = self.api.patch(&self.name, &parameters, &apply).await;
        let applied = applied.with_context(|| format!("writing {}", self.place()))?;
        let applied = serde_json::to_value(applied)?;
        if holds(wanted, &applied) {
            return Ok(());
        }
        // Apply leaves what another field manager has added.
        let patch = Patch::Merge(json!({"webhooks": with_injected(wanted, &applied)}));
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let replaced = self.api.patch(&self.name, &parameters, &patch).await;
        replaced
            .map(drop)
            .with_context(|| format!("writing {}", self.place()))
    }

    /// Deletes it if it is there.
    ///
    /// # Errors
    ///
    /// Whatever else the API server says.
    pub async fn delete(&self) -> Result<()> {
        match self.api.delete(&self.name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error).with_context(|| format!("deleting {}", self.place())),
        }
    }
}

/// The wanted entries with the `caBundle` that is there, where the wanted one
/// leaves it to somebody else.
fn with_injected(wanted: &Value, live: &Value) -> Vec<Value> {
    let keep = |entry: &Value| {
        let mut entry = entry.clone();
        let known = entries(live)
            .iter()
            .find(|live| live["name"] == entry["name"]);
        let bundle = known.and_then(|known| known["clientConfig"].get("caBundle"));
        if let (Some(bundle), None) = (bundle, entry["clientConfig"].get("caBundle")) {
            entry["clientConfig"]["caBundle"] = bundle.clone();
        }
        entry
    };
    entries(wanted).iter().map(keep).collect()
}
