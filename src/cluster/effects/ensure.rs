//! Has a wanted object exist, on the API server. Always by a live look: a
//! cache could say that a policy is there which somebody has just deleted.

use std::sync::Arc;
use std::time::Instant;

use kube::Client;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde_json::Value;

use super::covered::Covering;
use super::repairs::Why;
use super::{api, json};
use crate::cluster::told::one_line;
use crate::policy::effect::Wanted;
use crate::policy::effect::object::{MANAGER, Step, step};

/// How often somebody else may come in between.
const TRIES: usize = 4;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing: it was there as wanted.
    Nothing,
    /// Nothing: another object makes it needless.
    Covered,
    /// It was created.
    Created,
    /// It was brought to what is wanted.
    Replaced,
    /// Nothing, since it may not be written.
    Held,
}

/// Why an object is not there as wanted.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// One of its name is not ours.
    #[error(
        "an object of that name was not made by Portcullis for this policy and is left alone: \
         rename it"
    )]
    Foreign,
    /// Others changed it again and again.
    #[error("somebody else keeps changing it")]
    Contended,
    /// The API server did not do it.
    #[error("{}", one_line(.0))]
    Api(#[from] kube::Error),
}

/// Has objects exist.
pub struct Ensuring {
    client: Client,
    covering: Arc<Covering>,
}

impl Ensuring {
    /// On the API server of this client.
    pub fn new(client: Client) -> Ensuring {
        Ensuring {
            covering: Arc::new(Covering::new(client.clone())),
            client,
        }
    }

    /// What it looks for coverage with.
    pub fn covering(&self) -> &Arc<Covering> {
        &self.covering
    }

    /// Has the object exist, at the latest at `until`.
    ///
    /// # Errors
    ///
    /// Why it does not, one line.
    pub async fn ensure(&self, wanted: &Wanted, until: Instant) -> Result<(), String> {
        let bring = self.bring(wanted, |_| true);
        let brought = tokio::time::timeout_at(until.into(), bring).await;
        let problem = match brought {
            Ok(Ok(done)) => {
                log(wanted, done);
                return Ok(());
            }
            Ok(Err(problem)) => problem.to_string(),
            Err(_) => "the API server took too long".to_owned(),
        };
        let object = wanted.title();
        tracing::warn!(policy = %wanted.policy, object, problem, "a required object is missing");
        Err(problem)
    }

    /// Looks, does what is to be done, and looks again where somebody else was
    /// faster. Before the first write `may` is asked, which is told whether
    /// somebody changed what is there.
    ///
    /// # Errors
    ///
    /// An object of that name that is not ours; what the API server says.
    pub async fn bring(
        &self,
        wanted: &Wanted,
        mut may: impl FnMut(Why) -> bool,
    ) -> Result<Done, Problem> {
        let (api, name) = (api(&self.client, wanted), wanted.effect.name());
        let mut is_allowed = false;
        for _ in 0..TRIES {
            let there = api.get_opt(name).await?.as_ref().map(json);
            let next = step(wanted, there.as_ref());
            if next == Step::Nothing {
                return Ok(Done::Nothing);
            }
            if self.covering.is_covered(wanted).await? {
                return Ok(Done::Covered);
            }
            let why = match &next {
                Step::Replace { is_repair, .. } if *is_repair => Why::Repair,
                Step::Replace { .. } => Why::Change,
                _ => Why::Absent,
            };
            is_allowed = is_allowed || next == Step::Foreign || may(why);
            if !is_allowed {
                return Ok(Done::Held);
            }
            match next {
                Step::Nothing => return Ok(Done::Nothing),
                Step::Foreign => return Err(Problem::Foreign),
                Step::Create(object) => match self.create(wanted, object).await {
                    Err(error) if is_one_of(&error, &["AlreadyExists"]) => {}
                    created => return Ok(created.map(|()| Done::Created)?),
                },
                Step::Replace { patch, .. } => match self.replace(wanted, patch).await {
                    Err(error) if has_changed(&error) => {}
                    replaced => return Ok(replaced.map(|()| Done::Replaced)?),
                },
            }
        }
        Err(Problem::Contended)
    }

    async fn create(&self, wanted: &Wanted, object: Value) -> kube::Result<()> {
        let object: DynamicObject =
            serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
        let written_by = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let api = api(&self.client, wanted);
        api.create(&written_by, &object).await.map(drop)
    }

    async fn replace(&self, wanted: &Wanted, patch: Value) -> kube::Result<()> {
        let patch = serde_json::from_value(patch).map_err(kube::Error::SerdeError)?;
        let written_by = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let (api, name) = (api(&self.client, wanted), wanted.effect.name());
        let patch = Patch::<()>::Json(patch);
        api.patch(name, &written_by, &patch).await.map(drop)
    }
}

/// Whether a patch was refused because the object changed since the look, or went
/// away. The test of its version then fails with 422, as what is not valid does, but
/// without a cause.
fn has_changed(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let details = status.details.as_ref();
    let has_cause = details.is_some_and(|details| !details.causes.is_empty());
    match status.reason.as_str() {
        "Conflict" | "NotFound" => true,
        "Invalid" => !has_cause,
        _ => false,
    }
}

fn is_one_of(error: &kube::Error, reasons: &[&str]) -> bool {
    matches!(error, kube::Error::Api(status) if reasons.contains(&status.reason.as_str()))
}

fn log(wanted: &Wanted, done: Done) {
    let what = match done {
        Done::Nothing | Done::Covered | Done::Held => return,
        Done::Created => "created",
        Done::Replaced => "brought back",
    };
    let object = wanted.title();
    tracing::info!(policy = %wanted.policy, object, what, "an object that a policy wants");
}
