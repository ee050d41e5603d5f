//! What comes from outside, mutated: no parser panics, and each keeps what it
//! promises. The corpora are in `tests/data/fuzz/NAME/`; an input that ever
//! failed is put there and is tried first by every later run.
//!
//! `PORTCULLIS_SEED` repeats a run; `PORTCULLIS_FULL=1` makes one last a
//! minute instead of a second.

mod mutate;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mutate::Mutator;

use crate::guests::is_full;
use crate::support::root;

/// What one input may take: far more than any parser needs, so that a busy
/// machine fails nothing, and far less than something quadratic takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest input that mutations make, in bytes.
const LONGEST: usize = 256 * 1024;

/// Tries a target on its corpus, and then on mutations of it until the time
/// is over.
fn fuzz(name: &str, more: Vec<Vec<u8>>, target: impl Fn(&[u8])) {
    let mut corpus = corpus(name);
    assert!(!corpus.is_empty(), "tests/data/fuzz/{name} is empty");
    corpus.extend(more);
    for input in &corpus {
        attempt(name, 0, input, &target);
    }
    let seed = seed();
    let mut mutator = Mutator::new(seed);
    let time = Duration::from_secs(if is_full() { 60 } else { 1 });
    let started = Instant::now();
    let mut count = 0_u64;
    while started.elapsed() < time || count < 100 {
        let input = mutator.mutate(&corpus, LONGEST);
        attempt(name, seed, &input, &target);
        count += 1;
    }
    println!("{name}: {count} inputs, PORTCULLIS_SEED={seed}");
}

fn seed() -> u64 {
    if let Ok(seed) = std::env::var("PORTCULLIS_SEED") {
        return seed.parse().expect("a seed is a number");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.expect("a date").as_micros()).expect("a year of 64 bits")
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = root().join("tests/data/fuzz").join(name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    let read = |path: &PathBuf| fs::read(path).expect("a file");
    paths.iter().map(read).collect()
}

fn attempt(name: &str, seed: u64, input: &[u8], target: &impl Fn(&[u8])) {
    let started = Instant::now();
    let is_held = catch_unwind(AssertUnwindSafe(|| target(input))).is_ok();
    let took = started.elapsed();
    if is_held && took < PATIENCE {
        return;
    }
    let folder = root().join("target/fuzz");
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("{name}-{seed}"));
    fs::write(&path, input).expect("a file");
    panic!(
        "{name}: an input failed after {took:?}, PORTCULLIS_SEED={seed}; it is in {}: \
         mend what failed, and add it to tests/data/fuzz/{name}",
        path.display()
    );
}
