//! The PolicyExemptions of the cluster: watched where requests are judged,
//! listed where an audit comes from outside.
//!
//! What is known stays in force while the API server is away; each ends at its
//! own time all the same.

pub mod status;
pub mod vetting;
pub mod writing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::crd;
use super::link::Link;
use super::watching::{self, Objects};
use crate::policy::exemption::book::{Book, Exemptions, Unreadable};
use crate::policy::exemption::{Exemption, KIND};
use crate::telemetry::Metrics;

/// The resource, in its plural form.
pub const PLURAL: &str = "policyexemptions";

/// How the API server calls PolicyExemptions.
pub fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk(crd::GROUP, crd::VERSION, KIND);
    ApiResource::from_gvk_with_plural(&kind, PLURAL)
}

/// The exemption that an object describes.
///
/// # Errors
///
/// What the definition lets through and the parser refuses all the same.
pub fn read(object: &DynamicObject) -> Result<Exemption, Box<Unreadable>> {
    let metadata = json!({"name": object.name_any(), "namespace": object.namespace(),
        "uid": object.uid()});
    let document = json!({"metadata": metadata, "spec": object.data["spec"]});
    Exemption::parse(&document).map_err(|error| {
        Box::new(Unreadable {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
            uid: object.uid(),
            error,
            origin: None,
        })
    })
}

/// What these objects forgive.
pub fn book<'o>(objects: impl IntoIterator<Item = &'o DynamicObject>) -> Book {
    let (mut exemptions, mut unreadable) = (vec![], vec![]);
    for object in objects {
        match read(object) {
            Ok(exemption) => exemptions.push(exemption),
            Err(broken) => unreadable.push(*broken),
        }
    }
    let mut book = Book::new(exemptions, Timestamp::now);
    book.unreadable = unreadable;
    book
}

/// Those of the cluster, or of some namespaces; none where it does not know
/// the kind.
///
/// # Errors
///
/// What the API server says: they may not be listed.
pub async fn list(client: &Client, namespaces: &[String]) -> kube::Result<Vec<DynamicObject>> {
    let all = Api::all_with(client.clone(), &resource());
    let some = namespaces
        .iter()
        .map(|name| Api::namespaced_with(client.clone(), name, &resource()));
    let apis: Vec<Api<DynamicObject>> = match namespaces {
        [] => vec![all],
        _ => some.collect(),
    };
    let mut objects = vec![];
    for api in apis {
        match api.list(&ListParams::default()).await {
            Ok(list) => objects.extend(list.items),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            // Rights are looked at before kinds are.
            Err(kube::Error::Api(status)) if status.code == 403 && !is_defined(client).await => {}
            Err(error) => return Err(error),
        }
    }
    Ok(objects)
}

async fn is_defined(client: &Client) -> bool {
    let version = format!("{}/{}", crd::GROUP, crd::VERSION);
    match client.list_api_group_resources(&version).await {
        Ok(list) => list.resources.iter().any(|one| one.name == PLURAL),
        Err(kube::Error::Api(status)) => status.code != 404,
        Err(_) => true,
    }
}

/// Keeps the exemptions of the cluster in force.
pub struct Watch {
    client: Client,
    exemptions: Arc<Exemptions>,
    /// The kind is not defined, or may not be watched.
    is_refused: AtomicBool,
    /// How the watch is doing.
    pub link: Link,
}

impl Watch {
    /// None known yet: see [`Watch::run`], which keeps `exemptions`.
    pub fn new(client: Client, exemptions: Arc<Exemptions>, metrics: Arc<Metrics>) -> Watch {
        Watch {
            client,
            exemptions,
            is_refused: AtomicBool::new(false),
            link: Link::new(PLURAL, metrics),
        }
    }

    /// Watches, for as long as the process runs.
    pub async fn run(self: Arc<Self>) {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource());
        let failed = |error: &watcher::Error| {
            self.is_refused
                .fetch_or(is_refusal(error), Ordering::Relaxed);
        };
        watching::keep(api, &self.link, |objects| self.learn(objects), failed).await;
    }

    fn learn(&self, objects: &Objects<DynamicObject>) {
        let book = book(objects.values());
        for broken in &book.unreadable {
            let (namespace, exemption) = (&broken.namespace, &broken.name);
            let problem = broken.error.to_string();
            tracing::warn!(namespace, exemption, problem, "an exemption cannot be read");
        }
        if self.exemptions.store(book) {
            tracing::info!(exemptions = objects.len(), "the exemptions have changed");
        }
    }

    /// Whether requests may be judged. Before the first list nothing would be
    /// forgiven; but where the kind is not there (an upgrade that has not come
    /// to it), nothing ever is, and that must not stop the rest.
    pub fn is_ready(&self) -> bool {
        self.link.was_up() || self.is_refused.load(Ordering::Relaxed)
    }
}

/// Whether the API server has said that there is nothing to be seen.
fn is_refusal(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) =
        error
    else {
        return false;
    };
    matches!(error, kube::Error::Api(status) if [403, 404].contains(&status.code))
}
