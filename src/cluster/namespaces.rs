//! Namespaces and their labels.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::{Api, Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::link::Link;
use super::told::one_line;
use super::watching::Watching;
use crate::telemetry::Metrics;

/// How long an answer to a single question holds: many requests come at once
/// from a namespace that is new.
const HOLDS: Duration = Duration::from_secs(1);
/// Answers that are held at most.
const MOST: usize = 1_024;

/// A Namespace without its spec.
pub type Metadata = PartialObjectMeta<Namespace>;
type Lookup = Option<Arc<Value>>;
/// As policies see them, by name.
type Known = HashMap<String, Arc<Value>>;

/// All namespaces, watched.
pub struct Namespaces {
    client: Client,
    known: RwLock<Known>,
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

    /// Watches, for as long as the process runs. A change costs the same
    /// however many namespaces there are.
    pub async fn run(self: Arc<Self>) {
        let api: Api<Metadata> = Api::all(self.client.clone());
        let (mut watching, mut listed) = (Watching::new(api), Known::new());
        loop {
            match watching.next().await {
                Ok(event) => {
                    if self.learn(event, &mut listed) {
                        self.link.up();
                    }
                }
                Err(error) => self.link.down(one_line(&error)),
            }
        }
    }

    /// Takes an event; `listed` is of a list that is not complete yet. Whether
    /// what is known now is what there is. One that is being deleted is not
    /// known, so that it is asked for: another may follow under its name.
    fn learn(&self, event: Event<Metadata>, listed: &mut Known) -> bool {
        let entry = |object: &Metadata| (object.name_any(), Arc::new(value(object)));
        let known = || self.known.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => {
                listed.clear();
                return false;
            }
            Event::InitApply(object) => {
                if !is_going(&object) {
                    listed.extend([entry(&object)]);
                }
                return false;
            }
            Event::InitDone => *known() = std::mem::take(listed),
            Event::Apply(object) if !is_going(&object) => known().extend([entry(&object)]),
            Event::Apply(object) | Event::Delete(object) => {
                known().remove(&object.name_any());
            }
        }
        true
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
        self.ask(name, until).await
    }

    /// The Namespace of this name as the API server has it now, at the latest
    /// at `until`. None if it did not tell.
    pub async fn ask(&self, name: &str, until: Instant) -> Lookup {
        let api: Api<Metadata> = Api::all(self.client.clone());
        let answer = tokio::time::timeout_at(until.into(), api.get_opt(name)).await;
        let problem = match answer {
            Ok(Ok(Some(object))) => {
                let answer = Some(Arc::new(value(&object)));
                return match is_going(&object) {
                    true => answer,
                    false => self.hold(name, answer),
                };
            }
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

fn is_going(object: &Metadata) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// What policies and selectors see of a Namespace; of one that is being
/// deleted, since when.
pub fn value(object: &Metadata) -> Value {
    let name = object.name_any();
    let mut labels = members(object.labels());
    labels.insert("kubernetes.io/metadata.name".into(), name.clone().into());
    let annotations = members(object.annotations());
    let mut metadata = json!({"name": name, "labels": labels, "annotations": annotations});
    if let Some(since) = &object.metadata.deletion_timestamp {
        metadata["deletionTimestamp"] = json!(since);
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
}

fn members(of: &std::collections::BTreeMap<String, String>) -> Map<String, Value> {
    of.iter()
        .map(|(key, value)| (key.clone(), value.clone().into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(metadata: Value) -> Value {
        value(&serde_json::from_value(json!({"metadata": metadata})).unwrap())
    }

    #[test]
    fn only_of_what_is_going_it_is_told_since_when() {
        let (name, since) = ("shop", "2026-11-22T10:00:00Z");
        let stays = seen(json!({"name": name}));
        assert!(stays["metadata"].get("deletionTimestamp").is_none());
        let mut going = seen(json!({"name": name, "deletionTimestamp": since}));
        assert_eq!(going["metadata"]["deletionTimestamp"], since);
        going["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("deletionTimestamp");
        assert_eq!(going, stays, "nothing else differs");
    }
}
