//! Keeps what policies want in namespaces: those that were there before, what
//! somebody deleted or changed, and what nobody wants any more. The leader's.
//!
//! What there is is watched, and a namespace of which anything changed waits
//! in a queue; it is looked at whole, from what is there to what should be,
//! with nothing remembered that matters. What is known may be old: every write
//! is preceded by a look at the API server itself. All of it is listed anew
//! every few minutes, so that a watch that hangs delays but loses nothing.

mod acting;
mod asking;
mod looking;
mod planning;
mod queue;
mod shelf;
mod sources;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use kube::Client;
use portcullis_contract::LabelSelector;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Resource;
use super::ensure::Ensuring;
use super::plan::Asked;
use crate::cluster::home::Home;
use crate::cluster::notices::api::Teller;
use crate::policy::{Others, PolicyName, PolicySet};
use crate::telemetry::Metrics;
use acting::{Acting, Past};
use asking::Asker;
pub(in crate::cluster) use looking::ask;
use queue::Queue;
use shelf::{Said, Shelf};
use sources::{How, Source, Sources, Told};
use telling::Telling;
pub use telling::{ENFORCED, IN_PLACE, Tally};

/// How often it is looked whether something is to be tried again.
const TICK: Duration = Duration::from_secs(1);
/// Where policies look other objects up, they are asked anew after so many
/// ticks.
const RESYNC: u32 = 30;
/// How it stands is told after so many ticks, if it is another thing.
const TELLING: u32 = 3;
/// Namespaces at once: each has at most a few requests, one after the other.
const AT_ONCE: usize = 12;

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

/// Looks after namespaces, for as long as the process runs.
pub async fn run(mut parts: Parts) {
    let mut keeper = match Keeper::new(&parts) {
        Ok(keeper) => keeper,
        Err(error) => {
            let problem = error.to_string();
            tracing::error!(
                problem,
                "what policies want in namespaces is not looked after"
            );
            return;
        }
    };
    loop {
        if *parts.leads.borrow_and_update() {
            tokio::select! {
                () = keeper.keep(parts.changed.clone()) => {}
                ended = parts.leads.changed() => if ended.is_err() { return },
            }
            keeper.rest();
        } else if parts.leads.changed().await.is_err() {
            return;
        }
    }
}

/// What came of a task.
enum Came {
    /// What policies want in a namespace.
    Asked(String, Asked),
    /// Whether all that was to be done there is done.
    Acted(String, bool),
}

/// Knows what there is, and what is to be looked at.
struct Keeper {
    set: Arc<ArcSwap<PolicySet>>,
    acting: Arc<Acting>,
    sources: Sources,
    shelves: BTreeMap<Source, Shelf>,
    queue: Queue,
    tasks: JoinSet<Came>,
    /// Waiting for a list that is not complete yet.
    parked: BTreeSet<String>,
    /// How each kind of effects is asked for, and whether policies write it so.
    resources: BTreeMap<String, (Resource, bool)>,
    /// What may cover namespaces.
    covering: BTreeSet<Resource>,
    /// What is wrong with sources, so that it is said once.
    problems: BTreeMap<Source, String>,
    /// How it stands in each namespace, by policy.
    tallies: BTreeMap<String, BTreeMap<PolicyName, Tally>>,
    telling: Telling,
}

impl Keeper {
    /// # Errors
    ///
    /// There is no thread to ask policies on.
    fn new(parts: &Parts) -> std::io::Result<Keeper> {
        let client = &parts.client;
        let ensuring = Ensuring::new(client.clone());
        let covering = Arc::clone(ensuring.covering());
        Ok(Keeper {
            set: Arc::clone(&parts.set),
            sources: Sources::new(client.clone(), covering, parts.judged.clone()),
            acting: Arc::new(Acting {
                client: client.clone(),
                asker: Asker::new(Arc::clone(&parts.set), parts.others.clone())?,
                judged: parts.judged.clone(),
                ensuring,
                teller: Teller::new(client.clone(), &parts.home),
                past: Mutex::new(Past::default()),
            }),
            shelves: BTreeMap::new(),
            queue: Queue::default(),
            tasks: JoinSet::new(),
            parked: BTreeSet::new(),
            resources: BTreeMap::new(),
            covering: BTreeSet::new(),
            problems: BTreeMap::new(),
            tallies: BTreeMap::new(),
            telling: Telling::new(client.clone(), Arc::clone(&parts.metrics)),
        })
    }

    /// Nothing is looked at or done any more.
    fn rest(&mut self) {
        self.tasks = JoinSet::new();
        self.sources.keep(|_| false);
        self.shelves.clear();
        self.queue.clear();
        self.parked.clear();
        self.resources.clear();
        self.covering.clear();
        self.tallies.clear();
        self.telling.stop();
    }

    /// As long as this replica leads.
    async fn keep(&mut self, changed: Option<watch::Receiver<u64>>) {
        let (_never, silent) = watch::channel(0);
        let mut changed = changed.unwrap_or(silent);
        changed.mark_changed();
        let mut tick = tokio::time::interval(TICK);
        let mut ticks = 0;
        loop {
            self.start();
            tokio::select! {
                heard = changed.changed() => match heard {
                    Ok(()) => self.follow_policies().await,
                    Err(_) => return std::future::pending().await,
                },
                told = self.sources.next() => self.hear(told),
                Some(came) = self.tasks.join_next() => self.take(came),
                _ = tick.tick() => {
                    self.queue.tick(Instant::now());
                    ticks = (ticks + 1) % RESYNC;
                    if ticks == 0 {
                        self.resync().await;
                    }
                    if ticks % TELLING == 0 {
                        self.tell().await;
                    }
                }
            }
        }
    }

