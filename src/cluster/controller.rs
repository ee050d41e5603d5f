//! Keeps the policies of the cluster in force: watches them, loads what
//! changed, swaps the set, and reports.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use kube::core::DynamicObject;
use kube::{Api, Client};
use tokio::sync::watch;

use super::anchor::api::Anchor;
use super::gather::{self, Gathered, Gatherer};
use super::home::Home;
use super::link::Link;
use super::object;
use super::others::{Answered, Watched};
use super::report::{Outcome, Told};
use super::reporter::Reporter;
use super::run::Heard;
use super::status::InForce;
use super::told::one_line;
use super::watching::{Known, Objects, Watching};
use crate::load::taker::{Candidate, Taker};
use crate::pack::Pack;
use crate::policy::PolicySet;
use crate::policy::program::ProgramRef;
use crate::telemetry::Metrics;

/// How often ConfigMaps are looked at, and what could not be written is
/// written again.
const ROUND: Duration = Duration::from_secs(5);
/// Of so many rounds, one collects programs that nobody refers to.
const COLLECT: u32 = 12;

/// What a controller is made of.
pub struct Parts {
    /// To the API server.
    pub client: Client,
    /// Where this installation lives.
    pub home: Home,
    /// What owns what it writes.
    pub anchor: Arc<Anchor>,
    /// Where built-in programs come from.
    pub pack: Pack,
    /// In force where no policy of the cluster has the same name.
    pub base: Vec<Candidate>,
    /// Loads policies.
    pub taker: Taker,
    /// What they look up.
    pub others: Arc<Watched>,
    /// Who leads, and what is registered.
    pub heard: Heard,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
}

/// Keeps policies in force.
pub struct Controller {
    client: Client,
    base: Arc<Vec<Candidate>>,
    taker: Arc<Mutex<Taker>>,
    set: Arc<ArcSwap<PolicySet>>,
    gatherer: Gatherer,
    others: Arc<Watched>,
    reporter: Reporter,
    heard: Heard,
    metrics: Arc<Metrics>,
    link: Arc<Link>,
    changed: watch::Sender<u64>,
    round: u32,
}

impl Controller {
    /// A controller and the state of its watch. `changed` is told each time
    /// that another set is in force.
    pub fn new(parts: Parts, changed: watch::Sender<u64>) -> (Controller, Arc<Link>) {
        let metrics = parts.metrics;
        let link = Arc::new(Link::new("wasmpolicies", Arc::clone(&metrics)));
        let set = Arc::clone(parts.taker.set());
        let controller = Controller {
            reporter: Reporter::new(parts.client.clone(), &parts.home),
            gatherer: Gatherer::new(parts.client.clone(), parts.home.namespace, parts.pack)
                .owned_by(parts.anchor),
            client: parts.client,
            others: parts.others,
            base: Arc::new(parts.base),
            taker: Arc::new(Mutex::new(parts.taker)),
            set,
            heard: parts.heard,
            metrics,
            link: Arc::clone(&link),
            changed,
            round: 0,
        };
        (controller, link)
    }

