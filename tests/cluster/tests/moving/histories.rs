//! What containers get over time: random histories of ConfigMaps, of pods that come
//! before and after them, and of containers that start again, in an enrolled
//! namespace and in one without Portcullis, by the real kubelet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use portcullis_cluster::container::Container;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::{Stage, kubectl};
use crate::support::{cluster, seed};

/// How many ConfigMaps have a history each, and how long it is.
const MAPS: usize = 6;
const ROUNDS: usize = 6;
const MANY_ROUNDS: usize = 40;
/// What may lag behind what is natively so (issue 10).
const LAG: Duration = Duration::from_secs(5);
/// For a kubelet of a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What happens to a ConfigMap.
#[derive(Debug, Clone)]
enum Event {
    /// It gets these contents, whatever it has.
    Write(BTreeMap<&'static str, String>),
    /// It goes, and comes at once with these.
    Recreate(BTreeMap<&'static str, String>),
    /// It goes.
    Delete,
}

/// What happens in one round to one ConfigMap and its pods.
#[derive(Debug, Clone)]
struct Step {
    event: Event,
    /// Whether a new pod comes before the event, or after it.
    is_early: bool,
    /// Whether the new pod starts without its ConfigMap, too.
    is_optional: bool,
    /// Whether the oldest pod that was not yet made to starts again.
    restarts: bool,
}

/// Keys that carry secrets, and others.
const KEYS: [&str; 4] = ["PASSWORD", "API_TOKEN", "LOG_LEVEL", "HOST"];
const SECRET: [&str; 2] = ["PASSWORD", "API_TOKEN"];

fn contents() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let value = |key: &'static str| {
        let value = match SECRET.contains(&key) {
            // Random enough for the name of either key, by chance never less.
            true => "[a-z]{3}-([A-Z][0-9][a-z]){4}x9Q",
            false => "[a-z]{4,8}",
        };
        prop::option::weighted(0.7, value).prop_map(move |value| Some((key, value?)))
    };
    let all: Vec<_> = KEYS.into_iter().map(value).collect();
    all.prop_map(|all| all.into_iter().flatten().collect())
}

fn step() -> impl Strategy<Value = Step> {
    let event = prop_oneof![
        4 => contents().prop_map(Event::Write),
        1 => contents().prop_map(Event::Recreate),
        1 => Just(Event::Delete),
    ];
    let flags = (
        any::<bool>(),
        any::<bool>(),
        select(vec![true, true, false]),
    );
    (event, flags).prop_map(|(event, (is_early, is_optional, restarts))| Step {
        event,
        is_early,
        is_optional,
        restarts,
    })
}

/// A pod that reads a ConfigMap in every form.
fn pod(name: &str, map: &str, is_optional: bool) -> String {
    let variable = |name: &str, key: &str, optional: bool| {
        json!({"name": name, "valueFrom": {"configMapKeyRef":
            {"name": map, "key": key, "optional": optional}}})
    };
    let items = json!([{"key": "PASSWORD", "path": "p"}, {"key": "HOST", "path": "in/h"}]);
    let mount = |name: &str| json!({"name": name, "mountPath": format!("/{name}")});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{
            "name": "a", "image": "example.com/a:1",
            "envFrom": [{"prefix": "P_", "configMapRef": {"name": map, "optional": is_optional}}],
            "env": [
                variable("ONE", "PASSWORD", is_optional),
                variable("TWO", "API_TOKEN", true),
                variable("THREE", "LOG_LEVEL", true),
                {"name": "URL", "value": "db://$(ONE):$(TWO)@$(THREE)"},
            ],
            "volumeMounts": [mount("whole"), mount("items"), mount("projected")],
        }],
        "volumes": [
            {"name": "whole", "configMap": {"name": map, "optional": is_optional}},
            {"name": "items", "configMap": {"name": map, "items": items, "optional": true}},
            {"name": "projected", "projected": {"sources": [
                {"configMap": {"name": map, "optional": true, "items":
                    [{"key": "API_TOKEN", "path": "t", "mode": 0o400}]}}]}},
        ],
    }})
    .to_string()
}

