//! Whether other objects make a wanted one needless, by a live look.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use kube::Client;
use kube::api::{DynamicObject, ListParams};
use portcullis_contract::Unless;
use serde_json::Value;

use super::{Resource, json};
use crate::policy::effect::Wanted;
use crate::policy::effect::unless::holds;

/// How long a resource counts as not served: where somebody installs it, an
/// object of ours may be made besides for so long, and is withdrawn later.
const UNSERVED: Duration = Duration::from_secs(30);
/// Namespaces of which it is remembered what covered them.
const REMEMBERED: usize = 10_000;
/// Objects a page of a list.
const PAGE: u32 = 500;

/// Looks at what may cover namespaces.
pub struct Covering {
    client: Client,
    /// Resources that the API server does not have, and since when.
    unserved: Mutex<HashMap<Resource, Instant>>,
    /// What covered a namespace last, by namespace: of the kind that is wanted
    /// there, which may be read by its name.
    last: Mutex<HashMap<String, String>>,
}

impl Covering {
    /// On the API server of this client.
    pub fn new(client: Client) -> Covering {
        Covering {
            client,
            unserved: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// Whether something makes this needless right now. Each resource is
    /// listed once, all of them at once.
    ///
    /// # Errors
    ///
    /// What the API server says to a list.
    pub async fn is_covered(&self, wanted: &Wanted) -> kube::Result<bool> {
        if self.still_covers(wanted).await {
            return Ok(true);
        }
        let mut by_list: BTreeMap<(Resource, bool), Vec<&Unless>> = BTreeMap::new();
        for unless in &wanted.effect.unless {
            let list = (resource(unless), unless.cluster);
            by_list.entry(list).or_default().push(unless);
        }
        let mut lists: FuturesUnordered<_> = by_list
            .iter()
            .map(|((resource, cluster), unless)| async move {
                let namespace = (!cluster).then_some(wanted.namespace.as_str());
                let objects = self.list(resource, namespace).await?;
                let covers = |object: &&Value| unless.iter().any(|unless| holds(unless, object));
                let found = objects.iter().find(covers);
                if let Some(found) = found
                    && *resource == Resource::of(&wanted.effect)
                {
                    self.remember(wanted, found);
                }
                kube::Result::Ok(found.is_some())
            })
            .collect();
        // One that covers is enough, whatever the others are.
        let mut problem = None;
        while let Some(covers) = lists.next().await {
            match covers {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) => problem = Some(error),
            }
        }
        problem.map_or(Ok(false), Err)
    }

    /// Whether what covered the namespace last does so right now. A consistent
    /// list takes up to 100 ms where nothing of its kind changes (the API server
    /// waits for news of etcd), a read by name one or two.
    async fn still_covers(&self, wanted: &Wanted) -> bool {
        let own = Resource::of(&wanted.effect);
        let name = self.last().get(&wanted.namespace).cloned();
        let Some(name) = name else { return false };
        let api = own.within(&self.client, &wanted.namespace);
        let Ok(Some(found)) = api.get_opt(&name).await else {
            return false;
        };
        let (found, mut unless) = (json(&found), wanted.effect.unless.iter());
        unless.any(|one| !one.cluster && resource(one) == own && holds(one, &found))
    }

    fn remember(&self, wanted: &Wanted, found: &Value) {
        let name = found["metadata"]["name"].as_str().unwrap_or_default();
        let mut last = self.last();
        if last.len() >= REMEMBERED {
            last.clear();
        }
        last.insert(wanted.namespace.clone(), name.to_owned());
    }

    fn last(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All objects of a resource, in one namespace or everywhere; none where
    /// it is not served.
    ///
    /// # Errors
    ///
    /// What the API server says.
    pub async fn list(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
    ) -> kube::Result<Vec<Value>> {
        if self.is_unserved(resource) {
            return Ok(vec![]);
        }
        let api = match namespace {
            Some(namespace) => resource.within(&self.client, namespace),
            None => resource.all(&self.client),
        };
        match pages(&api).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {
                let mut unserved = self.unserved.lock().unwrap_or_else(PoisonError::into_inner);
                unserved.insert(resource.clone(), Instant::now());
                Ok(vec![])
            }
            listed => listed,
        }
    }

    fn is_unserved(&self, resource: &Resource) -> bool {
        let unserved = self.unserved.lock().unwrap_or_else(PoisonError::into_inner);
        let since = unserved.get(resource);
        since.is_some_and(|since| since.elapsed() < UNSERVED)
    }
}

/// The resource that is looked at.
pub fn resource(unless: &Unless) -> Resource {
    Resource {
        api_version: unless.api_version.clone(),
        plural: unless.resource.clone(),
    }
}

async fn pages(api: &kube::Api<DynamicObject>) -> kube::Result<Vec<Value>> {
    let (mut objects, mut from) = (vec![], None);
    loop {
        let mut page = ListParams::default().limit(PAGE);
        page.continue_token = from;
        let list = api.list(&page).await?;
        // Of the objects themselves, lists do not say it.
        let kind = list.types.kind.strip_suffix("List").map(str::to_owned);
        objects.extend(list.items.iter().map(|object| {
            let mut object = json(object);
            object["kind"] = kind.clone().into();
            object
        }));
        from = list.metadata.continue_.filter(|token| !token.is_empty());
        if from.is_none() {
            return Ok(objects);
        }
    }
}
