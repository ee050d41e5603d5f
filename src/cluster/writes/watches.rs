//! Watches by name. They only say that something changed: a pass reads what.

use std::sync::Arc;

use futures_util::{Stream, StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::Api;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Options, Writes};
use crate::cluster::registrations::api::Slot;
use crate::cluster::state::{self, Kind, State};
use crate::cluster::watching::Pauses;
use crate::telemetry::Metrics;

/// Watches the state, both configurations and the own namespace.
pub(super) fn spawn(
    writes: &Writes,
    options: &Options,
    changed: &Arc<Notify>,
    tasks: &mut JoinSet<()>,
) {
    let name = options.wish.registration.name.as_str();
    for kind in Kind::ALL {
        let slot = Slot::new(writes.client.clone(), kind, name);
        let watch = watcher::watch_object(slot.api, &slot.name).backoff(Pauses::default());
        tasks.spawn(each(watch, Arc::clone(changed), |_| {}));
    }
    let namespaces: Api<Namespace> = Api::all(writes.client.clone());
    let home = &writes.home.namespace;
    let watch = watcher::watch_object(namespaces, home).backoff(Pauses::default());
    tasks.spawn(each(watch, Arc::clone(changed), |_| {}));
    let maps: Api<ConfigMap> = Api::namespaced(writes.client.clone(), &writes.home.namespace);
    let watch = watcher::watch_object(maps, state::NAME).backoff(Pauses::default());
    let metrics = Arc::clone(&writes.metrics);
    let tell = move |map: Option<ConfigMap>| tell(&metrics, map.as_ref());
    tasks.spawn(each(watch, Arc::clone(changed), tell));
}

async fn each<K>(
    watch: impl Stream<Item = watcher::Result<Option<K>>>,
    changed: Arc<Notify>,
    tell: impl Fn(Option<K>),
) {
    pin_mut!(watch);
    while let Some(event) = watch.next().await {
        match event {
            Ok(object) => tell(object),
            Err(error) => tracing::warn!(%error, "a watch of what is registered starts again"),
        }
        changed.notify_one();
    }
}

/// Every replica shows the same.
fn tell(metrics: &Metrics, map: Option<&ConfigMap>) {
    // Who leads says what is wrong with a state that nobody can read.
    if let Ok(state) = State::parse(map) {
        metrics.registration(state.is_paused(), state.registered.len());
        metrics.excluded(state.excluded_namespaces.iter().map(String::as_str));
        metrics.withheld(state.withheld_by.iter().map(String::as_str));
    }
}
