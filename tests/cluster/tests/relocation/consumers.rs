//! Random pods on the real kubelet: what it gives their containers is what the
//! model says (`relocation/src/kubelet.rs`), and the same before and after.
//!
//! 300 pods run natively, and beside them, in a namespace where ConfigMaps hold
//! placeholders and the serving Secrets are there, the same 300 as the webhook
//! would rewrite them.

/// Random pods.
#[path = "../../../../relocation/tests/pods/cases.rs"]
mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_cluster::{Cluster, Namespace, User};
use portcullis_relocation::kubelet::{self, Failure, File, Given, World, resolve};
use portcullis_relocation::pod::rewrite;
use serde_json::{Value, json};

use crate::support::seed;
use cases::{Case, Map};

/// How many pods run natively; as many run rewritten.
const PODS: usize = 300;
/// How many of them share their ConfigMaps.
const BATCH: usize = 30;
/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A namespace with its pods, and what they should get.
struct Side<'c> {
    namespace: Namespace<'c>,
    objects: Vec<Value>,
    pods: BTreeMap<String, BTreeMap<String, Expected>>,
}

/// What the model says of a container.
enum Expected {
    Given(Box<Given>),
    /// It waits, for this.
    Waits(Failure),
    /// An init container before it does not start.
    Never,
}

/// Records by pod and container.
type Records = BTreeMap<(String, String), Value>;

#[test]
fn what_the_kubelet_gives_is_what_the_model_says_before_and_after() {
    // A kubelet of its own: the others' would have 600 pods to end.
    let cluster = Cluster::start().expect("a cluster");
    let side = || Side {
        namespace: cluster.namespace().expect("a namespace"),
        objects: vec![],
        pods: BTreeMap::new(),
    };
    let (mut natively, mut relocated) = (side(), side());
    let services = services(&natively.namespace);
    fill(&mut natively, &mut relocated, &services);
    let started = Instant::now();
    for side in [&natively, &relocated] {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": side.objects});
        let create = ["create", "-f", "-"];
        let created = side
            .namespace
            .kubectl(User::Admin, &create, &list.to_string());
        created.expect("kubectl runs").ok().expect("all are valid");
    }
    let [before, after] =
        [("natively", &natively), ("relocated", &relocated)].map(|(name, side)| {
            let records = side.records();
            side.compare(name, &records);
            side.wait_for_the_waiting(name);
            records
        });
    for (container, record) in &after {
        assert_eq!(given(&before[container]), given(record), "{container:?}");
    }
    let took = started.elapsed();
    println!(
        "{} containers of {PODS} pods get the same: {took:?}",
        after.len()
    );
}

/// Draws pods, each of which natively starts at least one container.
fn fill(natively: &mut Side<'_>, relocated: &mut Side<'_>, services: &BTreeMap<String, String>) {
    let strategy = cases::cases();
    let mut runner = cases::runner(seed(), 1);
    let with_services = |world| World {
        services: services.clone(),
        ..world
    };
    let moved = |map: &Map| map.moved.clone();
    let mut batch = 0;
    while natively.pods.len() < PODS {
        let leader = cases::draw(&mut runner, &strategy);
        let prefix = format!("b{batch}-");
        let world = |case: &Case| {
            (
                with_services(case.native()),
                with_services(case.world(moved)),
            )
        };
        let (before, after) = world(&leader.clone().among(&leader, &prefix));
        natively.add_world(&before);
        relocated.add_world(&after);
        let mut count = 0;
        while count < BATCH {
            let case = cases::draw(&mut runner, &strategy).among(&leader, &prefix);
            let pod = bound(&case.pod, &format!("{prefix}{count}"));
            let Ok(rewritten) = rewrite(&pod, None, &case.known(moved)) else {
                continue;
            };
            if resolve(&pod, &before).values().all(Result::is_err) {
                continue;
            }
            natively.add(pod, &before);
            relocated.add(rewritten, &after);
            count += 1;
        }
        batch += 1;
    }
}

/// As it can run on the node of the tests.
fn bound(pod: &Value, name: &str) -> Value {
    let mut pod = pod.clone();
    pod["metadata"]["name"] = json!(name);
    pod["spec"]["nodeName"] = json!("node-1");
    pod["spec"]["enableServiceLinks"] = json!(false);
    pod["spec"]["terminationGracePeriodSeconds"] = json!(0);
    // Ephemeral containers can only join a pod.
    for (part, field) in [("metadata", "namespace"), ("spec", "ephemeralContainers")] {
        pod[part].as_object_mut().expect("an object").remove(field);
    }
    pod
}

