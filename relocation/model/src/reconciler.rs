//! Promoters, the collector, Kubernetes' garbage collector and a pod.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_relocation::collection::{self, Candidate};
use portcullis_relocation::names::{Half, serving};
use portcullis_relocation::promotion::{self, Input, Promotion, is_promoted, is_relocated, wanted};
use portcullis_relocation::{Field, Held};
use serde_json::Value;

use crate::client::Client;
use crate::shared::Shared;
use crate::state::{Action, KEY, NAME, NAMESPACE, State, value};
use crate::{Safeguard, World};

/// How far a promoter is.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Promoter {
    #[default]
    Idle,
    /// Has read the serving Secret.
    Serving(Option<Shared<Held>>),
    /// Has read the ConfigMap first, as it should not.
    ConfigMapFirst(Option<Shared<Value>>),
    /// Has read both.
    Both(Option<Shared<Held>>, Option<Shared<Value>>),
    /// Knows what to write, and what to publish then.
    Acting(Shared<Vec<promotion::Action>>, Publish),
}

/// What is to be published, if there is news; nothing clears it.
type Publish = Option<Option<Shared<(String, BTreeSet<Field>)>>>;

/// How far the collector is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) enum Collector {
    #[default]
    Idle,
    /// Has listed the Secrets, at this time.
    Listed(u32, Vec<Candidate>),
    /// Is about to delete these.
    Decided(Vec<Candidate>),
}

/// How far the pod is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) enum Pod {
    #[default]
    Absent,
    /// Admitted when the key had had this many values, in need of the Secret or not,
    /// and with the ConfigMap of this uid.
    Admitted(usize, bool, String),
    /// Has run.
    Started,
}

