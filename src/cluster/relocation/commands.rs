//! `portcullis secrets`: what a person does to a relocation, with that person's
//! own rights. None of it needs a server of ours, but `redact`, which has the
//! webhook move what it is to move.

mod enrolling;
mod moved;
mod planning;
mod restoring;
mod rotating;
mod staging;
mod telling;

pub use enrolling::{ADMISSION, Enrolment, SERVING, enrol};
pub use moved::moved;
pub use planning::plan;
pub use restoring::{Restoration, restore};
pub use rotating::{drop_former, rotate};
pub use staging::{prepare, redact};
pub use telling::status;

use anyhow::{Context, Result};
use kube::Client;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use super::resource::{self, Spec};
use crate::cluster::home::MANAGER;

/// Has the Relocation of a ConfigMap say this.
async fn put(client: &Client, namespace: &str, name: &str, spec: &Spec) -> Result<()> {
    let relocations = resource::within(client, namespace);
    // Not by apply: who writes last is meant, whoever wrote before.
    let patch = Patch::Merge(json!({"spec": {"stage": spec.stage, "keys": spec.keys}}));
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let place = || format!("Relocation {namespace}/{name}");
    match relocations.patch(name, &parameters, &patch).await {
        Err(kube::Error::Api(status)) if status.reason == "NotFound" => {}
        patched => return patched.map(drop).with_context(place),
    }
    let object = resource::new(name, spec);
    let created = relocations.create(&PostParams::default(), &object).await;
    created.map(drop).with_context(place)
}
