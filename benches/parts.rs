//! The parts of a request, each alone: `cargo bench --bench parts [FILTER]`.
//!
//! `cargo xtask bench` measures whole requests; this is where to look when one
//! part is being worked on.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use divan::{Bencher, black_box};
use portcullis::policy::spec::{Limits, ProgramRef, Spec};
use portcullis::policy::{Attributes, Decision, Evaluate, Sight, patch};
use portcullis::review;
use portcullis::wasm::{Engine, Loaded, Program};
use portcullis_contract::reads::{Outline, Reads};
use portcullis_contract::{Redaction, Request};
use serde_json::{Value, json};

const REVIEWS: [&str; 3] = [
    "pod-create-bare",
    "deployment-update-apply",
    "configmap-update-apply",
];
const POLICIES: [&str; 3] = ["image-tags", "probes", "resources"];

fn main() {
    divan::main();
}

fn file(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn body(review: &str) -> Vec<u8> {
    file(&format!("tests/data/reviews/{review}.json"))
}

fn request(review: &str) -> review::Request {
    let decoded = review::decode(&body(review)).expect("a review");
    decoded.request.expect("a request")
}

/// A policy of the pack, ready to run, and its projection of a Pod.
struct Ready {
    program: Program,
    reads: Reads,
    projection: String,
}

static ENGINE: LazyLock<Arc<Engine>> =
    LazyLock::new(|| Arc::new(Engine::new().expect("an engine")));

fn ready(policy: &str, settings: &Value) -> Ready {
    let bytes = file(&format!("target/policies/{policy}.wasm"));
    let loaded = Loaded::new(&ENGINE, &bytes).expect("a policy");
    let reads = loaded.description().reads.iter().map(String::as_str);
    let reads = Reads::parse(reads).expect("reads");
    let settings = settings.as_object().expect("a map");
    let request = request(REVIEWS[0]);
    let projected = Request::new(&request.admission, &request.namespace);
    // Nothing is granted: what may be looked up is passed over.
    let spec = Spec::of(ProgramRef::Builtin(policy.to_owned()));
    let sight = Sight::new(loaded.description(), &spec).expect("optional lookups");
    Ready {
        program: loaded
            .program(settings, Limits::default())
            .expect("a program")
            .seeing(&Arc::new(sight)),
        projection: reads.project(&projected, Redaction::Blank),
        reads,
    }
}

fn evaluate(ready: &Ready) {
    let deadline = Instant::now() + Duration::from_secs(1);
    let verdict = ready.program.evaluate(&ready.projection, deadline);
    black_box(verdict.expect("a verdict"));
}

#[divan::bench(args = REVIEWS)]
fn decode(bencher: Bencher<'_, '_>, review: &str) {
    let body = body(review);
    bencher.bench_local(|| review::decode(black_box(&body)));
}

#[divan::bench(args = REVIEWS)]
fn decode_without_managed_fields(bencher: Bencher<'_, '_>, review: &str) {
    let body = body(review);
    let outline = Outline::whole(false);
    bencher.bench_local(|| review::decode_lean(black_box(&body), &outline));
}

#[divan::bench(args = REVIEWS)]
fn decode_what_is_read(bencher: Bencher<'_, '_>, review: &str) {
    let body = body(review);
    let ready = POLICIES.map(|policy| ready(policy, &json!({})).reads);
    let outline = Outline::of(&ready);
    bencher.bench_local(|| review::decode_lean(black_box(&body), &outline));
}

#[divan::bench(args = REVIEWS)]
fn attributes(bencher: Bencher<'_, '_>, review: &str) {
    let request = request(review);
    bencher.bench_local(|| Attributes::parse(black_box(&request.admission)));
}

#[divan::bench(args = POLICIES)]
fn projection(bencher: Bencher<'_, '_>, policy: &str) {
    let (ready, request) = (ready(policy, &json!({})), request(REVIEWS[0]));
    bencher.bench_local(|| {
        let request = Request::new(&request.admission, &request.namespace);
        ready.reads.project(black_box(&request), Redaction::Blank)
    });
}

#[divan::bench(args = POLICIES)]
fn evaluation(bencher: Bencher<'_, '_>, policy: &str) {
    let ready = ready(policy, &json!({}));
    bencher.bench_local(|| evaluate(&ready));
}

/// Each finds its code and memory cold: sixteen do not fit a cache.
#[divan::bench]
fn sixteen_evaluations_in_turns(bencher: Bencher<'_, '_>) {
    let settings = |number: u64| match number % 3 {
        0 => json!({"floatingWords": [format!("moving{number}")]}),
        1 => json!({"minPeriod": 1 + number}),
        _ => json!({"max": {"memory": format!("{}Gi", 8 + number)}}),
    };
    let policy = |number: u64| POLICIES[usize::try_from(number % 3).expect("few")];
    let all: Vec<Ready> = (0..16).map(|n| ready(policy(n), &settings(n))).collect();
    bencher.bench_local(|| all.iter().for_each(evaluate));
}

/// Bytes of the ConfigMaps that secrets are looked for in.
const CONFIGMAPS: [usize; 2] = [4 * 1024, 200 * 1024];

/// Files as charts put them into ConfigMaps: sections, comments, a secret now
/// and then, and much that looks like one.
fn configmap(size: usize) -> Value {
    let section = |number: usize| {
        format!(
            "# Section {number} of the configuration, as its chart writes it.\n\
             [section{number}]\nenabled = true\nhost = db-{number}.shop.svc.cluster.local\n\
             port = 5432\nuser = app\npassword_file = /run/secrets/db-{number}\n\
             token_ttl = 15m\nurl = https://sso.home.lan/realms/home/protocol/openid-connect\n\
             allowed_keys = name,namespace,labels,annotations,ownerReferences\n\
             message = \"the quick brown fox jumps over the lazy dog, again and again\"\n\n"
        )
    };
    let secret = "[database]\npassword = Tr0ub4dor&3\nurl = postgres://app:Vf83kLs0q@db:5432/app\n";
    let mut text = secret.to_owned();
    for number in 0.. {
        if text.len() > size {
            break;
        }
        text += &section(number);
    }
    json!({
        "uid": "u", "operation": "CREATE", "name": "web", "namespace": "shop",
        "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
        "object": {
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "web", "namespace": "shop"},
            "data": {"LOG_LEVEL": "info", "app.ini": text},
        },
    })
}

#[divan::bench(args = CONFIGMAPS)]
fn secrets_of_a_configmap(bencher: Bencher<'_, '_>, size: usize) {
    let mut ready = ready("configmap-secrets", &json!({}));
    let (admission, namespace) = (configmap(size), Value::Null);
    let admission = admission.as_object().expect("a request");
    let request = Request::new(admission, &namespace);
    ready.projection = ready.reads.project(&request, Redaction::None);
    let deadline = Instant::now() + Duration::from_secs(1);
    let verdict = ready.program.evaluate(&ready.projection, deadline);
    assert_eq!(verdict.expect("a verdict").findings.len(), 2);
    bencher.bench_local(|| evaluate(&ready));
}

#[divan::bench]
fn patch_of_two_fields(bencher: Bencher<'_, '_>) {
    let object = request(REVIEWS[0]).admission["object"].clone();
    let mut changed = object.clone();
    changed["metadata"]["labels"] = json!({"added": "yes"});
    changed["spec"]["containers"][0]["imagePullPolicy"] = "Never".into();
    bencher.bench_local(|| patch::apply(&object, &patch::diff(&object, black_box(&changed))));
}

#[divan::bench]
fn encode(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| review::encode("uid", black_box(&Decision::default())));
}
