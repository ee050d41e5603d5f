//! Nothing leaked: values of eight kinds, new in each run, go through all that
//! relocation does, with all processes at TRACE, and come out nowhere, in clear
//! or encoded. What finds them is shown to find them.

/// What is done with them.
mod flows;
/// What is looked through.
mod outputs;

use std::ops::Range;
use std::time::{Duration, Instant};

use portcullis_cluster::{AUDITED, Answer};
use serde_json::{Map, Value, json};

use super::{Stage, kubectl};
use crate::asked::{Ask, Asker, Person, Said, Verb};
use crate::canary::{self, Canary};
use crate::search::Search;
use crate::support::{cluster, seed};

/// Values in CI, and with PORTCULLIS_FULL.
const SHARE: usize = 128;
const ALL: usize = 1_000;
/// Values of one ConfigMap: one of each kind.
const EACH: usize = 8;

/// ConfigMaps that were there before the enrolment hold values at stages `Audit`
/// and `Prepare`, and again once they are put back: that is what these stages
/// are. What etcd has of them is not looked through, nor what is asked and
/// answered of them; all else is.
const STAGED: &str = "staged-";

/// Values that go through a flow together.
struct Batch {
    /// Of its ConfigMap.
    name: String,
    canaries: Range<usize>,
}

/// All that the flows share.
struct Bench {
    asker: Asker,
    canaries: Vec<Canary>,
    search: Search,
    /// Writes ConfigMaps and no Secrets.
    eve: Person,
    /// What was said to those who asked: which flow, and the text.
    said: Vec<(String, String)>,
}

impl Bench {
    fn new(seed: u64, count: usize) -> Bench {
        let canaries = canary::make(seed, count);
        Bench {
            asker: Asker::new(),
            search: Search::new(canaries.iter().map(|canary| canary.value.as_str())),
            canaries,
            eve: Person::user("eve-writes-maps"),
            said: vec![],
        }
    }

    /// Keys with these values: each in a file of some format, or by itself.
    fn data(&self, form: usize, canaries: Range<usize>) -> Value {
        let entries = canaries.enumerate().map(|(number, canary)| {
            let text = &self.canaries[canary].text;
            let quoted = json!(text).to_string();
            match form % 4 {
                0 => (format!("K{number}_PASSWORD"), json!(text)),
                1 => (
                    format!("K{number}.yaml"),
                    json!(format!("database:\n  user: app\n  password: {quoted}\n")),
                ),
                2 => (
                    format!("K{number}.env"),
                    json!(format!("LOG_LEVEL=debug\nDB_PASSWORD={quoted}\n")),
                ),
                _ => (
                    format!("K{number}.json"),
                    json!(json!({"database": {"password": text}}).to_string()),
                ),
            }
        });
        entries.collect::<Map<_, _>>().into()
    }

    /// Asks, and keeps what is said.
    fn ask(&mut self, batch: &Batch, person: &Person, ask: &Ask) -> Said {
        let said = self.asker.ask(person, ask);
        self.tell(batch, ask.verb, format!("{}\n{}", said.body, said.warnings));
        said
    }

    fn admin(&mut self, batch: &Batch, verb: Verb, path: &str, body: Value) -> Value {
        let said = self.ask(batch, &Person::Admin, &Ask::new(verb, path, body));
        assert!(said.is_good(), "{} {verb:?}: {}", batch.name, said.body);
        said.object()
    }

    /// Runs kubectl, and keeps what it says.
    fn kubectl(&mut self, batch: &Batch, arguments: &[&str], stdin: &str) -> Answer {
        let answer = kubectl(AUDITED, arguments, stdin);
        self.tell(
            batch,
            arguments,
            format!("{}\n{}", answer.stdout, answer.stderr),
        );
        answer
    }

    fn tell(&mut self, batch: &Batch, what: impl std::fmt::Debug, text: String) {
        self.said.push((format!("{} {what:?}", batch.name), text));
    }

    /// Nothing of a canary is in this text, and it would be found.
    fn assert_clean(&self, name: &str, text: &[u8]) {
        assert!(text.len() > 2, "{name} says nothing");
        let hits = self.search.hits(text);
        let shown = hits.iter().take(3);
        let shown: Vec<_> = shown
            .map(|hit| (self.canaries[hit.canary].kind, hit.form, &hit.context))
            .collect();
        assert!(hits.is_empty(), "{name}: {}: {shown:#?}", hits.len());
        for (index, canary) in self.canaries.iter().enumerate().take(EACH) {
            let missed = self.search.missed(text, (index, &canary.value));
            assert_eq!(missed, None, "{name}: {} is not found", canary.kind);
        }
    }
}

/// Flows in turn, each with a batch of its own.
fn batches(count: usize) -> Vec<(Batch, flows::Flow)> {
    let flows = flows::all().into_iter().cycle().enumerate();
    let starts = (0..count).step_by(EACH);
    let batch = |(start, (number, (name, flow))): (usize, (usize, (&str, flows::Flow)))| {
        let canaries = start..count.min(start + EACH);
        let name = format!("{name}-{number}");
        (Batch { name, canaries }, flow)
    };
    starts.zip(flows).map(batch).collect()
}

#[test]
fn no_value_that_is_moved_comes_out_anywhere() {
    let count = match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => ALL,
        None => SHARE,
    };
    let mut bench = Bench::new(seed(), count);
    let (mut etcd, _) = cluster().etcd().expect("etcd");
    let mut stage = Stage::logging("--log=trace");
    let namespace = stage.named(AUDITED);
    let started = Instant::now();
    let batches = batches(count);
    flows::before(&mut bench, &batches);
    stage.enrol(&namespace);
    for (batch, flow) in &batches {
        flow(&mut bench, &stage, batch);
    }
    let took = started.elapsed().as_secs_f32();
    println!(
        "{count} values in {} ConfigMaps, {took:.1} s",
        batches.len()
    );
    // What follows from it has followed.
    std::thread::sleep(Duration::from_secs(3));
    let stored = etcd.catch_up().expect("etcd");
    outputs::search(&mut bench, &stage, &stored, &batches);
    let took = started.elapsed().as_secs_f32();
    println!("all was looked through after {took:.1} s");
    stage.installation.check().expect("they run");
}
