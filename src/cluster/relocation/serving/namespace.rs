//! One enrolled namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::{Resource, ResourceExt};
use tokio::time::{MissedTickBehavior, interval};

use super::readers::Readers;
use super::{Serving, cleaning, promoting};
use crate::cluster::relocation::known::is_left_alone;
use crate::cluster::relocation::resource;
use crate::cluster::told::one_line;
use crate::cluster::watching::Watching;

/// How often all ConfigMaps are looked at where nothing seems to change, and
/// what nobody refers to is looked for.
const RESYNC: Duration = Duration::from_secs(60);
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
    // What could not be done, and why, so that it is said once.
    let mut troubles = BTreeMap::<String, String>::new();
    loop {
        let pause = match waiting.is_empty() {
            true => RESYNC,
            false => AGAIN,
        };
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
            () = tokio::time::sleep(pause) => {}
        }
        known.extend(waiting.iter().cloned());
        // Who uses what would be told wrongly.
        if !readers.are_known() {
            continue;
        }
        let mut later = BTreeSet::new();
        for name in std::mem::take(&mut waiting) {
            match promoting::promote(&serving, &namespace, &name, &readers).await {
                Ok(()) => {
                    troubles.remove(&name);
                }
                Err(problem) => {
                    if troubles.get(&name) != Some(&problem) {
                        tracing::warn!(namespace, config_map = name, problem, "is not served");
                        troubles.insert(name.clone(), problem);
                    }
                    later.insert(name);
                }
            }
        }
        waiting = later;
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
