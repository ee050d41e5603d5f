//! Keeps what policies want in namespaces: those that were there before, what
//! somebody deleted or changed, and what nobody wants any more. The leader's.
//!
//! One pass goes from what is there to what should be, with nothing remembered
//! that matters. A pass follows each change of what it looks at, and comes
//! again every half minute, so that a watch that hangs delays but loses
//! nothing.

mod acting;
mod looking;
mod telling;
mod watches;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use arc_swap::ArcSwap;
use futures_util::StreamExt;
use futures_util::stream;
use kube::Client;
use portcullis_contract::LabelSelector;
use tokio::sync::{Notify, watch};

use super::Resource;
use super::covered::Covering;
use super::ensure::Ensuring;
use super::plan::{Act, Existing, plan};
use super::repairs::{Key, Repairs};
use crate::cluster::home::Home;
use crate::cluster::notices::api::Teller;
use crate::policy::{Others, PolicySet};
use crate::telemetry::Metrics;
pub(in crate::cluster) use looking::of_one;
use telling::Telling;
pub use telling::{ENFORCED, IN_PLACE, Tally};
use watches::Watches;

/// Between two passes where nothing changes.
const RESYNC: Duration = Duration::from_secs(30);
/// What changes within this is one change.
const BREATH: Duration = Duration::from_millis(200);
/// One pass may take this long.
const PASS: Duration = Duration::from_secs(600);
/// Writes at once.
const AT_ONCE: usize = 8;

/// What it needs.
pub struct Parts {
    /// The connection.
    pub client: Client,
    /// The installation.
    pub home: Home,
    /// The policies in force.
    pub set: Arc<ArcSwap<PolicySet>>,
    /// Told each time that other policies are in force.
    pub changed: Option<watch::Receiver<u64>>,
    /// The objects that policies may look up.
    pub others: Option<Arc<dyn Others>>,
    /// Whether this replica leads.
    pub leads: watch::Receiver<bool>,
    /// Which namespaces are judged at all, by their labels.
    pub judged: LabelSelector,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// What passes share.
struct Keeper {
    client: Client,
    set: Arc<ArcSwap<PolicySet>>,
    others: Option<Arc<dyn Others>>,
    judged: LabelSelector,
    ensuring: Ensuring,
    covering: Covering,
    teller: Teller,
    /// How each kind was asked for last.
    resources: BTreeMap<String, Resource>,
    repairs: Repairs,
    /// What could not be done, and why, so that it is said once.
    troubles: BTreeMap<Key, String>,
    telling: Telling,
}

/// Looks after namespaces, for as long as the process runs.
pub async fn run(mut parts: Parts) {
    let changed = Arc::new(Notify::new());
    let mut watches = Watches::new(parts.client.clone(), Arc::clone(&changed));
    let mut keeper = Keeper::new(&parts);
    let mut said = None;
    loop {
        if !*parts.leads.borrow_and_update() {
            watches.stop();
            keeper.telling.stop();
            if parts.leads.changed().await.is_err() {
                return;
            }
            continue;
        }
        watches.policies(parts.changed.as_ref());
        let passed = tokio::time::timeout(PASS, keeper.pass(&mut watches)).await;
        let problem = match passed {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some(format!("a pass took more than {PASS:?}")),
        };
        if let Some(problem) = problem.as_ref().filter(|_| problem != said) {
            tracing::error!(
                problem,
                "what policies want in namespaces is not looked after"
            );
        }
        said = problem;
        tokio::select! {
            () = tokio::time::sleep(RESYNC) => {}
            () = changed.notified() => tokio::time::sleep(BREATH).await,
            ended = parts.leads.changed() => if ended.is_err() { return },
        }
    }
}

impl Keeper {
    fn new(parts: &Parts) -> Keeper {
        Keeper {
            client: parts.client.clone(),
            set: Arc::clone(&parts.set),
            others: parts.others.clone(),
            judged: parts.judged.clone(),
            ensuring: Ensuring::new(parts.client.clone()),
            covering: Covering::new(parts.client.clone()),
            teller: Teller::new(parts.client.clone(), &parts.home),
            resources: BTreeMap::new(),
            repairs: Repairs::default(),
            troubles: BTreeMap::new(),
            telling: Telling::new(parts.client.clone(), Arc::clone(&parts.metrics)),
        }
    }

    /// One pass. What fails in one namespace holds up no other.
    async fn pass(&mut self, watches: &mut Watches) -> Result<()> {
        let set = self.set.load_full();
        let kinds = looking::kinds(&set);
        if kinds.is_empty() {
            watches.stop();
            self.telling.stop();
            return Ok(());
        }
        watches.namespaces();
        let namespaces = looking::namespaces(&self.client, &self.judged)
            .await
            .context("namespaces")?;
        let answers = looking::ask(Arc::clone(&set), namespaces, self.others.clone()).await?;
        self.learn_resources(&kinds, &answers).await?;
        for resource in self.resources.values() {
            watches.resource(resource);
        }
        let existing = self.existing().await?;
        let covered = looking::Covered::look(&self.covering, &answers).await?;
        self.repairs
            .keep_namespaces(|name| answers.contains_key(name));
        let none = vec![];
        let mut acts = Vec::new();
        for (namespace, answers) in &answers {
            let existing: &Vec<Existing> = existing.get(namespace).unwrap_or(&none);
            for one in existing {
                self.repairs.saw(acting::key_of(one));
            }
            acts.extend(plan(answers, existing, |wanted| covered.covers(wanted)));
        }
        let waiting = self.act(acts).await;
        let tally = telling::tally(&set, &answers, &covered, &waiting);
        self.telling.tell(&set, tally).await;
        Ok(())
    }

    /// Does it; gives what is not as wanted after it.
    async fn act(&mut self, acts: Vec<Act>) -> BTreeSet<Key> {
        let (mut allowed, mut waiting) = (Vec::new(), BTreeSet::new());
        for act in acts {
            if self.may(&act).await {
                allowed.push(act);
            } else if let Act::Ensure { wanted, .. } = act {
                waiting.insert(acting::key(&wanted));
            }
        }
        let (client, ensuring) = (self.client.clone(), &self.ensuring);
        let done = stream::iter(allowed).map(|act| acting::act(&client, ensuring, act));
        let done: Vec<acting::Came> = done.buffer_unordered(AT_ONCE).collect().await;
        for came in done {
            waiting.extend(came.failed().cloned());
            self.note(came).await;
        }
        waiting
    }
}