    /// Begins with those that wait, as many as may be under way.
    fn start(&mut self) {
        while self.tasks.len() < AT_ONCE {
            let Some(namespace) = self.queue.take() else {
                return;
            };
            let of_namespace = self.shelves.get(&Source::Namespaces);
            let object = of_namespace.and_then(|shelf| shelf.of(&namespace).next());
            let Some(object) = object else {
                self.queue.done(&namespace, true, Instant::now());
                // It may have gone while it was looked at.
                self.forget(&BTreeSet::from([namespace]));
                continue;
            };
            let acting = Arc::clone(&self.acting);
            self.tasks.spawn(async move {
                match acting.asker.ask(object).await {
                    Some(asked) => Came::Asked(namespace, asked),
                    None => Came::Acted(namespace, false),
                }
            });
        }
    }

    /// Looks at what the policies in force want, and asks them of every
    /// namespace.
    async fn follow_policies(&mut self) {
        let set = self.set.load_full();
        let kinds = looking::kinds(&set);
        if kinds.is_empty() {
            self.rest();
            return;
        }
        // Another policy may write another version.
        self.resources.retain(|kind, _| kinds.contains(kind));
        self.resources
            .values_mut()
            .for_each(|(_, is_written)| *is_written = false);
        self.covering.clear();
        self.prefer(&kinds).await;
        self.look();
        self.add_all();
    }

    /// Kinds of which nobody knows yet how they are asked for.
    async fn prefer(&mut self, kinds: &BTreeSet<String>) {
        for kind in kinds {
            if self.resources.contains_key(kind) {
                continue;
            }
            match looking::preferred(&self.acting.client, kind).await {
                Ok(Some(resource)) => {
                    self.resources.insert(kind.clone(), (resource, false));
                }
                Ok(None) => {}
                Err(error) => tracing::error!(
                    kind,
                    problem = format!("{error:#}"),
                    "objects that policies do not want any more are not looked for yet"
                ),
            }
        }
    }

    /// What may have changed although nobody told.
    async fn resync(&mut self) {
        let set = self.set.load_full();
        let kinds = looking::kinds(&set);
        if kinds.iter().any(|kind| !self.resources.contains_key(kind)) {
            self.prefer(&kinds).await;
            self.look();
            self.add_all();
        }
        if looking::look_up(&set) {
            self.add_all();
        }
    }

    /// Looks at all that matters, and at nothing else.
    fn look(&mut self) {
        let made: BTreeSet<Resource> = self
            .resources
            .values()
            .map(|(one, _)| one.clone())
            .collect();
        self.sources.look(&Source::Namespaces, How::Watched);
        for resource in &made {
            self.sources
                .look(&Source::Objects(resource.clone()), How::Watched);
        }
        for resource in self.covering.difference(&made) {
            self.sources
                .look(&Source::Objects(resource.clone()), How::Listed);
        }
        let is_needed = |source: &Source| match source {
            Source::Namespaces => true,
            Source::Objects(one) => made.contains(one) || self.covering.contains(one),
        };
        self.sources.keep(is_needed);
        self.shelves.retain(|source, _| is_needed(source));
    }

    fn add_all(&mut self) {
        if let Some(all) = self.shelves.get(&Source::Namespaces) {
            all.namespaces()
                .for_each(|namespace| self.queue.add(namespace));
        }
    }

    fn hear(&mut self, told: Told) {
        let Told { source, said } = told;
        if !self.sources.has(&source) {
            return;
        }
        let said = match said {
            Ok(said) => said,
            Err(problem) => {
                let before = self.problems.insert(source.clone(), problem.clone());
                if before.as_ref() != Some(&problem) {
                    tracing::error!(
                        ?source,
                        problem,
                        "what policies want in namespaces is not looked after"
                    );
                }
                return;
            }
        };
        self.problems.remove(&source);
        let is_list = said == Said::Complete;
        let shelf = self.shelves.entry(source.clone()).or_default();
        let changed = shelf.take(said);
        if source == Source::Namespaces {
            self.forget(&changed);
        }
        match changed.contains("") {
            // What is in no namespace may concern all.
            true => self.add_all(),
            false => changed
                .iter()
                .for_each(|namespace| self.queue.add(namespace)),
        }
        if is_list {
            let parked = std::mem::take(&mut self.parked);
            parked
                .iter()
                .for_each(|namespace| self.queue.add(namespace));
        }
    }

    /// How it stands in all namespaces.
    async fn tell(&mut self) {
        let set = self.set.load_full();
        if looking::kinds(&set).is_empty() {
            return;
        }
        let all = telling::sum(&set, self.tallies.values());
        self.telling.tell(&set, all).await;
    }

    /// Of namespaces that are gone nothing is remembered.
    fn forget(&mut self, changed: &BTreeSet<String>) {
        let shelf = self.shelves.get(&Source::Namespaces);
        for namespace in changed {
            if shelf.is_none_or(|shelf| shelf.of(namespace).next().is_none()) {
                self.acting.past().forget(namespace);
                self.tallies.remove(namespace);
            }
        }
    }

    fn take(&mut self, came: Result<Came, tokio::task::JoinError>) {
        match came {
            Ok(Came::Acted(namespace, is_well)) => {
                self.queue.done(&namespace, is_well, Instant::now());
            }
            Ok(Came::Asked(namespace, asked)) => self.go_on(namespace, &asked),
            // It is looked at again with the next list.
            Err(error) => tracing::error!(%error, "a namespace is not looked after"),
        }
    }
}
