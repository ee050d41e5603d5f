//! Watches that only say that something changed: a pass reads what.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use futures_util::{StreamExt, pin_mut};
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::cluster::effects::Resource;
use crate::cluster::namespaces::Metadata;
use crate::cluster::watching::Pauses;

/// Watches by what they look at.
pub(super) struct Watches {
    client: Client,
    changed: Arc<Notify>,
    tasks: JoinSet<()>,
    running: BTreeMap<String, AbortHandle>,
}

impl Watches {
    pub(super) fn new(client: Client, changed: Arc<Notify>) -> Watches {
        Watches {
            client,
            changed,
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
        }
    }

    /// Looks at nothing any more, but for policies.
    pub(super) fn stop(&mut self) {
        self.running.retain(|name, task| {
            let is_kept = name == "policies";
            if !is_kept {
                task.abort();
            }
            is_kept
        });
    }

    /// Hears of other policies.
    pub(super) fn policies(&mut self, policies: Option<&watch::Receiver<u64>>) {
        let Some(policies) = policies.cloned() else {
            return;
        };
        let changed = Arc::clone(&self.changed);
        self.start("policies", follow(policies, changed));
    }

    pub(super) fn namespaces(&mut self) {
        let api: Api<Metadata> = Api::all(self.client.clone());
        let changed = Arc::clone(&self.changed);
        self.start("namespaces", each(api, changed));
    }

    pub(super) fn resource(&mut self, resource: &Resource) {
        let name = format!("{}/{}", resource.api_version, resource.plural);
        let changed = Arc::clone(&self.changed);
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::all_with(self.client.clone(), &resource.api_resource());
        let watch = each(api, changed);
        self.start(&name, watch);
    }

    fn start(&mut self, name: &str, task: impl Future<Output = ()> + Send + 'static) {
        if !self.running.contains_key(name) {
            let handle = self.tasks.spawn(task);
            self.running.insert(name.to_owned(), handle);
        }
    }
}

async fn follow(mut policies: watch::Receiver<u64>, changed: Arc<Notify>) {
    while policies.changed().await.is_ok() {
        changed.notify_one();
    }
}

async fn each<K>(api: Api<K>, changed: Arc<Notify>)
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let watch = watcher(api, watcher::Config::default()).backoff(Pauses::default());
    pin_mut!(watch);
    while let Some(event) = watch.next().await {
        match event {
            Ok(_) => changed.notify_one(),
            Err(error) => tracing::debug!(%error, "a watch for what policies want starts again"),
        }
    }
}
