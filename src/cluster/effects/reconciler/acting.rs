//! One thing that is done, and what is said of it.

use std::time::Instant;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::api::{DeleteParams, Preconditions};

use super::Keeper;
use crate::cluster::effects::ensure::{Done, Ensuring, Problem};
use crate::cluster::effects::plan::{Act, Existing};
use crate::cluster::effects::repairs::{Go, Key, MOST, WINDOW};
use crate::cluster::notices::Notice;
use crate::cluster::told::one_line;
use crate::policy::effect::Wanted;

/// What came of an act.
pub(super) struct Came {
    key: Key,
    /// What people are told of.
    about: ObjectReference,
    outcome: Outcome,
}

enum Outcome {
    Nothing,
    Wrote(&'static str),
    Removed,
    /// One word for events, and one line.
    Failed(&'static str, String),
}

impl Came {
    /// What it was about, if it could not be done.
    pub(super) fn failed(&self) -> Option<&Key> {
        matches!(self.outcome, Outcome::Failed(..)).then_some(&self.key)
    }
}

pub(super) fn key_of(existing: &Existing) -> Key {
    (
        existing.namespace().to_owned(),
        existing.kind.clone(),
        existing.name().to_owned(),
    )
}

pub(super) fn key(wanted: &Wanted) -> Key {
    (
        wanted.namespace.clone(),
        wanted.effect.kind.clone(),
        wanted.effect.name().to_owned(),
    )
}

fn about(wanted: &Wanted) -> ObjectReference {
    let text = |member: &str| wanted.effect.object[member].as_str().map(str::to_owned);
    ObjectReference {
        api_version: text("apiVersion"),
        kind: text("kind"),
        namespace: Some(wanted.namespace.clone()),
        name: Some(wanted.effect.name().to_owned()),
        ..ObjectReference::default()
    }
}

fn about_existing(existing: &Existing) -> ObjectReference {
    ObjectReference {
        api_version: Some(existing.resource.api_version.clone()),
        kind: existing.object["kind"].as_str().map(str::to_owned),
        namespace: Some(existing.namespace().to_owned()),
        name: Some(existing.name().to_owned()),
        ..ObjectReference::default()
    }
}

/// Does it.
pub(super) async fn act(client: &Client, ensuring: &Ensuring, act: Act) -> Came {
    match act {
        Act::Ensure { wanted, .. } => {
            let outcome = match ensuring.bring(&wanted).await {
                Ok(Done::Nothing | Done::Covered) => Outcome::Nothing,
                Ok(Done::Created) => Outcome::Wrote("created"),
                Ok(Done::Replaced) => Outcome::Wrote("brought back"),
                Err(error @ Problem::Foreign) => Outcome::Failed("NameTaken", error.to_string()),
                Err(error) => Outcome::Failed("NotEnsured", error.to_string()),
            };
            Came {
                key: key(&wanted),
                about: about(&wanted),
                outcome,
            }
        }
        Act::Remove(existing) => Came {
            key: key_of(&existing),
            about: about_existing(&existing),
            outcome: remove(client, &existing).await,
        },
        Act::Leave(existing) => {
            let problem = "nobody wants it any more, and somebody changed it, so that it is left \
                           alone: delete it if it is not needed";
            Came {
                key: key_of(&existing),
                about: about_existing(&existing),
                outcome: Outcome::Failed("LeftAlone", problem.to_owned()),
            }
        }
    }
}

/// Takes away this very object, unless it changed since it was looked at.
async fn remove(client: &Client, existing: &Existing) -> Outcome {
    let text = |member: &str| Some(existing.text(member).to_owned());
    let options = DeleteParams {
        preconditions: Some(Preconditions {
            uid: text("uid"),
            resource_version: text("resourceVersion"),
        }),
        ..DeleteParams::default()
    };
    let api = existing.resource.within(client, existing.namespace());
    match api.delete(existing.name(), &options).await {
        Ok(_) => Outcome::Removed,
        // Gone, or changed: the next pass looks again.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Outcome::Nothing,
        Err(error) => Outcome::Failed("NotRemoved", one_line(&error)),
    }
}

impl Keeper {
    /// Whether to do it; where it was done too often, people are told.
    pub(super) async fn may(&mut self, act: &Act) -> bool {
        let Act::Ensure { wanted, is_repair } = act else {
            return true;
        };
        match self.repairs.may(&key(wanted), *is_repair, Instant::now()) {
            Go::On => return true,
            Go::Stop => return false,
            Go::StopAndTell => {}
        }
        let minutes = WINDOW.as_secs() / 60;
        let problem = format!(
            "it was brought back {MOST} times in {minutes} minutes, and somebody undoes it each \
             time: it is left alone for a while, find out who"
        );
        self.complain(about(wanted), "RepairsStopped", problem)
            .await;
        false
    }

    /// Says what came of it; what goes on being wrong is said once.
    pub(super) async fn note(&mut self, came: Came) {
        let Came {
            key,
            about,
            outcome,
        } = came;
        let (namespace, kind, name) = &key;
        match outcome {
            Outcome::Nothing => {}
            Outcome::Wrote(what) => {
                tracing::info!(namespace, kind, name, what, "an object that a policy wants");
                self.repairs.saw(key.clone());
            }
            Outcome::Removed => {
                tracing::info!(
                    namespace,
                    kind,
                    name,
                    "an object is wanted no more, and removed"
                );
                self.repairs.forget(&key);
            }
            Outcome::Failed(reason, problem) => {
                let before = self.troubles.insert(key, problem.clone());
                if before.as_ref() != Some(&problem) {
                    self.complain(about, reason, problem).await;
                }
                return;
            }
        }
        self.troubles.remove(&key);
    }

    async fn complain(&self, about: ObjectReference, reason: &'static str, note: String) {
        let (namespace, name) = (&about.namespace, &about.name);
        tracing::warn!(
            ?namespace,
            ?name,
            reason,
            note,
            "an object that a policy wants"
        );
        self.teller
            .warn(&about, "Ensure", Notice { reason, note })
            .await;
    }
}
