//! Who watches, as etcd has it: whether each pod came after the NetworkPolicy
//! of its namespace, and while it was there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::task::JoinSet;

use super::{NAME, SOON};

/// A watch is asked for anew after so many seconds.
const TURN: u32 = 290;

/// What happened to the NetworkPolicies and the pods of a cluster, by the
/// versions at which etcd has it.
#[derive(Debug, Default)]
struct Seen {
    /// Of each namespace, when its policy came or changed (true) and went.
    policies: BTreeMap<String, BTreeMap<u64, bool>>,
    /// Namespace and name of each pod that came, and when.
    pods: Vec<(String, String, u64)>,
}

/// Watches until it is dropped.
pub(crate) struct Witness {
    seen: Arc<Mutex<Seen>>,
    tasks: JoinSet<()>,
}

/// The version that an object was stored as, or went at; versions of a cluster
/// grow.
pub(crate) fn version(object: &impl ResourceExt) -> u64 {
    let version = object.resource_version();
    version
        .and_then(|text| text.parse().ok())
        .expect("a version")
}

/// The same, as kubectl shows the object.
pub(crate) fn version_of(object: &serde_json::Value) -> u64 {
    let version = object["metadata"]["resourceVersion"].as_str();
    version
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no version: {object}"))
}

impl Witness {
    /// Sees everything that there is, and from now on.
    pub(crate) async fn new(client: &Client) -> Witness {
        let (seen, mut tasks) = (Arc::<Mutex<Seen>>::default(), JoinSet::new());
        let into = Arc::clone(&seen);
        let policy = move |event: &WatchEvent<DynamicObject>| {
            let (one, is_there) = match event {
                WatchEvent::Added(one) | WatchEvent::Modified(one) => (one, true),
                WatchEvent::Deleted(one) => (one, false),
                _ => return,
            };
            if one.name_any() == NAME {
                let namespace = one.namespace().expect("a namespace");
                let mut seen = into.lock().expect("nobody panicked");
                let times = seen.policies.entry(namespace).or_default();
                times.insert(version(one), is_there);
            }
        };
        watch::<NetworkPolicy>(client, &mut tasks, policy).await;
        let into = Arc::clone(&seen);
        let pod = move |event: &WatchEvent<DynamicObject>| {
            let WatchEvent::Added(one) = event else {
                return;
            };
            let namespace = one.namespace().expect("a namespace");
            let mut seen = into.lock().expect("nobody panicked");
            seen.pods.push((namespace, one.name_any(), version(one)));
        };
        watch::<Pod>(client, &mut tasks, pod).await;
        Witness { seen, tasks }
    }

    /// Fails if a pod came to one of these namespaces at a moment when there
    /// was no policy there; gives how many pods came.
    pub(crate) async fn judge(&mut self, namespaces: &BTreeSet<String>, least: usize) -> usize {
        let started = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let (number, wrong) = self.wrong(namespaces);
            // What two watches tell need not come in one order.
            if number >= least && (wrong.is_empty() || started.elapsed() > SOON / 6) {
                assert!(self.tasks.len() == 2, "a watch has ended");
                assert!(wrong.is_empty(), "{} pods without: {wrong:#?}", wrong.len());
                return number;
            }
            assert!(started.elapsed() < SOON, "only {number} pods of {least}");
        }
    }

    /// Fails if one of these pods (namespace, name, and a version from before it
    /// was asked for) came although there was no policy at any moment since.
    pub(crate) async fn judge_while(&mut self, pods: &[(String, String, u64)]) {
        let started = Instant::now();
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let wrong: Vec<_> = pods.iter().filter(|pod| !self.had_one(pod)).collect();
            if wrong.is_empty() || started.elapsed() > SOON / 6 {
                assert!(self.tasks.len() == 2, "a watch has ended");
                assert!(wrong.is_empty(), "{wrong:?} of {}", pods.len());
                return;
            }
        }
    }

    /// Whether there was a policy at any moment from then until the pod came.
    fn had_one(&self, (namespace, name, from): &(String, String, u64)) -> bool {
        let seen = self.seen.lock().expect("nobody panicked");
        let mut came = seen.pods.iter();
        let came = came.find(|(of, pod, _)| of == namespace && pod == name);
        let (Some((.., at)), Some(times)) = (came, seen.policies.get(namespace)) else {
            return false;
        };
        let before = times.range(..=from).next_back();
        let mut since = times.range(from..at);
        before.is_some_and(|(_, is_there)| *is_there) || since.any(|(_, is_there)| *is_there)
    }

    /// How many pods came, and those that came too early.
    fn wrong(&self, namespaces: &BTreeSet<String>) -> (usize, Vec<String>) {
        let seen = self.seen.lock().expect("nobody panicked");
        let (mut number, mut wrong, none) = (0, vec![], BTreeMap::new());
        for (namespace, name, at) in &seen.pods {
            if !namespaces.contains(namespace) {
                continue;
            }
            number += 1;
            let times = seen.policies.get(namespace).unwrap_or(&none);
            let before = times.range(..at).next_back();
            if !before.is_some_and(|(_, is_there)| *is_there) {
                let told = format!("{namespace}/{name} at {at}; its policy: {times:?}");
                wrong.push(told);
            }
        }
        (number, wrong)
    }
}

/// Tells each object of a kind that is there, and each that comes, changes or
/// goes from now on. Nothing
/// is left out: a watch that ends goes on where it was.
async fn watch<K>(
    client: &Client,
    tasks: &mut JoinSet<()>,
    mut tell: impl FnMut(&WatchEvent<DynamicObject>) + Send + 'static,
) where
    K: Resource<DynamicType = ()>,
{
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::erase::<K>(&()));
    let list = api.list(&ListParams::default()).await.expect("a list");
    for object in list.items {
        tell(&WatchEvent::Added(object));
    }
    let mut from = list.metadata.resource_version.expect("a version");
    tasks.spawn(async move {
        loop {
            let options = WatchParams::default().timeout(TURN);
            let events = api.watch(&options, &from).await.expect("a watch");
            pin_mut!(events);
            while let Some(event) = events.next().await {
                let event = event.expect("the watch goes on");
                tell(&event);
                from = match &event {
                    WatchEvent::Added(one)
                    | WatchEvent::Modified(one)
                    | WatchEvent::Deleted(one) => version(one).to_string(),
                    WatchEvent::Bookmark(mark) => mark.metadata.resource_version.clone(),
                    WatchEvent::Error(status) => panic!("the watch ends: {status:?}"),
                };
            }
        }
    });
}
