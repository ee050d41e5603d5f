//! What there is, as the API server tells: each kind is listed once and watched,
//! or listed again and again where Portcullis is only granted that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Event};
use kube::{Client, Resource as _, ResourceExt};
use portcullis_contract::LabelSelector;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::shelf::{Item, Said};
use crate::cluster::effects::Resource;
use crate::cluster::effects::covered::Covering;
use crate::cluster::namespaces::{Metadata, value};
use crate::cluster::told::one_line;
use crate::cluster::watching::Watching;
use crate::policy::kinds::group_version;
use crate::policy::matching::selects_labels;

/// Between two lists of what is not watched; what the cluster does not have is
/// asked for again after this, too.
const AGAIN: Duration = Duration::from_secs(30);
/// What is watched is listed anew after this, so that a watch that hangs
/// delays but loses nothing.
const ANEW: Duration = Duration::from_secs(300);
/// What is told and not yet taken in: a list must not be in memory at once.
const UNHEARD: usize = 128;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The namespaces that are judged and are not being deleted.
    Namespaces,
    /// All objects of a resource.
    Objects(Resource),
}

/// How it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Watched,
    Listed,
}

/// What was told of which.
pub(super) struct Told {
    pub(super) source: Source,
    /// In the error, why nothing is known at the moment.
    pub(super) said: Result<Said, String>,
}

/// All that is looked at.
pub(super) struct Sources {
    client: Client,
    covering: Arc<Covering>,
    judged: LabelSelector,
    teller: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    tasks: JoinSet<()>,
    running: BTreeMap<Source, (How, AbortHandle)>,
}

impl Sources {
    pub(super) fn new(client: Client, covering: Arc<Covering>, judged: LabelSelector) -> Sources {
        let (teller, told) = mpsc::channel(UNHEARD);
        Sources {
            client,
            covering,
            judged,
            teller,
            told,
            tasks: JoinSet::new(),
            running: BTreeMap::new(),
        }
    }

    /// What is told next.
    pub(super) async fn next(&mut self) -> Told {
        match self.told.recv().await {
            Some(told) => told,
            // One sender is ours: it never ends.
            None => std::future::pending().await,
        }
    }

    /// Begins to look, unless it is looked at that way.
    pub(super) fn look(&mut self, source: &Source, how: How) {
        match self.running.get(source) {
            Some((before, _)) if *before == how => return,
            Some((_, task)) => task.abort(),
            None => {}
        }
        let teller = Teller {
            source: source.clone(),
            told: self.teller.clone(),
        };
        let task = match (source, how) {
            (Source::Namespaces, _) => {
                let task = namespaces(self.client.clone(), self.judged.clone(), teller);
                self.tasks.spawn(task)
            }
            (Source::Objects(resource), How::Watched) => {
                let task = watched(self.client.clone(), resource.clone(), teller);
                self.tasks.spawn(task)
            }
            (Source::Objects(resource), How::Listed) => {
                let task = listed(Arc::clone(&self.covering), resource.clone(), teller);
                self.tasks.spawn(task)
            }
        };
        self.running.insert(source.clone(), (how, task));
    }

    /// Looks at nothing else any more.
    pub(super) fn keep(&mut self, is_needed: impl Fn(&Source) -> bool) {
        self.running.retain(|source, (_, task)| {
            let is_needed = is_needed(source);
            if !is_needed {
                task.abort();
            }
            is_needed
        });
        // What was told before is of tasks that are gone.
        while self.running.is_empty() && self.told.try_recv().is_ok() {}
    }

    /// Whether it is looked at.
    pub(super) fn has(&self, source: &Source) -> bool {
        self.running.contains_key(source)
    }
}

/// Tells of one source.
struct Teller {
    source: Source,
    told: mpsc::Sender<Told>,
}

impl Teller {
    async fn say(&self, said: Result<Said, String>) {
        let source = self.source.clone();
        // Nobody hears it any more where this replica does not lead.
        let _ = self.told.send(Told { source, said }).await;
    }

    async fn list(&self, items: impl IntoIterator<Item = Item>) {
        self.say(Ok(Said::Begin)).await;
        for item in items {
            self.say(Ok(Said::Listed(item))).await;
        }
        self.say(Ok(Said::Complete)).await;
    }
}