fn config_map(name: &str, data: &BTreeMap<&str, String>) -> String {
    super::config_map(name, json!(data))
}

/// One pod of a history.
struct Member {
    name: String,
    is_optional: bool,
    /// How often it has been started; 0 while it waits.
    starts: u64,
}

/// One ConfigMap and its pods.
#[derive(Default)]
struct History {
    map: String,
    contents: Option<BTreeMap<&'static str, String>>,
    pods: Vec<Member>,
}

/// Both namespaces.
struct Sides {
    native: String,
    moved: String,
}

/// Containers by pod and attempt.
type Records = BTreeMap<(String, u64), Container>;

impl Sides {
    fn both(&self, arguments: &[&str], stdin: &str) {
        for place in [&self.native, &self.moved] {
            let answer = kubectl(place, arguments, stdin);
            assert_eq!(
                answer.code, 0,
                "{arguments:?} in {place}: {}",
                answer.stderr
            );
        }
    }

    fn records(namespace: &str) -> Records {
        let all = cluster().containers(namespace, "a").expect("records");
        let keyed = all
            .into_iter()
            .map(|one| ((one.pod.clone(), one.attempt), one));
        keyed.collect()
    }
}

impl History {
    /// The pod that comes after the event, if it does.
    fn happen(&mut self, sides: &Sides, step: &Step, round: usize) -> Option<String> {
        // One that could start would race with the event.
        let is_early = step.is_early && !self.lets_start(step.is_optional);
        if is_early {
            self.add(sides, step.is_optional, round);
        }
        let delete = ["delete", "configmap", &self.map, "--ignore-not-found"];
        match &step.event {
            Event::Write(contents) => self.write(sides, contents),
            Event::Recreate(contents) => {
                sides.both(&delete, "");
                self.write(sides, contents);
            }
            Event::Delete => {
                sides.both(&delete, "");
                self.contents = None;
            }
        }
        if is_early {
            return None;
        }
        self.add(sides, step.is_optional, round);
        self.pods.last().map(|pod| pod.name.clone())
    }

    fn add(&mut self, sides: &Sides, is_optional: bool, round: usize) {
        let name = format!("{}-{round}", self.map);
        let text = pod(&name, &self.map, is_optional);
        sides.both(&["create", "-f", "-"], &text);
        self.pods.push(Member {
            name,
            is_optional,
            starts: 0,
        });
    }

    fn write(&mut self, sides: &Sides, contents: &BTreeMap<&'static str, String>) {
        sides.both(&["apply", "-f", "-"], &config_map(&self.map, contents));
        self.contents = Some(contents.clone());
    }

    /// Whether a pod finds what it cannot do without.
    fn lets_start(&self, is_optional: bool) -> bool {
        let contents = self.contents.as_ref();
        is_optional || contents.is_some_and(|all| all.contains_key("PASSWORD"))
    }

    /// Containers that wait start if they find what they need; the attempts that
    /// must be there then.
    fn started(&mut self) -> BTreeSet<(String, u64)> {
        let can: Vec<bool> = self
            .pods
            .iter()
            .map(|one| self.lets_start(one.is_optional))
            .collect();
        let mut started = BTreeSet::new();
        for (member, can) in self.pods.iter_mut().zip(can) {
            if member.starts == 0 && can {
                member.starts = 1;
                started.insert((member.name.clone(), 0));
            }
        }
        started
    }

    /// Ends a container that has not been ended yet, on both sides.
    fn restart(&mut self, sides: &Sides) -> Option<(String, u64)> {
        let can: Vec<bool> = self
            .pods
            .iter()
            .map(|one| self.lets_start(one.is_optional))
            .collect();
        let mut all = self.pods.iter_mut().zip(can);
        let (member, _) = all.find(|(member, can)| member.starts == 1 && *can)?;
        member.starts = 2;
        for place in [&sides.native, &sides.moved] {
            let ended = cluster().restart(place, &member.name, "a");
            ended.expect("a container that runs");
        }
        Some((member.name.clone(), 1))
    }
}

