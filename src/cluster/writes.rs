//! What an installation writes to its cluster: certificates and registrations.
//! Every replica serves what was written; the one that leads writes.
//!
//! `leader` is one pass over everything, from what is there to what should be,
//! with nothing remembered that matters: a pass after a crash, or by another
//! replica, goes on where the last one ended. A pass follows each change of
//! what it looks at, and comes again every few seconds, so that a watch that
//! hangs delays but loses nothing.

mod leader;
mod options;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kube::Client;
use portcullis_contract::LabelSelector;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

pub use leader::Registered;
pub use options::{Certificates, Options};

use super::anchor::api::Anchor;
use super::certificates::api as certificates;
use super::effects::reconciler;
use super::home::Home;
use super::lease::Timing;
use super::lease::api::Candidate;
use super::rounds::{self, Rounds};
use crate::policy::{Others, PolicySet};
use crate::telemetry::Metrics;
use leader::Leader;

/// One pass may wait for this much of the API server, and no longer.
const PASS: Duration = Duration::from_secs(30);

/// Everything that is needed to write.
pub struct Writes {
    /// The connection.
    pub client: Client,
    /// The installation.
    pub home: Home,
    /// What owns what is written.
    pub anchor: Arc<Anchor>,
    /// How; None where registrations and certificates are somebody else's.
    pub options: Option<Options>,
    /// How what is there is audited again and again, if it is.
    pub rounds: Option<Rounds>,
    /// The election.
    pub timing: Timing,
    /// The policies in force, which are what is registered.
    pub set: Arc<ArcSwap<PolicySet>>,
    /// Told each time that other policies are in force.
    pub changed: Option<watch::Receiver<u64>>,
    /// The objects that policies may look up, where they are those of a cluster.
    pub others: Option<Arc<dyn Others>>,
    /// Tells whether this replica leads.
    pub leading: watch::Sender<bool>,
    /// Tells what came of registering, where this replica leads.
    pub registered: watch::Sender<Option<Registered>>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

impl Writes {
    /// Looks after the cluster until `stop` says so; then gives up the Lease
    /// and leaves everything else as it is.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        if let Some(options) = &self.options {
            self.spawn(options, &mut tasks);
        }
        if let Some(rounds) = self.rounds.clone() {
            tasks.spawn(rounds.run(rounds::Parts {
                client: self.client.clone(),
                home: self.home.clone(),
                anchor: Arc::clone(&self.anchor),
                set: Arc::clone(&self.set),
                metrics: Arc::clone(&self.metrics),
                leads: self.leading.subscribe(),
                registered: self.registered.subscribe(),
            }));
        }
        tasks.spawn(reconciler::run(reconciler::Parts {
            client: self.client.clone(),
            home: self.home.clone(),
            set: Arc::clone(&self.set),
            changed: self.changed.clone(),
            others: self.others.clone(),
            leads: self.leading.subscribe(),
            judged: self.judged(),
            metrics: Arc::clone(&self.metrics),
        }));
        let mut candidate = Candidate::new(self.client, &self.home, self.anchor, self.timing);
        candidate.run(self.leading, stop).await;
        // Nothing is written any more when another replica begins.
        tasks.shutdown().await;
        candidate.release().await;
    }
}

impl Writes {
    /// What the registration is narrowed to; all where it is somebody else's.
    fn judged(&self) -> LabelSelector {
        let wish = self.options.as_ref().map(|options| &options.wish);
        LabelSelector {
            match_expressions: wish.map_or(vec![], |wish| wish.registration.namespaces.clone()),
            ..LabelSelector::default()
        }
    }

    fn spawn(&self, options: &Options, tasks: &mut JoinSet<()>) {
        let changed = Arc::new(Notify::new());
        let leader = Leader::new(self, options);
        if let (Some(keeper), Certificates::Own(served)) = (leader.keeper(), &options.certificates)
        {
            let (served, metrics) = (Arc::clone(served), Arc::clone(&self.metrics));
            tasks.spawn(certificates::serve(
                keeper,
                served,
                metrics,
                Arc::clone(&changed),
            ));
        }
        watches::spawn(self, options, &changed, tasks);
        if let Some(policies) = self.changed.clone() {
            tasks.spawn(follow(policies, Arc::clone(&changed)));
        }
        let leads = self.leading.subscribe();
        tasks.spawn(passes(leader, leads, changed, options.resync));
    }
}

/// What is registered follows the policies in force.
async fn follow(mut policies: watch::Receiver<u64>, changed: Arc<Notify>) {
    while policies.changed().await.is_ok() {
        changed.notify_one();
    }
}

/// A pass after each change and every `resync`, while this replica leads.
async fn passes(
    mut leader: Leader,
    mut leads: watch::Receiver<bool>,
    changed: Arc<Notify>,
    resync: Duration,
) {
    loop {
        let is_leading = *leads.borrow_and_update();
        leader.metrics().leads(is_leading);
        let pause = match is_leading {
            true => tokio::time::timeout(PASS, leader.pass()).await,
            false => Ok(resync),
        };
        if pause.is_err() {
            tracing::warn!("the API server took more than {PASS:?} and is asked again");
        }
        tokio::select! {
            () = tokio::time::sleep(pause.unwrap_or(resync)) => {}
            () = changed.notified() => {}
            ended = leads.changed() => if ended.is_err() { return },
        }
    }
}
