//! Two clients that write the same ConfigMaps at the same time, in every way
//! that a value can come, stay, change and go by.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use portcullis_relocation::names::{Half, serving};
use serde_json::{Value, json};

use super::journal::{BINARY, Change, Journal, Outcome, Started, Values, WRITE};
use crate::support::Chance;

/// Keys whose values are secret, one of them of `binaryData`, and one whose
/// value is not.
const SECRET: [&str; 4] = ["PASSWORD", "DB_PASSWORD", "API_TOKEN", "binary/dump"];
const PLAIN: &str = "LOG_LEVEL";
/// What values are made of, and of how many: all but those of the two words of four
/// letters that stand for a value and that chance writes once in a million (`Todo`,
/// `Xxxx` between digits).
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWYZabcdefghijkmnpqrstuvwyz23456789";
const LENGTH: usize = 16;
/// What `kubectl apply` leaves behind.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(4);

/// What all clients share.
pub(super) struct Scene {
    pub(super) namespace: String,
    /// What is in each value, and in each of a dry run.
    pub(super) marks: [String; 2],
    pub(super) journal: Mutex<Journal>,
    pub(super) ends: AtomicBool,
}

impl Scene {
    pub(super) fn new(namespace: String, marks: [String; 2]) -> Scene {
        Scene {
            namespace,
            marks,
            journal: Mutex::default(),
            ends: AtomicBool::new(false),
        }
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client.
pub(super) struct Writer {
    scene: Arc<Scene>,
    maps: Api<ConfigMap>,
    pods: Api<Pod>,
    chance: Chance,
}

impl Writer {
    pub(super) fn new(client: &Client, scene: &Arc<Scene>, seed: u64) -> Writer {
        Writer {
            scene: Arc::clone(scene),
            maps: Api::namespaced(client.clone(), &scene.namespace),
            pods: Api::namespaced(client.clone(), &scene.namespace),
            chance: Chance::new(seed),
        }
    }

    /// Writes one of these after the other until it is told to end.
    pub(super) async fn run(&mut self, maps: &[String]) {
        while !self.scene.ends.load(Ordering::SeqCst) {
            let map = &maps[self.chance.below(maps.len())];
            self.act(map).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn act(&mut self, name: &str) {
        let found = match self.maps.get_opt(name).await {
            Ok(found) => found,
            Err(error) => panic!("the API server is there: {error}"),
        };
        let Some(found) = found else {
            match self.chance.below(8) {
                0 => self.create_dry(name).await,
                _ => self.create(name).await,
            }
            return;
        };
        match self.chance.below(16) {
            0..=3 => self.rotate(name).await,
            4..=5 => self.rotate_by_replacing(name, found).await,
            6 => self.apply_again(name, found).await,
            7 => self.remove(name).await,
            8 => self.edit(name, found).await,
            9 => self.rotate_dry(name).await,
            10 => self.delete(name, &found).await,
            _ => self.start(name, &found).await,
        }
    }

    fn value(&mut self, key: &str) -> String {
        let value = self.marked(0);
        match key.starts_with(BINARY) {
            true => format!("password: {value}\n"),
            false => value,
        }
    }

    /// With one of the marks. Detection is sure of letters; of a token that is
    /// nearly a number it is not, and lets it be.
    fn marked(&mut self, mark: usize) -> String {
        let letter = |_| LETTERS[self.chance.below(LETTERS.len())];
        let letters: Vec<u8> = (0..LENGTH).map(letter).collect();
        format!("{}{}", self.scene.marks[mark], letters.escape_ascii())
    }

    fn plain(&mut self) -> String {
        format!("level-{}", self.chance.below(1_000))
    }

    fn key(&mut self) -> String {
        SECRET[self.chance.below(SECRET.len())].to_owned()
    }

    fn fresh(&mut self) -> Values {
        let mut values = Values::from([(PLAIN.to_owned(), self.plain())]);
        for _ in 0..=self.chance.below(2) {
            let key = self.key();
            let value = self.value(&key);
            values.insert(key, value);
        }
        values
    }

    async fn create(&mut self, name: &str) {
        let values = self.fresh();
        let number = self
            .scene
            .journal()
            .asked(name, Change::Whole(values.clone()));
        let has_copy = self.chance.below(2) == 0;
        let object = object(name, number, &values, has_copy);
        let done = self.maps.create(&PostParams::default(), &object).await;
        self.told(number, &done);
    }

    async fn create_dry(&mut self, name: &str) {
        let mut values = self.fresh();
        values.insert(SECRET[0].to_owned(), self.marked(1));
        values.retain(|key, _| key == SECRET[0] || key == PLAIN);
        let object = object(name, usize::MAX, &values, true);
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        drop(self.maps.create(&dry, &object).await);
        self.scene.journal().dry_runs += 1;
    }

    async fn rotate_dry(&mut self, name: &str) {
        let patch = json!({"data": {SECRET[0]: self.marked(1)}});
        let dry = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        drop(self.maps.patch(name, &dry, &Patch::Merge(patch)).await);
        self.scene.journal().dry_runs += 1;
    }

    /// Whatever the others are doing, these keys change.
    async fn patch(&mut self, name: &str, parts: BTreeMap<String, Option<String>>) {
        let number = self
            .scene
            .journal()
            .asked(name, Change::Part(parts.clone()));
        let mut patch = halves(&parts);
        patch["data"][WRITE] = json!(number.to_string());
        let patch = Patch::Merge(patch);
        let done = self.maps.patch(name, &PatchParams::default(), &patch).await;
        self.told(number, &done);
    }

    async fn rotate(&mut self, name: &str) {
        let key = self.key();
        let value = self.value(&key);
        let mut parts = BTreeMap::from([(key, Some(value))]);
        if self.chance.below(3) == 0 {
            parts.insert(PLAIN.to_owned(), Some(self.plain()));
        }
        self.patch(name, parts).await;
    }

    async fn remove(&mut self, name: &str) {
        let key = self.key();
        self.patch(name, BTreeMap::from([(key, None)])).await;
    }

    /// With what was read, placeholders included.
    async fn replace(&mut self, name: &str, mut found: ConfigMap, change: Change) {
        let number = self.scene.journal().asked(name, change);
        let data = found.data.get_or_insert_default();
        data.insert(WRITE.to_owned(), number.to_string());
        let done = self
            .maps
            .replace(name, &PostParams::default(), &found)
            .await;
        self.told(number, &done);
    }

    async fn rotate_by_replacing(&mut self, name: &str, mut found: ConfigMap) {
        let key = self.key();
        let value = self.value(&key);
        match key.strip_prefix(BINARY) {
            Some(key) => {
                let data = found.binary_data.get_or_insert_default();
                data.insert(key.to_owned(), ByteString(value.clone().into_bytes()));
            }
            None => {
                let data = found.data.get_or_insert_default();
                data.insert(key.clone(), value.clone());
            }
        }
        let change = Change::Part(BTreeMap::from([(key, Some(value))]));
        self.replace(name, found, change).await;
    }

    /// Only what is no secret.
    async fn edit(&mut self, name: &str, mut found: ConfigMap) {
        let value = self.plain();
        let data = found.data.get_or_insert_default();
        data.insert(PLAIN.to_owned(), value.clone());
        let change = Change::Part(BTreeMap::from([(PLAIN.to_owned(), Some(value))]));
        self.replace(name, found, change).await;
    }

    /// As the manifest of whoever created it says: values that are there
    /// already, or were once.
    async fn apply_again(&mut self, name: &str, found: ConfigMap) {
        let Some(values) = self.first(name) else {
            return;
        };
        let number = self
            .scene
            .journal()
            .asked(name, Change::Whole(values.clone()));
        let mut object = object(name, number, &values, true);
        object.metadata.resource_version = found.resource_version();
        let done = self
            .maps
            .replace(name, &PostParams::default(), &object)
            .await;
        self.told(number, &done);
    }

    /// What it was last made to be as a whole.
    fn first(&self, name: &str) -> Option<Values> {
        let journal = self.scene.journal();
        let mut found = journal
            .from(0)
            .rev()
            .filter_map(|(_, write)| match &write.change {
                Change::Whole(values) if write.map == name => Some(values.clone()),
                _ => None,
            });
        found.next()
    }

    async fn delete(&mut self, name: &str, found: &ConfigMap) {
        let uid = found.uid().unwrap_or_default();
        let number = self
            .scene
            .journal()
            .asked(name, Change::Deletion(uid.clone()));
        let parameters = DeleteParams::default().preconditions(Preconditions {
            uid: Some(uid),
            resource_version: None,
        });
        let outcome = match self.maps.delete(name, &parameters).await {
            Ok(_) => Outcome::Done(0),
            Err(error) => failed(&error),
        };
        self.scene.journal().told(number, outcome);
    }

    /// A pod that reads it, which runs nowhere and is gone at once.
    async fn start(&mut self, map: &str, found: &ConfigMap) {
        let seen = revision(found);
        let pod: Pod = serde_json::from_value(pod(map)).expect("a pod");
        // While one that serves is away new pods may have to try again.
        let Ok(made) = self.pods.create(&PostParams::default(), &pod).await else {
            return;
        };
        self.scene.journal().pods.push(Started {
            map: map.to_owned(),
            seen,
            at: revision(&made),
            is_rewritten: names(&made, &serving(map, Half::Text)),
        });
        let at_once = DeleteParams::default().grace_period(0);
        drop(self.pods.delete(&made.name_any(), &at_once).await);
    }

    fn told(&self, number: usize, done: &kube::Result<ConfigMap>) {
        let outcome = match done {
            Ok(stored) => Outcome::Done(revision(stored)),
            Err(error) => failed(error),
        };
        self.scene.journal().told(number, outcome);
    }
}

fn names(pod: &Pod, secret: &str) -> bool {
    let text = serde_json::to_string(pod).expect("JSON");
    text.contains(&format!("\"{secret}\""))
}

/// A pod that reads a ConfigMap, and is never scheduled.
pub(super) fn pod(map: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "reads-"}, "spec": {
        "schedulingGates": [{"name": "example.com/never"}],
        "containers": [{"name": "a", "image": "example.com/a:1",
            "envFrom": [{"configMapRef": {"name": map}}],
            "volumeMounts": [{"name": "all", "mountPath": "/all"}]}],
        "volumes": [{"name": "all", "configMap": {"name": map}}]}})
}

/// `data` and `binaryData` of a ConfigMap.
fn halves(parts: &BTreeMap<String, Option<String>>) -> Value {
    let mut halves = json!({"data": {}, "binaryData": {}});
    for (key, value) in parts {
        match key.strip_prefix(BINARY) {
            Some(key) => {
                let value = value.as_ref().map(|value| STANDARD.encode(value));
                halves["binaryData"][key] = json!(value);
            }
            None => halves["data"][key] = json!(value),
        }
    }
    halves
}

/// A ConfigMap of this write; with a copy of it all, as `kubectl apply` has.
fn object(name: &str, number: usize, values: &Values, has_copy: bool) -> ConfigMap {
    let some = values.iter();
    let some = some.map(|(key, value)| (key.clone(), Some(value.clone())));
    let mut object = halves(&some.collect());
    object["data"][WRITE] = json!(number.to_string());
    object["apiVersion"] = json!("v1");
    object["kind"] = json!("ConfigMap");
    object["metadata"] = json!({"name": name});
    if has_copy {
        let copy = object.to_string();
        object["metadata"]["annotations"] = json!({APPLIED: copy});
    }
    serde_json::from_value(object).expect("a ConfigMap")
}

fn revision(object: &impl ResourceExt) -> u64 {
    let version = object.resource_version().unwrap_or_default();
    version.parse().expect("a version")
}

/// Refused, unless the API server itself does not know what became of it.
fn failed(error: &kube::Error) -> Outcome {
    match error {
        kube::Error::Api(status) if status.code != 504 && status.reason != "Timeout" => {
            Outcome::Refused(status.message.clone())
        }
        error => Outcome::Unknown(error.to_string()),
    }
}
