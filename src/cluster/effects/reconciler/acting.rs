//! One thing that is done, and what is said of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::api::{Api, DeleteParams, Preconditions};
use portcullis_contract::LabelSelector;

use super::asking::Asker;
use crate::cluster::effects::covered::Covering;
use crate::cluster::effects::ensure::{Done, Ensuring, Problem};
use crate::cluster::effects::plan::{Act, Existing, plan};
use crate::cluster::effects::repairs::{Go, Key, MOST, Repairs, WINDOW};
use crate::cluster::namespaces::{Metadata, value};
use crate::cluster::notices::Notice;
use crate::cluster::notices::api::Teller;
use crate::cluster::told::one_line;
use crate::policy::effect::Wanted;
use crate::policy::matching::selects_labels;

/// What all that is done at once shares.
pub(super) struct Acting {
    pub(super) client: Client,
    pub(super) asker: Asker,
    pub(super) judged: LabelSelector,
    pub(super) ensuring: Ensuring,
    pub(super) teller: Teller,
    pub(super) past: Mutex<Past>,
}

/// What is remembered of what was done.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub(super) repairs: Repairs,
    /// What could not be done, and why, so that it is said once.
    troubles: BTreeMap<Key, String>,
}

impl Past {
    /// Forgets a namespace that nobody looks after any more.
    pub(super) fn forget(&mut self, namespace: &str) {
        self.repairs.forget_namespace(namespace);
        self.troubles.retain(|(where_, ..), _| where_ != namespace);
    }
}