/// The variables that every container gets, from one that asks for none.
fn services(namespace: &Namespace<'_>) -> BTreeMap<String, String> {
    let container = json!({"name": "one", "image": "example.org/app:1"});
    let spec = json!({"containers": [container], "automountServiceAccountToken": false});
    let pod =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "services"}, "spec": spec});
    let created = namespace.kubectl(
        User::Admin,
        &["create", "-f", "-"],
        &bound(&pod, "services").to_string(),
    );
    created.expect("kubectl runs").ok().expect("it is valid");
    let started = Instant::now();
    loop {
        let records = records(namespace);
        if let Some(record) = records.values().next() {
            return given(record).environment;
        }
        assert!(started.elapsed() < PATIENCE, "the first pod never starts");
        std::thread::sleep(Duration::from_millis(100));
    }
}

impl Side<'_> {
    fn add_world(&mut self, world: &World) {
        for (name, map) in &world.config_maps {
            self.objects.push(json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name},
                "data": map.text,
                "binaryData": encoded(&map.binary),
            }));
        }
        for (name, secret) in &world.secrets {
            self.objects.push(json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "data": encoded(secret),
            }));
        }
    }

    fn add(&mut self, pod: Value, world: &World) {
        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        self.pods.insert(name, expected(&pod, world));
        self.objects.push(pod);
    }

    /// The records of all containers that should start, once they are there.
    fn records(&self) -> Records {
        let (mut count, mut since) = (0, Instant::now());
        loop {
            let records = records(&self.namespace);
            let missing = self.missing(&records);
            if missing.is_empty() {
                return records;
            }
            if records.len() > count {
                (count, since) = (records.len(), Instant::now());
            }
            let few = &missing[..missing.len().min(5)];
            assert!(
                since.elapsed() < PATIENCE,
                "{} containers never start: {few:?}: {}",
                missing.len(),
                self.described(&few[0].0)
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn missing(&self, records: &Records) -> Vec<(String, String)> {
        let mut missing = vec![];
        for (pod, containers) in &self.pods {
            for (container, expected) in containers {
                let key = (pod.clone(), container.clone());
                if matches!(expected, Expected::Given(_)) && !records.contains_key(&key) {
                    missing.push(key);
                }
            }
        }
        missing
    }

    fn compare(&self, side: &str, records: &Records) {
        for ((pod, container), record) in records {
            let Some(expected) = self.pods.get(pod).and_then(|pod| pod.get(container)) else {
                assert_eq!(pod, "services");
                continue;
            };
            match expected {
                Expected::Given(wanted) => assert_eq!(
                    &given(record),
                    wanted.as_ref(),
                    "{side}: {container} of {}",
                    self.described(pod)
                ),
                Expected::Waits(failure) => {
                    panic!(
                        "{side}: {container} should wait: {failure}: {}",
                        self.described(pod)
                    )
                }
                Expected::Never => panic!("{side}: {container} of {pod} comes too early"),
            }
        }
    }

    /// What should wait says that it does, and why.
    fn wait_for_the_waiting(&self, side: &str) {
        let started = Instant::now();
        loop {
            let wrong = self.wrong_waiting();
            if wrong.is_empty() {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{side}: {wrong:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    fn wrong_waiting(&self) -> Vec<String> {
        let pods = self
            .namespace
            .kubectl(User::Admin, &["get", "pods", "-o", "json"], "");
        let pods = pods.expect("kubectl runs").ok().expect("an answer");
        let pods: Value = serde_json::from_str(&pods).expect("JSON");
        let mut wrong = vec![];
        for pod in pods["items"].as_array().expect("pods") {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            for (container, expected) in self.pods.get(name).into_iter().flatten() {
                let Expected::Waits(failure) = expected else {
                    continue;
                };
                let is = waiting(pod, container);
                let is_right = match failure {
                    Failure::Volume { .. } => {
                        matches!(is.as_str(), "ContainerCreating" | "PodInitializing")
                    }
                    // Without bind mounts, a subPath below a file fails later.
                    Failure::Config(_) => is.starts_with("CreateContainer"),
                };
                if !is_right {
                    wrong.push(format!("{name} {container} is {is}, not {failure}"));
                }
            }
        }
        wrong
    }

    /// For who has to find out what went wrong.
    fn described(&self, pod: &str) -> String {
        let describe = self
            .namespace
            .kubectl(User::Admin, &["get", "pod", pod, "-o", "yaml"], "");
        let events = self.namespace.kubectl(
            User::Admin,
            &[
                "get",
                "events",
                "--field-selector",
                &format!("involvedObject.name={pod}"),
            ],
            "",
        );
        format!(
            "{}{}",
            describe.expect("kubectl runs").stdout,
            events.expect("kubectl runs").stdout
        )
    }
}

fn encoded(data: &BTreeMap<String, Vec<u8>>) -> BTreeMap<&String, String> {
    data.iter()
        .map(|(key, value)| (key, STANDARD.encode(value)))
        .collect()
}

/// What the model says of each container; init containers start one after the
/// other.
fn expected(pod: &Value, world: &World) -> BTreeMap<String, Expected> {
    let mut resolved = resolve(pod, world);
    let names = |kind: &str| -> Vec<String> {
        let containers = pod["spec"][kind].as_array().into_iter().flatten();
        containers
            .map(|one| one["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let mut expected = BTreeMap::new();
    let mut is_blocked = false;
    let mut add = |name: String, blocks: bool| {
        let given = match resolved.remove(&name).expect("each container is resolved") {
            _ if is_blocked => Expected::Never,
            Ok(given) => Expected::Given(Box::new(given)),
            Err(failure) => {
                is_blocked = blocks;
                Expected::Waits(failure)
            }
        };
        expected.insert(name, given);
    };
    names("initContainers")
        .into_iter()
        .for_each(|name| add(name, true));
    names("containers")
        .into_iter()
        .for_each(|name| add(name, false));
    expected
}

/// Why a container does not run, as its pod says.
fn waiting(pod: &Value, container: &str) -> String {
    let status = |kind: &str| pod["status"][kind].as_array().cloned().unwrap_or_default();
    let all = [status("initContainerStatuses"), status("containerStatuses")].concat();
    let one = all.into_iter().find(|one| one["name"] == container);
    let reason = one.map(|one| one["state"]["waiting"]["reason"].clone());
    reason
        .and_then(|reason| Some(reason.as_str()?.to_owned()))
        .unwrap_or_default()
}

/// All records of a namespace's containers at their first start.
fn records(namespace: &Namespace<'_>) -> Records {
    let folder = namespace.cluster.folder().join("records");
    let namespace = namespace.name();
    let mut records = Records::new();
    for entry in std::fs::read_dir(folder).expect("the records") {
        let path = entry.expect("a record").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !name.starts_with(&format!("{namespace}_")) || !name.ends_with("_0.json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a record");
        let record: Value = serde_json::from_str(&text).expect("JSON");
        let part = |name: &str| record[name].as_str().expect("a text").to_owned();
        records.insert((part("pod"), part("container")), record);
    }
    records
}

/// A record as the model has it: what is mounted below `/m`.
fn given(record: &Value) -> Given {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let variables = list(&record["envs"]);
    let names: BTreeSet<String> = variables.iter().map(|one| text(&one["key"])).collect();
    assert_eq!(
        names.len(),
        variables.len(),
        "a variable is there twice: {record}"
    );
    let mounts = list(&record["mounts"]);
    let mounts = mounts
        .iter()
        .filter(|one| text(&one["containerPath"]).starts_with("/m/"));
    Given {
        environment: variables
            .iter()
            .map(|one| (text(&one["key"]), text(&one["value"])))
            .collect(),
        command: list(&record["command"]).iter().map(text).collect(),
        arguments: list(&record["args"]).iter().map(text).collect(),
        mounts: mounts
            .map(|one| (text(&one["containerPath"]), files(one)))
            .collect(),
    }
}

fn files(mount: &Value) -> kubelet::Files {
    let files = mount["files"].as_array().cloned().unwrap_or_default();
    let file = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or_default();
        let file = File {
            mode: i64::from_str_radix(text("mode"), 8).expect("an octal mode"),
            content: STANDARD.decode(text("contentBase64")).expect("base64"),
        };
        (text("path").to_owned(), file)
    };
    files.iter().map(file).collect()
}
