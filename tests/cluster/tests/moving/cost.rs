//! What a move costs, end to end: in an enrolled namespace and in one that is only
//! judged, in turns, in one run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Stage;
use crate::asked::{Asker, Verb};

/// Writes of each kind in each of the namespaces.
const ROUNDS: usize = 25;
const MANY: usize = 400;
/// What issue 10 allows: a steady apply, a create with three new values, a pod with
/// one ConfigMap.
const GOALS: [Duration; 3] = [
    Duration::from_micros(300),
    Duration::from_millis(25),
    Duration::from_millis(3),
];
/// What must not be: on a machine that does much else, a call takes long.
const MOST: Duration = Duration::from_millis(150);

/// What is measured, in the order of [`GOALS`].
const KINDS: [&str; 3] = ["steady apply", "create, 3 values", "pod, 1 ConfigMap"];

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {
        "PASSWORD": format!("Tr0ub4dor-{name}-x9Q"),
        "DB_PASSWORD": format!("c0rrect-{name}-H0rse"),
        "API_TOKEN": format!("tok-{name}-8fQzr2LmVx91Kd"),
        "LOG_LEVEL": "info",
    }})
}

/// One that nobody starts.
fn pod(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "schedulingGates": [{"name": "example.com/never"}],
        "containers": [{"name": "a", "image": "example.com/a:1",
            "envFrom": [{"configMapRef": {"name": name}}],
            "env": [{"name": "ONE", "valueFrom":
                {"configMapKeyRef": {"name": name, "key": "PASSWORD"}}}]}]}})
}

/// How long a write takes; what is stored after it.
fn took(asker: &Asker, verb: Verb, path: &str, body: Value) -> (Duration, Value) {
    let before = Instant::now();
    let stored = asker.admin(verb, path, body);
    (before.elapsed(), stored)
}

/// The times of one round, in the order of [`KINDS`].
fn round(asker: &Asker, namespace: &str, name: &str) -> [Duration; 3] {
    let all = format!("/api/v1/namespaces/{namespace}");
    let map = format!("{all}/configmaps/{name}");
    let (create, created) = took(asker, Verb::Apply, &map, config_map(name));
    let (steady, again) = took(asker, Verb::Apply, &map, config_map(name));
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&created), version(&again), "a steady apply wrote");
    // What was just moved may be waited for; that is lag, and no cost.
    std::thread::sleep(Duration::from_millis(300));
    let (pod, _) = took(asker, Verb::Create, &format!("{all}/pods"), pod(name));
    [steady, create, pod]
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn a_move_costs_milliseconds_and_a_steady_apply_next_to_nothing() {
    let mut stage = Stage::logging("--log=info");
    let namespaces = [stage.namespace("judged"), stage.enrolled("enrolled")];
    let asker = Asker::new();
    let rounds = match std::env::var_os("PORTCULLIS_FULL") {
        Some(full) if full == "1" => MANY,
        _ => ROUNDS,
    };
    let mut times = [[vec![], vec![], vec![]], [vec![], vec![], vec![]]];
    for number in 0..rounds {
        for (namespace, times) in namespaces.iter().zip(&mut times) {
            let round = round(&asker, namespace, &format!("m{number}"));
            for (all, one) in times.iter_mut().zip(round) {
                all.push(one);
            }
        }
    }
    let [judged, enrolled] = times.map(|side| side.map(median));
    let cores = std::thread::available_parallelism().expect("cores");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("medians of {rounds}; {cores} cores, load {}", load.trim());
    for (number, kind) in KINDS.into_iter().enumerate() {
        let (before, after) = (judged[number], enrolled[number]);
        let more = after.saturating_sub(before);
        let ratio = after.as_secs_f64() / before.as_secs_f64();
        let goal = GOALS[number];
        println!("{kind}: judged {before:.2?}, moved {after:.2?}, {ratio:.2} times");
        println!("  {more:.2?} more (goal {goal:?})");
        assert!(more < MOST, "{kind}: {more:?} more");
    }
}
