//! Writers that go on and on, and count what failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use kube::Api;
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use portcullis_cluster::{Cluster, Namespace, User};

use crate::policies::{client_of, eventually};
use crate::support::deployment;

/// Requests at once.
pub(crate) const WRITERS: usize = 4;

/// Writers that go on until they are asked what came of it.
pub(crate) struct Load {
    is_over: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
    thread: JoinHandle<Vec<Failure>>,
}

/// A write that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) why: String,
}

impl Load {
    /// Writes to this namespace, as its developer.
    pub(crate) fn start(cluster: &Cluster, namespace: &Namespace<'_>) -> Load {
        let (is_over, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let name = namespace.name().to_owned();
        let config = cluster.kubeconfig(User::Dev);
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let client = client_of(&config).await;
                let writers = (0..WRITERS).map(|_| write(client.clone(), &name, &over, &count));
                futures_util::future::join_all(writers).await.concat()
            })
        });
        Load {
            is_over,
            done,
            thread,
        }
    }

    /// Waits until this many more have been written.
    pub(crate) fn more(&self, number: u32) {
        let until = self.done.load(Ordering::SeqCst) + number;
        let done = || self.done.load(Ordering::SeqCst);
        eventually("writes go on", done, |done| *done >= until);
    }

    /// How many were written, and the failures.
    pub(crate) fn end(self) -> (u32, Vec<Failure>) {
        self.is_over.store(true, Ordering::SeqCst);
        let failed = self.thread.join().expect("writers end");
        (self.done.load(Ordering::SeqCst), failed)
    }
}

/// Creates what is allowed, without storing it: the failures.
async fn write(
    client: kube::Client,
    namespace: &str,
    is_over: &AtomicBool,
    done: &AtomicU32,
) -> Vec<Failure> {
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &kind);
    let object: DynamicObject =
        serde_json::from_str(&deployment("web", "nginx:1.25.3")).expect("an object");
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let mut failed = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let began = Instant::now();
        if let Err(error) = api.create(&dry_run, &object).await {
            let (ended, why) = (Instant::now(), error.to_string());
            failed.push(Failure { began, ended, why });
        }
        done.fetch_add(1, Ordering::SeqCst);
    }
    failed
}
