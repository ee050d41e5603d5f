//! One enrolled namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::promoting::Promoted;
use super::readers::Readers;
use super::{Serving, cleaning, promoting};
use crate::cluster::relocation::known::is_left_alone;
use crate::cluster::relocation::resource;
use crate::cluster::told::one_line;
use crate::cluster::watching::Watching;
use crate::telemetry::relocation::Tally;

/// How often all ConfigMaps are looked at where nothing seems to change, and
/// what nobody refers to is looked for.
const RESYNC: Duration = Duration::from_secs(60);
/// How long the API server may take for one ConfigMap, or for what nobody refers to.
const PATIENCE: Duration = Duration::from_secs(30);
/// After something failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Looks after one namespace until it is dropped.
pub(super) async fn look_after(serving: Arc<Serving>, namespace: String) {
    let client = &serving.client;
    let maps: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client.clone(), &namespace);
    let relocations = resource::within(client, &namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let (mut pods, mut readers) = (Watching::new(pods), Readers::default());
    let mut maps = Watching::new(maps);
    let mut relocations = Watching::new(relocations);
    // The first is at once: who is started again often clears up, too.
    let mut every = interval(RESYNC);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut waiting, mut known) = (BTreeSet::new(), BTreeSet::new());
    // What failed has its own time: pods change often, and are no reason to try.
    let (mut failed, mut again) = (BTreeSet::new(), interval(AGAIN));
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut state = State::default();
    loop {
        tokio::select! {
            event = maps.next() => note(event, &namespace, &mut waiting),
            event = relocations.next() => note(event, &namespace, &mut waiting),
            event = pods.next() => match event {
                Ok(event) => waiting.extend(readers.take(event)),
                Err(error) => unwatched(&namespace, &error),
            },
            _ = every.tick() => {
                waiting.extend(known.iter().cloned());
                cleaning::clean(&serving, &namespace).await;
            }
            _ = again.tick(), if !failed.is_empty() => waiting.append(&mut failed),
        }
        known.extend(waiting.iter().cloned());
        // Who uses what would be told wrongly.
        if !readers.are_known() {
            continue;
        }
        if failed.is_empty() {
            again.reset();
        }
        for name in std::mem::take(&mut waiting) {
            let promote = promoting::promote(&serving, &namespace, &name, &readers);
            match patiently(promote).await {
                Ok(promoted) => {
                    failed.remove(&name);
                    // Of what nothing is moved out the next event tells.
                    if promoted == Promoted::default() {
                        known.remove(&name);
                    }
                    state.served(&name, promoted);
                }
                Err(problem) => {
                    state.unserved(&namespace, &name, problem);
                    failed.insert(name);
                }
            }
        }
        serving.metrics.tally(&namespace, &state.tally());
    }
}

/// What is to be done for one ConfigMap, or with what nobody refers to, unless the API
/// server takes too long.
pub(super) async fn patiently<T>(
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    let late = |_| Err(format!("the API server did not answer within {PATIENCE:?}"));
    timeout(PATIENCE, work).await.unwrap_or_else(late)
}

/// How far the ConfigMaps of a namespace are.
#[derive(Default)]
struct State {
    /// Those that something was moved out of, or that something is wrong with.
    promoted: BTreeMap<String, Promoted>,
    /// What could not be done, and why, so that it is said once; and since when,
    /// Unix time.
    troubles: BTreeMap<String, (String, i64)>,
}

impl State {
    fn served(&mut self, name: &str, promoted: Promoted) {
        self.troubles.remove(name);
        match promoted == Promoted::default() {
            true => drop(self.promoted.remove(name)),
            false => drop(self.promoted.insert(name.to_owned(), promoted)),
        }
    }

    fn unserved(&mut self, namespace: &str, name: &str, problem: String) {
        let known = self.troubles.get(name);
        if known.is_some_and(|(known, _)| *known == problem) {
            return;
        }
        let since = known.map_or_else(|| Timestamp::now().as_second(), |(_, since)| *since);
        tracing::warn!(namespace, config_map = name, problem, "is not served");
        self.troubles.insert(name.to_owned(), (problem, since));
    }

    fn tally(&self) -> Tally {
        let all = self.promoted.values();
        Tally {
            config_maps: all.clone().filter(|one| one.moved > 0).count(),
            keys: all.clone().map(|one| one.moved).sum(),
            dangling: all.map(|one| one.problems).sum(),
            unserved: self.troubles.len(),
            unserved_since: self.troubles.values().map(|(_, since)| *since).min(),
        }
    }
}

/// Which ConfigMap an event is about: a Relocation has the name of its own.
fn note<K: Resource>(
    event: watcher::Result<Event<K>>,
    namespace: &str,
    waiting: &mut BTreeSet<String>,
) {
    match event {
        Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => {
            let name = object.name_any();
            if !is_left_alone(&name) {
                waiting.insert(name);
            }
        }
        Ok(Event::Init | Event::InitDone) => {}
        Err(error) => unwatched(namespace, &error),
    }
}

fn unwatched(namespace: &str, error: &watcher::Error) {
    let problem = one_line(error);
    tracing::warn!(namespace, problem, "is not watched; it is tried again");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_counts_from_its_beginning_whatever_its_reason() {
        let mut state = State::default();
        let moved = Promoted {
            moved: 2,
            problems: 0,
        };
        state.served("app", moved);
        state.unserved("shop", "app", "forbidden".to_owned());
        let since = state.tally().unserved_since;
        state
            .troubles
            .insert("app".to_owned(), ("forbidden".to_owned(), 7));
        state.unserved("shop", "app", "conflict".to_owned());
        let tally = state.tally();
        assert!(since > Some(7));
        assert_eq!((tally.unserved, tally.unserved_since), (1, Some(7)));
        // What was moved stays moved, however it is served.
        assert_eq!((tally.config_maps, tally.keys), (1, 2));
        state.served("app", Promoted::default());
        assert_eq!(state.tally(), Tally::default());
    }
}