async fn namespaces(client: Client, judged: LabelSelector, teller: Teller) {
    let item = |namespace: &Metadata| Item {
        namespace: namespace.name_any(),
        name: String::new(),
        text: value(namespace).to_string().into(),
    };
    let is_looked_after = |namespace: &Metadata| {
        let is_going = namespace.meta().deletion_timestamp.is_some();
        !is_going && selects_labels(&judged, namespace.labels())
    };
    let gone = |namespace: &Metadata| Said::Gone(namespace.name_any(), String::new());
    loop {
        let watching = Watching::<Metadata>::new(Api::all(client.clone()));
        let said = |event| match event {
            Event::Init => Some(Said::Begin),
            Event::InitApply(one) => is_looked_after(&one).then(|| Said::Listed(item(&one))),
            Event::InitDone => Some(Said::Complete),
            Event::Apply(one) if is_looked_after(&one) => Some(Said::Put(item(&one))),
            Event::Apply(one) | Event::Delete(one) => Some(gone(&one)),
        };
        follow(watching, &teller, said).await;
    }
}

async fn watched(client: Client, resource: Resource, teller: Teller) {
    let mut kind = None;
    loop {
        if kind.is_none() {
            kind = match kind_of(&client, &resource).await {
                Ok(kind) => kind,
                Err(error) => {
                    teller.say(Err(one_line(&error))).await;
                    tokio::time::sleep(AGAIN / 6).await;
                    continue;
                }
            };
        }
        let Some(kind) = &kind else {
            // The cluster does not have it.
            teller.list([]).await;
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let api = resource.api_resource();
        let watching = Watching::of_many(client.clone(), api, false);
        let said = |event| {
            Some(match event {
                Event::Init => Said::Begin,
                Event::InitApply(one) => Said::Listed(item(one, kind)),
                Event::InitDone => Said::Complete,
                Event::Apply(one) => Said::Put(item(one, kind)),
                Event::Delete(one) => {
                    Said::Gone(one.namespace().unwrap_or_default(), one.name_any())
                }
            })
        };
        follow(watching, &teller, said).await;
    }
}

/// Passes on what a watch says, until it is time for a new list.
async fn follow<K>(
    mut watching: Watching<K>,
    teller: &Teller,
    said: impl Fn(Event<K>) -> Option<Said>,
) where
    K: kube::Resource + Clone + serde::de::DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let (end, mut is_complete) = (Instant::now() + ANEW, false);
    // A list that is under way is not given up.
    while !is_complete || Instant::now() < end {
        let next = watching.next();
        let event = match is_complete {
            true => match tokio::time::timeout_at(end, next).await {
                Ok(event) => event,
                Err(_) => return,
            },
            false => next.await,
        };
        match event {
            Ok(event) => {
                is_complete = !matches!(event, Event::Init | Event::InitApply(_));
                if let Some(said) = said(event) {
                    teller.say(Ok(said)).await;
                }
            }
            Err(error) => teller.say(Err(problem(&error))).await,
        }
    }
}

fn problem(error: &watcher::Error) -> String {
    one_line(error)
}

async fn listed(covering: Arc<Covering>, resource: Resource, teller: Teller) {
    loop {
        match covering.list(&resource, None).await {
            Ok(objects) => teller.list(objects.into_iter().map(of_value)).await,
            Err(error) => teller.say(Err(one_line(&error))).await,
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn item(mut object: DynamicObject, kind: &str) -> Item {
    // What managers own is nothing to anybody here, and half of an object.
    object.metadata.managed_fields = None;
    let mut value = super::super::json(&object);
    value["kind"] = kind.into();
    of_value(value)
}

fn of_value(mut object: Value) -> Item {
    let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(metadata) = metadata {
        metadata.remove("managedFields");
    }
    let text = |name: &str| {
        let text = object["metadata"][name].as_str();
        text.unwrap_or_default().to_owned()
    };
    Item {
        namespace: text("namespace"),
        name: text("name"),
        text: object.to_string().into(),
    }
}

/// The kind that a resource is of; None where the cluster does not have it.
async fn kind_of(client: &Client, resource: &Resource) -> kube::Result<Option<String>> {
    let (group, _) = group_version(&resource.api_version);
    let listed = match group {
        "" => client.list_core_api_resources(&resource.api_version).await,
        _ => client.list_api_group_resources(&resource.api_version).await,
    };
    let list: APIResourceList = match listed {
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        listed => listed?,
    };
    let mut there = list.resources.into_iter();
    let found = there.find(|one| one.name == resource.plural);
    Ok(found.map(|found| found.kind))
}
