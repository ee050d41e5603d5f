//! What the world is at one moment.

use std::collections::{BTreeMap, BTreeSet};

use portcullis_relocation::names::{Half, is_staged, serving};
use portcullis_relocation::{Field, Held, Manifest};
use serde_json::Value;

use crate::client::Client;
use crate::reconciler::{Collector, Pod, Promoter};
use crate::shared::Shared;

/// The ConfigMap.
pub(crate) const NAME: &str = "app";
/// Its namespace.
pub(crate) const NAMESPACE: &str = "shop";
/// Who writes the ConfigMap: the worst, all of them are one.
pub(crate) const USER: &str = "dev";
/// Its secret key.
pub(crate) const KEY: &str = "password";
/// A Secret of somebody else.
pub(crate) const FOREIGN: &str = "db-credentials";

/// All there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) config_map: Option<Shared<Value>>,
    /// As a cache would still have it; only where reads may be stale.
    pub(crate) cached: Option<Shared<Value>>,
    pub(crate) secrets: BTreeMap<String, Stored>,
    /// What `Relocation` says in its status.
    pub(crate) published: Option<Shared<(String, BTreeSet<Field>)>>,
    pub(crate) clock: u32,
    /// How often the ConfigMap was written.
    pub(crate) versions: u32,
    /// How often the serving Secret was.
    pub(crate) secret_versions: u32,
    pub(crate) hours: u8,
    pub(crate) clients: Vec<Client>,
    pub(crate) promoters: Vec<Promoter>,
    pub(crate) collector: Collector,
    pub(crate) pod: Pod,
    /// What the clients' writes meant the key to be, one after another.
    pub(crate) history: Vec<Option<u8>>,
    /// What was seen to go wrong in a step.
    pub(crate) broken: Option<&'static str>,
}

/// A Secret in storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stored {
    pub(crate) held: Shared<Held>,
    pub(crate) created: u32,
}

/// A step of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A client goes on: reads, or sends its write, which admission is asked about.
    Ask(usize),
    /// The API server stores a write, or finds a conflict.
    Commit(usize),
    /// The write is refused after admission (quota, another webhook), or a replica
    /// dies after it has written the Secret and before it answers.
    Fail(usize),
    /// Where Secrets are written after the answer: now.
    WriteLate(usize),
    /// An hour passes. No request is under way that long.
    Hour,
    /// A promoter's next step.
    Promote(usize),
    /// A promoter dies, and begins anew.
    Die(usize),
    /// The collector's next step.
    Collect,
    /// Kubernetes' garbage collector looks at owners.
    Garbage,
    /// The pod is admitted, then started.
    Pod,
}

impl State {
    pub(crate) fn new(clients: usize, promoters: usize, hours: u8) -> Self {
        let mut state = Self {
            config_map: None,
            cached: None,
            secrets: BTreeMap::new(),
            published: None,
            clock: 1_000_000,
            versions: 0,
            secret_versions: 0,
            hours,
            clients: vec![Client::default(); clients],
            promoters: vec![Promoter::default(); promoters],
            collector: Collector::default(),
            pod: Pod::default(),
            history: vec![None],
            broken: None,
        };
        state.secrets.insert(FOREIGN.to_owned(), foreign());
        state
    }

    /// The ConfigMap's next resourceVersion, which serves as uid too.
    pub(crate) fn next_version(&mut self) -> String {
        self.versions += 1;
        self.versions.to_string()
    }

    /// Writes a Secret, whatever was there. What counts versions counts them by
    /// object, so that the order of independent writes leaves no trace.
    pub(crate) fn put(&mut self, manifest: &Manifest) {
        let name = manifest.metadata.name.clone();
        let version = match is_staged(&name) {
            true => name.clone(),
            false => {
                self.secret_versions += 1;
                self.secret_versions.to_string()
            }
        };
        let before = self.secrets.get(&name);
        let uid = before.map_or(version.clone(), |stored| stored.held.uid.clone());
        let created = before.map_or(self.clock, |stored| stored.created);
        let held = read(manifest, &uid, &version).into();
        self.secrets.insert(name, Stored { held, created });
    }

    pub(crate) fn serving(&self) -> Option<&Shared<Held>> {
        let name = serving(NAME, Half::Text);
        self.secrets.get(&name).map(|stored| &stored.held)
    }

    pub(crate) fn uid(&self) -> Option<&str> {
        self.config_map.as_ref()?["metadata"]["uid"].as_str()
    }

    /// What the key is meant to be.
    pub(crate) fn meant(&self) -> Option<u8> {
        self.history.last().copied().flatten()
    }
}

/// The text of a value.
pub(crate) fn value(number: u8) -> String {
    format!("value-{number}-of-the-key")
}

/// The Secret of somebody else.
pub(crate) fn foreign() -> Stored {
    let data = BTreeMap::from([(
        KEY.to_owned(),
        portcullis_relocation::Sensitive::new("theirs"),
    )]);
    Stored {
        held: Held {
            name: FOREIGN.to_owned(),
            uid: "0".to_owned(),
            resource_version: "0".to_owned(),
            ours: false,
            owner: None,
            made_from: None,
            state: None,
            data,
        }
        .into(),
        created: 0,
    }
}

fn read(manifest: &Manifest, uid: &str, version: &str) -> Held {
    let mut object = serde_json::json!(manifest);
    object["metadata"]["uid"] = uid.into();
    object["metadata"]["resourceVersion"] = version.into();
    Held::read(&object).expect("what is written can be read")
}
