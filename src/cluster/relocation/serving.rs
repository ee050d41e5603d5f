//! What pods read is brought to what was committed, in every enrolled
//! namespace; what nobody refers to is cleared away.
//!
//! Every replica does all of it: each write names the version that it rests on,
//! so that none undoes another's, and none has to wait for a Lease while pods
//! wait for a value.

mod cleaning;
mod clock;
mod namespace;
mod promoting;
mod readers;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use portcullis_contract::LabelSelector;
use tokio::task::AbortHandle;

use super::keys::Keys;
use super::{LABEL, MOVE};
use crate::cluster::told::one_line;
use crate::cluster::watching::{Known, Objects, Watching};
use crate::policy::matching::selects_labels;
use crate::telemetry::relocation::Relocations;

/// What all namespaces share.
pub struct Serving {
    client: Client,
    keys: Keys,
    judged: LabelSelector,
    metrics: Arc<Relocations>,
}

impl Serving {
    /// For the installation in this namespace, and for those enrolled
    /// namespaces that `judged` selects.
    pub fn new(
        client: Client,
        namespace: &str,
        judged: LabelSelector,
        metrics: Arc<Relocations>,
    ) -> Serving {
        Serving {
            judged,
            metrics,
            keys: Keys::new(client.clone(), namespace),
            client,
        }
    }
}

/// Looks after all enrolled namespaces until a signal ends the process.
pub async fn run(serving: Serving) {
    tokio::select! {
        () = look_after(Arc::new(serving)) => {}
        () = ended() => tracing::info!("ended by a signal: what is served stays"),
    }
}

async fn ended() {
    use tokio::signal::unix::{SignalKind, signal};
    // Without a handler the signal ends the process all the same.
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

type Metadata = PartialObjectMeta<Namespace>;

async fn look_after(serving: Arc<Serving>) {
    let api: Api<Metadata> = Api::all(serving.client.clone());
    let (mut watching, mut known) = (Watching::new(api), Known::<Metadata>::default());
    let mut running = BTreeMap::<String, AbortHandle>::new();
    loop {
        match watching.next().await {
            Ok(event) => {
                if known.take(event)
                    && let Some(objects) = known.objects()
                {
                    follow(&serving, objects, &mut running);
                    serving.metrics.watching();
                }
            }
            Err(error) => {
                let problem = one_line(&error);
                tracing::warn!(problem, "namespaces are not watched; it is tried again");
            }
        }
    }
}

/// Starts on namespaces that are enrolled, and leaves those that are not.
fn follow(
    serving: &Arc<Serving>,
    objects: &Objects<Metadata>,
    running: &mut BTreeMap<String, AbortHandle>,
) {
    let is_enrolled = |object: &Metadata| {
        object
            .labels()
            .get(LABEL)
            .is_some_and(|value| value == MOVE)
            && selects_labels(&serving.judged, object.labels())
            && object.metadata.deletion_timestamp.is_none()
    };
    running.retain(|name, task| {
        let stays = objects.get(name).is_some_and(is_enrolled);
        if !stays {
            tracing::info!(namespace = name, "is not enrolled any more");
            task.abort();
            serving.metrics.forget(name);
        }
        stays
    });
    for name in objects
        .iter()
        .filter(|(_, object)| is_enrolled(object))
        .map(|(name, _)| name)
    {
        if !running.contains_key(name) {
            tracing::info!(namespace = name, "secrets are moved out of its ConfigMaps");
            let task = namespace::look_after(Arc::clone(serving), name.clone());
            running.insert(name.clone(), tokio::spawn(task).abort_handle());
        }
    }
}
