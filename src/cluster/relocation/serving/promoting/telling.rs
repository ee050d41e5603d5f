//! The Relocation of a ConfigMap: what people, and admission, are told.

use std::collections::BTreeSet;

use kube::api::{Patch, PatchParams, PostParams};
use portcullis_relocation::Field;
use portcullis_relocation::moments::Moment;
use portcullis_relocation::names::{Half, serving};
use portcullis_relocation::promotion::Promotion;
use serde_json::{Value, json};

use super::One;
use crate::cluster::home::MANAGER;
use crate::cluster::relocation::reading::{Read, told};
use crate::cluster::relocation::resource::{self, DANGLING, Spec, Status};
use crate::cluster::relocation::serving::readers::Users;
use crate::cluster::relocation::told::problem;
use crate::failpoint::reached;

/// Pods that a status names.
const SHOWN: usize = 10;

impl One<'_> {
    /// Writes the status, if it says something else.
    pub(super) async fn tell(
        &self,
        read: &Read,
        promotion: &Promotion,
        users: Users,
    ) -> Result<(), String> {
        let status = match &read.config_map {
            Some(_) => self.status(promotion, users),
            None => gone(),
        };
        self.publish(read, &status).await
    }

    /// Writes why what was committed is not served: pods wait for it.
    pub(super) async fn tell_why(&self, read: &Read, problem: &str) -> Result<(), String> {
        let before = read.relocation.as_ref().map(resource::status);
        let status = Status {
            state: "Pending".to_owned(),
            message: problem.to_owned(),
            ..before.unwrap_or_default()
        };
        self.publish(read, &status).await
    }

    async fn publish(&self, read: &Read, status: &Status) -> Result<(), String> {
        match (&read.relocation, &read.config_map) {
            (Some(relocation), _) if resource::status(relocation) == *status => return Ok(()),
            (Some(_), _) => {}
            (None, Some(config_map)) => {
                reached(Moment::TellCreating);
                self.create_relocation(config_map).await?;
                reached(Moment::TellCreated);
            }
            (None, None) => return Ok(()),
        }
        let patch = Patch::Merge(json!({"status": full(status)}));
        let told_by = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let relocations = self.target.relocations();
        reached(Moment::Telling);
        let patched = relocations.patch_status(self.target.name, &told_by, &patch);
        let patched = patched.await;
        reached(Moment::Told);
        match patched {
            // It went with its ConfigMap.
            Err(kube::Error::Api(status)) if status.reason == "NotFound" => Ok(()),
            patched => patched.map(drop).map_err(told("the Relocation")),
        }
    }

    /// One that nobody wrote goes with its ConfigMap.
    async fn create_relocation(&self, config_map: &Value) -> Result<(), String> {
        let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": self.target.name,
            "uid": config_map["metadata"]["uid"]});
        let owner = serde_json::from_value(owner).map_err(|error| error.to_string())?;
        let mut object = resource::new(self.target.name, &Spec::default());
        object.metadata.owner_references = Some(vec![owner]);
        let (relocations, parameters) = (self.target.relocations(), PostParams::default());
        match relocations.create(&parameters, &object).await {
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
            created => created.map(drop).map_err(told("the Relocation")),
        }
    }

    fn status(&self, promotion: &Promotion, users: Users) -> Status {
        let message = promotion.problems.first().map(problem);
        let halves: BTreeSet<Half> = promotion.served.iter().map(|field| field.half).collect();
        let state = match (&message, promotion.served.is_empty()) {
            (Some(_), _) => DANGLING,
            (None, true) => "Nothing",
            (None, false) => "Served",
        };
        Status {
            state: state.to_owned(),
            message: message.unwrap_or_default(),
            keys: promotion.served.iter().map(Field::to_string).collect(),
            secrets: halves
                .into_iter()
                .map(|half| serving(self.target.name, half))
                .collect(),
            used_by: users.names.into_iter().take(SHOWN).collect(),
            served: promotion.state.clone().unwrap_or_default(),
        }
    }
}

fn gone() -> Status {
    Status {
        state: "Nothing".to_owned(),
        message: "there is no such ConfigMap".to_owned(),
        ..Status::default()
    }
}

/// All members, so that a merge takes away what is no longer so.
fn full(status: &Status) -> Value {
    json!({"state": status.state, "message": status.message, "keys": status.keys,
        "secrets": status.secrets, "usedBy": status.used_by, "served": status.served})
}