impl World {
    pub(crate) fn reconciler_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, promoter) in state.promoters.iter().enumerate() {
            actions.push(Action::Promote(index));
            if *promoter != Promoter::Idle {
                actions.push(Action::Die(index));
            }
        }
        actions.extend([Action::Collect, Action::Garbage, Action::Pod]);
    }

    pub(crate) fn promote(&self, state: &mut State, index: usize) {
        let next = match std::mem::take(&mut state.promoters[index]) {
            Promoter::Idle if self.has(Safeguard::ServingFirst) => {
                Promoter::Serving(state.serving().cloned())
            }
            Promoter::Idle => Promoter::ConfigMapFirst(state.config_map.clone()),
            Promoter::Serving(held) => {
                let read = match &state.cached {
                    Some(cached) => Some(cached.clone()),
                    None => state.config_map.clone(),
                };
                Promoter::Both(held, read)
            }
            Promoter::ConfigMapFirst(config_map) => {
                Promoter::Both(state.serving().cloned(), config_map)
            }
            Promoter::Both(held, config_map) => self.decided(state, (held, config_map)),
            Promoter::Acting(actions, publish) => self.acted(state, actions, publish),
        };
        state.promoters[index] = next;
        // Which of them is where makes no difference.
        state.promoters.sort();
    }

    /// The plan, made anew for each input that it can have.
    fn decided(
        &self,
        state: &State,
        (held, config_map): (Option<Shared<Held>>, Option<Shared<Value>>),
    ) -> Promoter {
        let read = config_map.as_deref();
        let named = read.and_then(|read| wanted(read).ok()).unwrap_or_default();
        let staged = |name: &String| {
            let stored = state.secrets.get(name)?;
            Some((name.clone(), stored.held.clone()))
        };
        let staged: BTreeMap<_, _> = named.iter().filter_map(staged).collect();
        let input = (&held, &config_map, &staged, &state.published);
        self.promotions.get(&input, || {
            let staged = staged
                .iter()
                .map(|(name, held)| (name.clone(), (**held).clone()));
            let Some(plan) = self.promotion((held.as_deref(), read), staged.collect()) else {
                return Promoter::Idle;
            };
            let told = state.published.as_ref();
            let is_published = told
                .zip(read)
                .is_some_and(|(published, read)| is_promoted(read, &published.0, &published.1));
            let is_news = match &plan.state {
                Some(_) => !is_published,
                None => told.is_some(),
            };
            let publish = plan.state.map(|told| (told, plan.served).into());
            let publish = is_news.then_some(publish);
            match plan.actions.is_empty() && publish.is_none() {
                true => Promoter::Idle,
                false => Promoter::Acting(plan.actions.into(), publish),
            }
        })
    }

    /// The program's own plan.
    fn promotion(
        &self,
        (held, config_map): (Option<&Held>, Option<&Value>),
        staged: BTreeMap<String, Held>,
    ) -> Option<Promotion> {
        let serving = held.map(|held| (Half::Text, held.clone()));
        promotion::plan(&Input {
            namespace: NAMESPACE,
            name: NAME,
            serving: &serving.into_iter().collect(),
            config_map,
            staged: &staged,
            prepared: &BTreeSet::new(),
            named: &BTreeSet::new(),
            awaited: &BTreeSet::new(),
            keyring: self.ring(0),
        })
        .ok()
    }

    /// One write, or the publication after the last.
    fn acted(
        &self,
        state: &mut State,
        actions: Shared<Vec<promotion::Action>>,
        publish: Publish,
    ) -> Promoter {
        let Some((action, rest)) = actions.split_first() else {
            state.published = publish.unwrap_or(state.published.take());
            return Promoter::Idle;
        };
        match self.written(state, action) {
            true if rest.is_empty() && publish.is_none() => Promoter::Idle,
            true => Promoter::Acting(rest.to_vec().into(), publish),
            false => Promoter::Idle,
        }
    }

    /// Whether the API server took the write.
    fn written(&self, state: &mut State, action: &promotion::Action) -> bool {
        match action {
            promotion::Action::Create(manifest) | promotion::Action::Update(manifest) => {
                let found = state.secrets.get(&manifest.metadata.name);
                let found = found.map(|stored| &stored.held.resource_version);
                let met = found == manifest.metadata.resource_version.as_ref();
                if !met && self.has(Safeguard::Precondition) {
                    return false;
                }
                if manifest.data.is_empty() && !self.has(Safeguard::Emptied) {
                    state.secrets.remove(&manifest.metadata.name);
                } else {
                    state.put(manifest);
                }
            }
            promotion::Action::Delete {
                name,
                uid,
                resource_version,
            } => {
                let met = state.secrets.get(name).is_some_and(|stored| {
                    stored.held.uid == *uid && stored.held.resource_version == *resource_version
                });
                if !met && self.has(Safeguard::DeletePrecondition) {
                    return false;
                }
                state.secrets.remove(name);
            }
        }
        true
    }

    pub(crate) fn collect(&self, state: &mut State) {
        state.collector = match std::mem::take(&mut state.collector) {
            Collector::Idle => {
                let mut listed: Vec<_> = state.secrets.values().map(candidate).collect();
                if !self.has(Safeguard::Age) {
                    listed.iter_mut().for_each(|secret| secret.created = 0);
                }
                // What is too young for any ConfigMap's sake is not looked at.
                let old = collection::plan(i64::from(state.clock), &listed, &BTreeSet::new());
                let old: Vec<_> = old.into_iter().cloned().collect();
                match old.is_empty() {
                    true => Collector::Idle,
                    false => Collector::Listed(state.clock, old),
                }
            }
            Collector::Listed(now, listed) => {
                let config_map = state.config_map.as_deref();
                let looked = config_map.filter(|_| self.has(Safeguard::Named));
                let Ok(named) = looked.map(wanted).transpose() else {
                    state.collector = Collector::Idle;
                    return;
                };
                let named = named.unwrap_or_default();
                let go = collection::plan(i64::from(now), &listed, &named);
                match go.is_empty() {
                    true => Collector::Idle,
                    false => Collector::Decided(go.into_iter().cloned().collect()),
                }
            }
            Collector::Decided(go) => {
                let same = |stored: &crate::state::Stored, secret: &Candidate| {
                    stored.held.name == secret.name && stored.held.uid == secret.uid
                };
                let secrets = &mut state.secrets;
                secrets.retain(|_, stored| !go.iter().any(|secret| same(stored, secret)));
                Collector::Idle
            }
        }
    }

    /// What an owner that is gone leaves.
    pub(crate) fn garbage(&self, state: &mut State) {
        let live = state.uid().map(str::to_owned);
        state
            .secrets
            .retain(|_, stored| stored.held.owner.is_none() || stored.held.owner == live);
    }

    pub(crate) fn pod(&self, state: &mut State) {
        let held = state.serving().and_then(|held| held.data.get(KEY)).cloned();
        state.pod = match (std::mem::take(&mut state.pod), held) {
            (Pod::Absent, _) => match self.pod_needs(state) {
                Some((needs, uid)) => Pod::Admitted(state.history.len() - 1, needs, uid),
                None => Pod::Absent,
            },
            (Pod::Admitted(at, true, uid), None) => Pod::Admitted(at, true, uid),
            // Where the ConfigMap was deleted since, the Secret of one that is past
            // may be there until the garbage collector comes: that is lag.
            (Pod::Admitted(_, _, uid), _) if state.uid() != Some(&uid) => Pod::Started,
            (Pod::Admitted(..), None) | (Pod::Started, _) => Pod::Started,
            (Pod::Admitted(at, ..), Some(held)) => {
                let mut later = state.history[at..].iter().flatten();
                if !later.any(|number| value(*number).as_bytes() == held.expose()) {
                    state.broken = Some("a pod read a value that was past when it was admitted");
                }
                Pod::Started
            }
        }
    }

    /// Whether a pod that is admitted now needs the serving Secret, and the uid of
    /// the ConfigMap; nothing if it has to wait.
    fn pod_needs(&self, state: &State) -> Option<(bool, String)> {
        // Without the ConfigMap it waits, as natively.
        let config_map = state.config_map.as_deref()?;
        let moved = wanted(config_map).is_ok_and(|named| !named.is_empty());
        let promoted = match &state.published {
            Some(said) => is_promoted(config_map, &said.0, &said.1),
            None => !is_relocated(config_map),
        };
        let may = promoted || !self.has(Safeguard::PodsWait);
        may.then(|| Some((moved, state.uid()?.to_owned())))?
    }

    /// The world once all that is under way is done and some hours have passed,
    /// if clients do nothing more.
    pub(crate) fn settled(&self, state: &State) -> State {
        let mut state = state.clone();
        state
            .promoters
            .iter_mut()
            .for_each(|one| *one = Promoter::Idle);
        state.collector = Collector::Idle;
        self.garbage(&mut state);
        // Five steps are a round; a second one is for a conflict, and two more show
        // that there is an end to it.
        for _ in 0..20 {
            self.promote(&mut state, 0);
        }
        state.promoters[0] = Promoter::Idle;
        state.clock += 7202;
        for _ in 0..3 {
            self.collect(&mut state);
        }
        state
    }

    pub(crate) fn is_quiet(state: &State) -> bool {
        state.clients.iter().all(Client::is_idle)
    }
}

fn candidate(stored: &crate::state::Stored) -> Candidate {
    Candidate {
        name: stored.held.name.clone(),
        uid: stored.held.uid.clone(),
        ours: stored.held.ours,
        created: i64::from(stored.created),
    }
}

/// The name of the serving Secret.
pub(crate) fn serving_name() -> String {
    serving(NAME, Half::Text)
}