/// Waits for these attempts on both sides, and compares what they got: the files as
/// they were when it started only of pods that are `fresh`, since what is mounted
/// already follows when the kubelet has time.
fn compare(
    sides: &Sides,
    wanted: &BTreeSet<(String, u64)>,
    fresh: &BTreeSet<String>,
    told: &dyn Fn() -> String,
) {
    let started = Instant::now();
    let (native, moved) = loop {
        let both = [&sides.native, &sides.moved].map(|place| Sides::records(place));
        let missing = |records: &Records| {
            let missing = wanted.iter().find(|one| !records.contains_key(*one));
            missing.cloned()
        };
        match (missing(&both[0]), missing(&both[1])) {
            (None, None) => break both.into(),
            missing => assert!(
                started.elapsed() < PATIENCE,
                "not started, natively and here: {missing:?}: {}",
                told()
            ),
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    let (native, moved): (Records, Records) = (native, moved);
    for key in wanted {
        let environment =
            |one: &Container| one.environment.iter().cloned().collect::<BTreeMap<_, _>>();
        let (before, after) = (&native[key], &moved[key]);
        assert_eq!(
            environment(before),
            environment(after),
            "{key:?}: {}",
            told()
        );
        if fresh.contains(&key.0) {
            assert_eq!(before.files, after.files, "{key:?}: {}", told());
        }
    }
}

/// Waits until the mounted files of these pods are the same on both sides.
fn follow(sides: &Sides, pods: &BTreeSet<&String>, told: &dyn Fn() -> String) {
    let started = Instant::now();
    loop {
        let [native, moved] = [&sides.native, &sides.moved].map(|place| {
            let records = Sides::records(place).into_iter();
            let mine = records.filter(|((pod, _), _)| pods.contains(pod));
            let now = mine.map(|((pod, _), one)| (pod, one.files_now().unwrap_or_default()));
            now.collect::<BTreeMap<_, _>>()
        });
        if native == moved {
            return;
        }
        let differs = native
            .iter()
            .find(|(pod, files)| moved.get(*pod) != Some(*files));
        assert!(started.elapsed() < PATIENCE, "{differs:?}: {}", told());
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn over_time_containers_get_what_they_would_have_got() {
    let rounds = match std::env::var_os("PORTCULLIS_FULL") {
        Some(full) if full == "1" => MANY_ROUNDS,
        _ => ROUNDS,
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let mut stage = Stage::new();
    let sides = Sides {
        native: stage.namespace("apart"),
        moved: stage.enrolled("within"),
    };
    let mut histories: Vec<History> = (0..MAPS)
        .map(|number| History {
            map: format!("m{number}"),
            ..History::default()
        })
        .collect();
    let (mut told, mut compared) = (vec![], 0);
    for round in 0..rounds {
        let mut wanted = BTreeSet::new();
        let steps: Vec<Step> = (0..MAPS)
            .map(|_| step().new_tree(&mut runner).expect("a step").current())
            .collect();
        let mut fresh = BTreeSet::new();
        for (history, step) in histories.iter_mut().zip(&steps) {
            told.push(format!("{round}: {}: {step:?}", history.map));
            fresh.extend(history.happen(&sides, step, round));
            wanted.extend(history.started());
        }
        let story = || told.join("\n");
        compare(&sides, &wanted, &fresh, &story);
        std::thread::sleep(LAG);
        let mut again = BTreeSet::new();
        for (history, step) in histories.iter_mut().zip(&steps) {
            if step.restarts {
                again.extend(history.restart(&sides));
            }
        }
        compare(&sides, &again, &BTreeSet::new(), &story);
        let pods = histories.iter().flat_map(|history| &history.pods);
        let running: BTreeSet<&String> = pods
            .filter(|pod| pod.starts > 0)
            .map(|pod| &pod.name)
            .collect();
        follow(&sides, &running, &story);
        compared += wanted.len() + again.len();
    }
    assert!(
        compared >= rounds * 4,
        "hardly anything started: {compared}"
    );
    println!("{compared} containers of {MAPS} histories of {rounds} rounds get the same");
}