enum Outcome {
    Nothing,
    Wrote(&'static str),
    Removed,
    /// One word for events, and one line; nobody can do anything about it here.
    Left(&'static str, String),
    /// The same, and it is tried again.
    Failed(&'static str, String),
    /// It was repaired too often, which was said before.
    Stopped,
}

pub(super) fn key_of(existing: &Existing) -> Key {
    (
        existing.namespace().to_owned(),
        existing.kind.clone(),
        existing.name().to_owned(),
    )
}

fn key(wanted: &Wanted) -> Key {
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

impl Acting {
    pub(super) fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it, and says what came of it. Whether it is done with.
    pub(super) async fn act(&self, act: Act) -> bool {
        let (key, about, outcome) = match act {
            Act::Ensure { wanted, .. } => {
                (key(&wanted), about(&wanted), self.ensure(&wanted).await)
            }
            Act::Remove(existing) => (
                key_of(&existing),
                about_existing(&existing),
                self.withdraw(&existing).await,
            ),
            Act::Leave(existing) => {
                let problem = "nobody wants it any more, and somebody changed it, so that it is \
                               left alone: delete it if it is not needed";
                let outcome = Outcome::Left("LeftAlone", problem.to_owned());
                (key_of(&existing), about_existing(&existing), outcome)
            }
        };
        self.note(key, about, outcome).await
    }

    async fn ensure(&self, wanted: &Wanted) -> Outcome {
        let mut go = Go::On;
        let may = |why| {
            let repairs = &mut self.past().repairs;
            go = repairs.may(&key(wanted), why, Instant::now());
            go == Go::On
        };
        match self.ensuring.bring(wanted, may).await {
            Ok(Done::Nothing | Done::Covered) => Outcome::Nothing,
            Ok(Done::Created) => Outcome::Wrote("created"),
            Ok(Done::Replaced) => Outcome::Wrote("brought back"),
            Ok(Done::Held) if go == Go::StopAndTell => {
                let minutes = WINDOW.as_secs() / 60;
                let problem = format!(
                    "it was brought back {MOST} times in {minutes} minutes or changed very often, \
                     and somebody undoes it each time: it is left alone for a while, find out who"
                );
                Outcome::Failed("RepairsStopped", problem)
            }
            Ok(Done::Held) => Outcome::Stopped,
            Err(error @ Problem::Foreign) => Outcome::Left("NameTaken", error.to_string()),
            Err(error) => Outcome::Failed("NotEnsured", error.to_string()),
        }
    }

    /// Takes away what nobody wants, by a look at the Namespace as it is now:
    /// what is known of it may be old.
    async fn withdraw(&self, existing: &Existing) -> Outcome {
        match self.is_unwanted(existing).await {
            Ok(true) => self.remove(existing).await,
            Ok(false) => Outcome::Nothing,
            Err(problem) => Outcome::Failed("NotRemoved", problem),
        }
    }

    async fn is_unwanted(&self, existing: &Existing) -> Result<bool, String> {
        let api: Api<Metadata> = Api::all(self.client.clone());
        let namespace = api.get_opt(existing.namespace()).await;
        let namespace = namespace.map_err(|error| one_line(&error))?;
        let is_judged = |one: &Metadata| {
            let labels = one.metadata.labels.clone().unwrap_or_default();
            one.metadata.deletion_timestamp.is_none() && selects_labels(&self.judged, &labels)
        };
        // What goes with its namespace is the API server's.
        let Some(namespace) = namespace.filter(is_judged) else {
            return Ok(false);
        };
        let asked = self.asker.ask(value(&namespace)).await;
        let asked = asked.ok_or("policies could not be asked")?;
        if let Some(why) = asked.failure(existing) {
            return Err(why.to_owned());
        }
        let answers = asked.answers;
        let mut covered = Vec::new();
        for wanted in answers.iter().flat_map(|answer| &answer.wanted) {
            let is_covered = self.covering().is_covered(wanted).await;
            if is_covered.map_err(|error| one_line(&error))? {
                covered.push(wanted.clone());
            }
        }
        let now = plan(&answers, std::slice::from_ref(existing), |wanted| {
            covered.contains(wanted)
        });
        Ok(now.iter().any(|act| matches!(act, Act::Remove(_))))
    }

    pub(super) fn covering(&self) -> &Arc<Covering> {
        self.ensuring.covering()
    }

    /// Takes away this very object, unless it changed since it was looked at.
    async fn remove(&self, existing: &Existing) -> Outcome {
        let text = |member: &str| Some(existing.text(member).to_owned());
        let options = DeleteParams {
            preconditions: Some(Preconditions {
                uid: text("uid"),
                resource_version: text("resourceVersion"),
            }),
            ..DeleteParams::default()
        };
        let api = existing.resource.within(&self.client, existing.namespace());
        match api.delete(existing.name(), &options).await {
            Ok(_) => Outcome::Removed,
            // Gone, or changed, which is told.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Outcome::Nothing,
            Err(error) => Outcome::Failed("NotRemoved", one_line(&error)),
        }
    }

    /// Says what came of it; what goes on being wrong is said once.
    async fn note(&self, key: Key, about: ObjectReference, outcome: Outcome) -> bool {
        let (namespace, kind, name) = &key;
        let (reason, problem, is_done) = match outcome {
            Outcome::Stopped => return false,
            Outcome::Left(reason, problem) => (reason, problem, true),
            Outcome::Failed(reason, problem) => (reason, problem, false),
            Outcome::Nothing => {
                self.past().troubles.remove(&key);
                return true;
            }
            Outcome::Wrote(what) => {
                tracing::info!(namespace, kind, name, what, "an object that a policy wants");
                let mut past = self.past();
                past.repairs.saw(key.clone());
                past.troubles.remove(&key);
                return true;
            }
            Outcome::Removed => {
                tracing::info!(
                    namespace,
                    kind,
                    name,
                    "an object is wanted no more, and removed"
                );
                let mut past = self.past();
                past.repairs.forget(&key);
                past.troubles.remove(&key);
                return true;
            }
        };
        let before = self.past().troubles.insert(key, problem.clone());
        if before.as_ref() != Some(&problem) {
            self.complain(about, reason, problem).await;
        }
        is_done
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
        let notice = Notice { reason, note };
        self.teller.warn(&about, "Ensure", notice).await;
    }
}
