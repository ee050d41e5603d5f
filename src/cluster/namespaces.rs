//! Namespaces and their labels.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::link::Link;
use super::watching::{self, Objects};
use crate::telemetry::Metrics;

/// How long an answer to a single question holds: many requests come at once
/// from a namespace that is new.
const HOLDS: Duration = Duration::from_secs(1);
/// Answers that are held at most.
const MOST: usize = 1_024;

/// A Namespace without its spec.
pub type Metadata = PartialObjectMeta<Namespace>;
type Lookup = Option<Arc<Value>>;

/// All namespaces, watched.
pub struct Namespaces {
    client: Client,
    known: RwLock<HashMap<String, Arc<Value>>>,
    /// What the API server was asked for, and when.
    asked: Mutex<HashMap<String, (Instant, Lookup)>>,
    /// How the watch is doing.
    pub link: Link,
}

impl Namespaces {
    /// None known yet: see [`Namespaces::run`].
    pub fn new(client: Client, metrics: Arc<Metrics>) -> Namespaces {
        Namespaces {
            client,
            known: RwLock::default(),
            asked: Mutex::default(),
            link: Link::new("namespaces", metrics),
        }
    }

    /// Watches, for as long as the process runs.
    pub async fn run(self: Arc<Self>) {
        let api: Api<Metadata> = Api::all(self.client.clone());
        watching::keep(api, &self.link, |objects| self.learn(objects), |_| {}).await;
    }

    fn learn(&self, objects: &Objects<Metadata>) {
        let mut values = self.known.write().unwrap_or_else(PoisonError::into_inner);
        values.retain(|name, _| objects.contains_key(name));
        for (name, object) in objects {
            let value = value(object);
            if values.get(name).is_none_or(|before| **before != value) {
                values.insert(name.clone(), Arc::new(value));
            }
        }
    }

    /// The Namespace of this name, as far as its metadata goes. Where the
    /// watch does not know it, or is interrupted, the API server is asked
    /// once, until `until`. None if it did not tell.
    pub async fn get(&self, name: &str, until: Instant) -> Lookup {
        if let Some(known) = self.fresh(name) {
            return Some(known);
        }
        if let Some(answer) = self.held(name) {
            return answer;
        }
        let api: Api<Metadata> = Api::all(self.client.clone());
        let answer = tokio::time::timeout_at(until.into(), api.get_opt(name)).await;
        let problem = match answer {
            Ok(Ok(Some(object))) => return self.hold(name, Some(Arc::new(value(&object)))),
            Ok(Ok(None)) => "there is no such namespace".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the API server took too long".to_owned(),
        };
        tracing::warn!(namespace = name, problem, "a namespace could not be read");
        self.hold(name, None)
    }

    fn fresh(&self, name: &str) -> Lookup {
        if !self.link.is_up() {
            return None;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    /// The answer of a moment ago, if there was one.
    fn held(&self, name: &str) -> Option<Lookup> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = asked.get(name)?;
        (at.elapsed() < HOLDS).then(|| answer.clone())
    }

    fn hold(&self, name: &str, answer: Lookup) -> Lookup {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= MOST {
            asked.clear();
        }
        asked.insert(name.to_owned(), (Instant::now(), answer.clone()));
        answer
    }
}

/// What policies and selectors see of a Namespace.
pub fn value(object: &Metadata) -> Value {
    let name = object.name_any();
    let mut labels = members(object.labels());
    labels.insert("kubernetes.io/metadata.name".into(), name.clone().into());
    let annotations = members(object.annotations());
    let metadata = json!({"name": name, "labels": labels, "annotations": annotations});
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
}

fn members(of: &std::collections::BTreeMap<String, String>) -> Map<String, Value> {
    of.iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect()
}
