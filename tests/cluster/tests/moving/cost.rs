//! What a move costs, end to end: in an enrolled namespace and in one that is only
//! judged, in turns, in one run.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Stage, served};
use crate::asked::{Asker, Verb};

/// Writes of each kind in each of the namespaces.
const ROUNDS: usize = 25;
const MANY: usize = 400;
/// ConfigMaps that the last kind of pod uses.
const MAPS: usize = 6;
/// What issue 10 allows: a steady apply, a create with three new values, each
/// ConfigMap of a pod.
const GOALS: [Duration; 4] = [
    Duration::from_micros(300),
    Duration::from_millis(25),
    Duration::from_millis(3),
    Duration::from_millis(3).saturating_mul(MAPS as u32),
];
/// What must not be: on a machine that does much else, a call takes long.
const MOST: Duration = Duration::from_millis(150);

/// What is measured, in the order of [`GOALS`].
const KINDS: [&str; 4] = [
    "steady apply",
    "create, 3 values",
    "pod, 1 ConfigMap",
    "pod, 6 ConfigMaps",
];

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {
        "PASSWORD": format!("Tr0ub4dor-{name}-x9Q"),
        "DB_PASSWORD": format!("c0rrect-{name}-H0rse"),
        "API_TOKEN": format!("tok-{name}-8fQzr2LmVx91Kd"),
        "LOG_LEVEL": "info",
    }})
}

/// One that nobody starts, and that uses these ConfigMaps.
fn pod(name: &str, maps: &[String]) -> Value {
    let whole = |map: &String| json!({"configMapRef": {"name": map}});
    let one = |(number, map): (usize, &String)| {
        json!({"name": format!("ONE_{number}"), "valueFrom":
            {"configMapKeyRef": {"name": map, "key": "PASSWORD"}}})
    };
    let container = json!({"name": "a", "image": "example.com/a:1",
        "envFrom": maps.iter().map(whole).collect::<Vec<_>>(),
        "env": maps.iter().enumerate().map(one).collect::<Vec<_>>()});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "schedulingGates": [{"name": "example.com/never"}], "containers": [container]}})
}

/// How long a write takes; what is stored after it.
fn took(asker: &Asker, verb: Verb, path: &str, body: Value) -> (Duration, Value) {
    let before = Instant::now();
    let stored = asker.admin(verb, path, body);
    (before.elapsed(), stored)
}

/// The times of one round, in the order of [`KINDS`].
fn round(
    asker: &Asker,
    (namespace, is_enrolled): (&str, bool),
    others: &[String],
    name: &str,
) -> [Duration; 4] {
    let all = format!("/api/v1/namespaces/{namespace}");
    let map = format!("{all}/configmaps/{name}");
    let (create, created) = took(asker, Verb::Apply, &map, config_map(name));
    let (steady, again) = took(asker, Verb::Apply, &map, config_map(name));
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&created), version(&again), "a steady apply wrote");
    // What was just moved may be waited for; that is lag, and no cost.
    match is_enrolled {
        true => drop(served(namespace, name)),
        false => std::thread::sleep(Duration::from_millis(300)),
    }
    let pods = format!("{all}/pods");
    let maps = [&[name.to_owned()], others].concat();
    let (one, _) = took(asker, Verb::Create, &pods, pod(name, &maps[..1]));
    let (many, _) = took(
        asker,
        Verb::Create,
        &pods,
        pod(&format!("{name}-many"), &maps),
    );
    // A create looks at all pods of the namespace, and takes longer with each.
    for pod in [name.to_owned(), format!("{name}-many")] {
        asker.admin(Verb::Delete, &format!("{pods}/{pod}"), Value::Null);
    }
    [steady, create, one, many]
}

/// What of a steady apply is our own time on average, as our metrics say. Whether the
/// user may create Secrets, and the keys, were asked just before: that counts for ten
/// seconds.
fn own(stage: &Stage, asker: &Asker, namespace: &str, rounds: usize) -> Duration {
    let metrics = |what: &str| -> f64 {
        let name =
            format!("portcullis_request_duration_seconds_{what}{{phase=\"relocate/mutate\"}}");
        stage
            .installation
            .metric(&name)
            .expect("metrics")
            .iter()
            .sum()
    };
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/other-0");
    took(asker, Verb::Apply, &path, config_map("other-0"));
    let (sum, count) = (metrics("sum"), metrics("count"));
    for _ in 0..rounds {
        took(asker, Verb::Apply, &path, config_map("other-0"));
    }
    let mean = (metrics("sum") - sum) / (metrics("count") - count);
    Duration::from_secs_f64(mean)
}

/// What a read of a ConfigMap takes, and of a Relocation.
fn reads(asker: &Asker, namespace: &str, rounds: usize) -> [Duration; 2] {
    let paths = [
        format!("/api/v1/namespaces/{namespace}/configmaps/other-0"),
        format!("/apis/portcullis.dev/v1alpha1/namespaces/{namespace}/relocations/other-0"),
    ];
    let mut times = [vec![], vec![]];
    for _ in 0..rounds {
        for (path, times) in paths.iter().zip(&mut times) {
            times.push(took(asker, Verb::Get, path, Value::Null).0);
        }
    }
    times.map(median)
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
    let others: Vec<String> = (1..MAPS).map(|number| format!("other-{number}")).collect();
    for namespace in &namespaces {
        for name in others.iter().map(String::as_str).chain(["other-0"]) {
            let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
            took(&asker, Verb::Apply, &path, config_map(name));
        }
    }
    let mut times = [(); 2].map(|()| [(); 4].map(|()| vec![]));
    for number in 0..rounds {
        for ((namespace, is_enrolled), times) in
            namespaces.iter().zip([false, true]).zip(&mut times)
        {
            let place = (namespace.as_str(), is_enrolled);
            let round = round(&asker, place, &others, &format!("m{number}"));
            for (all, one) in times.iter_mut().zip(round) {
                all.push(one);
            }
        }
    }
    let [judged, enrolled] = times.map(|side| side.map(median));
    let reads = reads(&asker, &namespaces[1], rounds);
    let own = own(&stage, &asker, &namespaces[1], 4 * rounds);
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
    println!(
        "a read of a ConfigMap {:.2?}, of a Relocation {:.2?}",
        reads[0], reads[1]
    );
    println!(
        "of a steady apply {own:.2?} are our own (goal {:?})",
        GOALS[0]
    );
}
