//! The objects that policies look up: one watch a kind, for those kinds alone
//! that an operator granted.
//!
//! Of each object no more is kept than some policy reads of it, and its
//! labels. Guarantees: what is answered is a list that was once complete, with
//! the changes since; a kind that the cluster does not have has no objects;
//! what Portcullis has no right to list is told apart from what is not known
//! yet. No lookup ever calls the API server.

mod kind;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwap;
use kube::Client;
use portcullis_contract::{LabelSelector, Lookup};
use tokio::sync::watch;

use crate::policy::PolicySet;
use crate::policy::lookup::{Column, Others, Unseen, View};
use crate::server::Health;
use kind::Kind;

/// What is watched, by version and resource.
type Kinds = BTreeMap<(String, String), Kind>;

/// Watches what the policies in force look up.
pub struct Watched {
    client: Client,
    set: Arc<ArcSwap<PolicySet>>,
    kinds: RwLock<Kinds>,
    /// Whether each kind was known once, or why not.
    was_settled: AtomicBool,
}

/// Whether the lookups of a policy are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It looks nothing up.
    Nothing,
    /// The first lists are not complete.
    NotYet,
    /// All of them are.
    All,
    /// Those of these kinds are not, and why.
    No(BTreeMap<String, Unseen>),
}

impl Watched {
    /// Of the policies of `set`; nothing is known yet: see [`Watched::run`].
    pub fn new(client: Client, set: Arc<ArcSwap<PolicySet>>) -> Watched {
        Watched {
            client,
            set,
            kinds: RwLock::default(),
            was_settled: AtomicBool::new(false),
        }
    }

    /// Follows the policies in force, for as long as the process runs;
    /// `changed` tells when there are others. Call it on a runtime.
    pub async fn run(self: Arc<Self>, mut changed: watch::Receiver<u64>) {
        loop {
            self.follow(&wanted(self.set.load().views()));
            if changed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Watches these kinds and no others. One that goes on in other columns
    /// answers with what it has until it has those.
    fn follow(&self, wanted: &BTreeMap<(String, String), (Lookup, Vec<Column>)>) {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        kinds.retain(|key, _| wanted.contains_key(key));
        for (key, (lookup, columns)) in wanted {
            let before = kinds.remove(key);
            let kind = match before {
                Some(kind) if kind.has(columns) => kind,
                before => Kind::watch(&self.client, lookup, columns.clone(), before),
            };
            kinds.insert(key.clone(), kind);
        }
    }

    /// Whether everything that is looked up was known once, or it is known why
    /// it cannot be: who serves before that would fail for nothing.
    pub fn is_ready(&self) -> bool {
        if self.was_settled.load(Ordering::Relaxed) {
            return true;
        }
        let is_watched =
            |key: &(String, String)| self.kinds().get(key).is_some_and(Kind::is_settled);
        let wanted = wanted(self.set.load().views());
        let is_settled = !self.set.load().is_unset() && wanted.keys().all(is_watched);
        self.was_settled.fetch_or(is_settled, Ordering::Relaxed);
        is_settled
    }

    /// A line a kind.
    pub fn health(&self) -> Vec<Health> {
        // A policy that comes later makes no replica go away.
        let was_ready = self.was_settled.load(Ordering::Relaxed);
        let line = |kind: &Kind| Health {
            name: format!("lookup/{}", kind.name()),
            state: kind.describe(),
            ready: was_ready || kind.is_settled(),
        };
        self.kinds().values().map(line).collect()
    }

    /// Whether what these views show is known.
    pub fn answers<'v>(&self, views: impl Iterator<Item = &'v View>) -> Answered {
        let (mut unseen, mut is_settled, mut is_empty) = (BTreeMap::new(), true, true);
        for view in views {
            is_empty = false;
            match self.kinds().get(&key(&view.lookup)) {
                Some(kind) => {
                    is_settled &= kind.is_settled();
                    let problem = kind.problem();
                    unseen.extend(problem.map(|problem| (kind.name(), problem)));
                }
                None => is_settled = false,
            }
        }
        match () {
            () if is_empty => Answered::Nothing,
            () if !unseen.is_empty() => Answered::No(unseen),
            () if is_settled => Answered::All,
            () => Answered::NotYet,
        }
    }

    fn kinds(&self) -> std::sync::RwLockReadGuard<'_, Kinds> {
        self.kinds.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T>(
        &self,
        view: &View,
        ask: impl FnOnce(&Kind) -> Result<T, Unseen>,
    ) -> Result<T, Unseen> {
        match self.kinds().get(&key(&view.lookup)) {
            Some(kind) => ask(kind),
            None => Err(Unseen::Unknown("they are about to be watched".into())),
        }
    }
}

impl Others for Watched {
    fn get(&self, view: &View, namespace: &str, name: &str) -> Result<Option<String>, Unseen> {
        self.ask(view, |kind| kind.get(&view.column, namespace, name))
    }

    fn list(
        &self,
        view: &View,
        namespace: Option<&str>,
        selector: Option<&LabelSelector>,
    ) -> Result<String, Unseen> {
        self.ask(view, |kind| kind.list(&view.column, namespace, selector))
    }
}

fn key(lookup: &Lookup) -> (String, String) {
    (lookup.api_version.clone(), lookup.resource.clone())
}

/// What is to be watched, with all columns that anybody sees of it.
fn wanted<'v>(
    views: impl Iterator<Item = &'v View>,
) -> BTreeMap<(String, String), (Lookup, Vec<Column>)> {
    let mut wanted: BTreeMap<_, (Lookup, Vec<Column>)> = BTreeMap::new();
    for view in views {
        let one = wanted.entry(key(&view.lookup));
        let (_, columns) = one.or_insert_with(|| (view.lookup.clone(), vec![]));
        if !columns.contains(&view.column) {
            columns.push(view.column.clone());
        }
    }
    wanted
}