    /// Works for as long as the process runs.
    pub async fn run(mut self) {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &object::resource());
        let (mut watching, mut known) = (Watching::new(api), Known::default());
        let mut rounds = tokio::time::interval(ROUND);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_leader = self.heard.is_leader.clone();
        let mut registered = self.heard.registered.clone();
        loop {
            let is_round = tokio::select! {
                event = watching.next() => {
                    self.hear(&mut known, event);
                    false
                }
                () = news(&mut is_leader) => false,
                () = news(&mut registered) => false,
                _ = rounds.tick() => true,
            };
            // What came meanwhile is put in force together.
            while let Some(event) = watching.next().now_or_never() {
                self.hear(&mut known, event);
            }
            if let Some(objects) = known.objects() {
                self.reconcile(objects).await;
                if is_round {
                    self.collect(objects).await;
                }
            }
        }
    }

    fn hear(
        &self,
        known: &mut Known<DynamicObject>,
        event: kube::runtime::watcher::Result<kube::runtime::watcher::Event<DynamicObject>>,
    ) {
        match event {
            Ok(event) => {
                if known.take(event) {
                    self.link.up();
                }
            }
            Err(error) => self.link.down(one_line(&error)),
        }
    }

    async fn reconcile(&mut self, objects: &Objects<DynamicObject>) {
        let is_leader = *self.heard.is_leader.borrow();
        let registered = self.heard.registered.borrow().clone();
        let mut gathered = Vec::new();
        for object in objects.values() {
            gathered.extend(self.gatherer.gather(object, is_leader).await);
        }
        if self.set.load().is_unset() && gathered.iter().any(|one| one.is_unknown) {
            // Not ready yet: others serve, and the next round asks again.
            return;
        }
        let gathered = self.take(gathered).await;
        self.gatherer
            .memory
            .retain(|name| objects.contains_key(name));
        let set = self.set.load_full();
        for one in &gathered {
            let Some(outcome) = self.outcome(&set, one) else {
                continue;
            };
            if let Outcome::Loaded(record) | Outcome::Stale(_, record) = &outcome {
                self.gatherer.memory.set(&one.object, record.clone());
            }
            if is_leader && self.keep(&one.candidate, &outcome).await {
                let told = Told {
                    outcome: &outcome,
                    registered: registered.as_ref(),
                    answered: &self.answered(&set, one),
                };
                self.reporter.report(&one.object, told).await;
            }
        }
    }

    /// Puts policies in force, apart from the threads that serve.
    async fn take(&self, gathered: Vec<Gathered>) -> Vec<Gathered> {
        let (taker, base) = (Arc::clone(&self.taker), Arc::clone(&self.base));
        let taking = tokio::task::spawn_blocking(move || {
            let mut taker = taker.lock().unwrap_or_else(PoisonError::into_inner);
            let of_cluster = gathered.iter().map(|one| &one.candidate);
            let taken = taker.take(gather::over(&base, of_cluster));
            (gathered, taken)
        });
        let (gathered, taken) = match taking.await {
            Ok(done) => done,
            Err(panicked) => {
                tracing::error!(%panicked, "loading failed inside Portcullis: report this");
                return Vec::new();
            }
        };
        match taken {
            Ok(true) => {
                self.metrics.policy_reload(true);
                self.metrics.policies(self.set.load().counts());
                self.changed.send_modify(|count| *count += 1);
            }
            Ok(false) => {}
            // Names are unique in a cluster.
            Err(duplicate) => tracing::error!(%duplicate, "report this"),
        }
        gathered
    }

    /// What came of a policy. None where the set does not hold it.
    fn outcome(&self, set: &PolicySet, one: &Gathered) -> Option<Outcome> {
        let name = &one.candidate.found.resource.name;
        let policy = set.get(name.as_str())?;
        Some(match (&policy.program, set.stale(name)) {
            (Ok(_), None) => Outcome::Loaded(self.gatherer.record(one)?),
            (Ok(_), Some(failure)) => {
                let record = self.gatherer.in_force(one, &policy.spec)?;
                Outcome::Stale(failure.clone(), record)
            }
            (Err(failure), _) => Outcome::Failing(failure.clone(), policy.spec.failure_policy),
        })
    }

    /// Whether what it looks up is known here.
    fn answered(&self, set: &PolicySet, one: &Gathered) -> Answered {
        let policy = set.get(one.candidate.found.resource.name.as_str());
        let ready = policy.and_then(|policy| policy.program.as_ref().ok());
        self.others
            .answers(ready.iter().flat_map(|ready| ready.sight.granted()))
    }

    /// Keeps the program of a policy that loaded, so that its record can be
    /// gone by; whether it may be recorded.
    async fn keep(&mut self, candidate: &Candidate, outcome: &Outcome) -> bool {
        let (ProgramRef::ConfigMap(_), Ok(bytes), Outcome::Loaded(InForce { digest, .. })) = (
            &candidate.found.resource.spec.program,
            &candidate.program,
            outcome,
        ) else {
            return true;
        };
        let kept = self.gatherer.programs.keep(digest, bytes).await;
        if let Err(error) = &kept {
            let policy = candidate.found.resource.name.as_str();
            tracing::warn!(
                policy,
                "the program of a policy could not be kept: {error:#}"
            );
        }
        kept.is_ok()
    }

    /// Forgets, and as holder of the lease deletes, programs without policies.
    async fn collect(&mut self, objects: &Objects<DynamicObject>) {
        let used = self.gatherer.forget(objects.values());
        self.round = (self.round + 1) % COLLECT;
        if self.round != 0 || !*self.heard.is_leader.borrow() {
            return;
        }
        if let Err(error) = self.gatherer.programs.collect(&used).await {
            tracing::warn!("kept programs could not be looked at: {error:#}");
        }
    }
}

/// Waits until somebody says something else.
async fn news<T>(heard: &mut watch::Receiver<T>) {
    if heard.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
