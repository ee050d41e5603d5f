//! The election, on the API server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;

use super::{Election, Step, Timing};
use crate::cluster::anchor::Standing;
use crate::cluster::anchor::api::Anchor;
use crate::cluster::home::{Home, MANAGER};

/// The Lease, in the namespace of the installation.
pub const NAME: &str = "portcullis-leader";
/// One try: with the deadline to renew less than the duration of the Lease.
const ATTEMPT: Duration = Duration::from_secs(3);

/// One replica's part in the election.
pub struct Candidate {
    leases: Api<Lease>,
    anchor: Arc<Anchor>,
    place: String,
    election: Election,
    timing: Timing,
}

impl Candidate {
    /// Who takes part.
    pub fn new(client: Client, home: &Home, anchor: Arc<Anchor>, timing: Timing) -> Candidate {
        // A container that is started again in its pod is another holder.
        let started = Timestamp::now().as_microsecond();
        let identity = format!("{}_{started:x}_{:x}", home.identity, std::process::id());
        Candidate {
            leases: Api::namespaced(client, &home.namespace),
            anchor,
            place: format!("{}/{NAME}", home.namespace),
            election: Election::new(&identity, timing),
            timing,
        }
    }

    /// Takes part until `stop` says so. `leading` says whether this replica
    /// may write.
    pub async fn run(&mut self, leading: watch::Sender<bool>, mut stop: watch::Receiver<bool>) {
        let mut last_problem = None;
        while !*stop.borrow() {
            let tried = attempt(&self.leases, &self.anchor, &mut self.election).await;
            let problem = tried.err().map(|error| format!("{error:#}"));
            if let Some(problem) = problem.as_ref().filter(|_| problem != last_problem) {
                tracing::warn!(problem, "the Lease {} is not written", self.place);
            }
            last_problem = problem;
            tell(&leading, self.election.leads(Instant::now()));
            tokio::select! {
                () = tokio::time::sleep(self.timing.retry) => {}
                // An end without a word is one, too.
                _ = stop.changed() => break,
            }
        }
        tell(&leading, false);
    }

    /// Gives the Lease back, once nothing is written any more.
    pub async fn release(mut self) {
        if let Err(error) = release(&self.leases, &mut self.election).await {
            tracing::warn!("the Lease is left to run out: {error:#}");
        }
    }
}

fn tell(leading: &watch::Sender<bool>, leads: bool) {
    let changed = leading.send_if_modified(|known| std::mem::replace(known, leads) != leads);
    if changed {
        tracing::info!(leads, "who writes to the cluster has changed");
    }
}

async fn attempt(leases: &Api<Lease>, anchor: &Anchor, election: &mut Election) -> Result<()> {
    let started = Instant::now();
    let tried = async {
        let found = leases.get_opt(NAME).await.context("reading it")?;
        let spec = found.as_ref().map(spec_of);
        let step = election.step(spec.as_ref(), Instant::now(), Timestamp::now());
        let written = match (step, found) {
            (Step::Wait, _) => return Ok(()),
            (Step::Create(spec), _) => {
                let owner = match anchor.look().await? {
                    // Nothing of ours comes back that was just collected.
                    Standing::Going(how) => bail!(how.line()),
                    standing => standing.owner().cloned(),
                };
                create(leases, spec, owner).await?
            }
            (Step::Replace(spec), found) => {
                replace(leases, found.unwrap_or_default(), spec).await?
            }
        };
        if let Some(written) = written {
            election.written(written, started);
        }
        Ok(())
    };
    let tried = tokio::time::timeout(ATTEMPT, tried).await;
    tried.unwrap_or_else(|_| Err(anyhow!("the API server does not answer in time")))
}

fn spec_of(lease: &Lease) -> LeaseSpec {
    lease.spec.clone().unwrap_or_default()
}

/// None where another replica was quicker.
async fn create(
    leases: &Api<Lease>,
    spec: LeaseSpec,
    owner: Option<OwnerReference>,
) -> Result<Option<LeaseSpec>> {
    let lease = Lease {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            owner_references: owner.map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        spec: Some(spec),
    };
    unless_lost(leases.create(&parameters(), &lease).await)
}

/// With the resourceVersion that was read: whoever wrote meanwhile has won.
async fn replace(leases: &Api<Lease>, found: Lease, spec: LeaseSpec) -> Result<Option<LeaseSpec>> {
    let lease = Lease {
        spec: Some(spec),
        ..found
    };
    unless_lost(leases.replace(NAME, &parameters(), &lease).await)
}

fn unless_lost(answer: kube::Result<Lease>) -> Result<Option<LeaseSpec>> {
    match answer {
        // As it was stored, so that it is recognised.
        Ok(lease) => Ok(Some(spec_of(&lease))),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error).context("writing it"),
    }
}

fn parameters() -> PostParams {
    PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    }
}

async fn release(leases: &Api<Lease>, election: &mut Election) -> Result<()> {
    let Some(spec) = election.release(Instant::now(), Timestamp::now()) else {
        return Ok(());
    };
    let released = async {
        let found = leases.get(NAME).await?;
        if election.holds(&spec_of(&found)) {
            replace(leases, found, spec).await?;
        }
        Ok(())
    };
    tokio::time::timeout(ATTEMPT, released).await?
}
