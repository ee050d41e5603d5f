//! A thousand secrets, new in each run, put wherever objects can hold one, and
//! sent through everything that says something: none of them comes out, in
//! clear or encoded. The same search finds each that is planted.

mod objects;
mod outputs;
mod parrots;
mod search;
mod values;

use std::path::Path;

use crate::support::Scratch;
use objects::Placed;
use search::Search;
use values::Canary;

/// What is said, and by what.
type Output = (String, String);

/// Canaries and the objects that they are in.
struct Bench {
    seed: u64,
    canaries: Vec<Canary>,
    objects: Vec<Placed>,
    search: Search,
}

impl Bench {
    fn new() -> Bench {
        let seed = seed();
        println!("PORTCULLIS_SEED={seed}");
        let canaries = values::make(seed, 1_000);
        Bench {
            seed,
            objects: objects::holding(&canaries),
            search: Search::new(canaries.iter().map(|canary| canary.value.as_str())),
            canaries,
        }
    }

    /// Nothing of a canary is in these outputs, and the search would find it.
    fn assert_clean(&self, outputs: &[Output]) {
        for (name, text) in outputs {
            assert!(!text.trim().is_empty(), "{name} says nothing");
            let hits = self.search.hits(text.as_bytes());
            let shown: Vec<String> = hits.iter().take(3).map(|hit| self.shown(hit)).collect();
            let (count, seed) = (hits.len(), self.seed);
            assert!(
                hits.is_empty(),
                "{name}: {count}, PORTCULLIS_SEED={seed}: {shown:#?}"
            );
            self.assert_found_where_planted(name, text);
        }
    }

    /// The positive control: each form of a canary, put in the midst of this
    /// very output.
    fn assert_found_where_planted(&self, name: &str, text: &str) {
        for (index, canary) in self.canaries.iter().enumerate().step_by(125).take(8) {
            let missed = self.search.missed(text.as_bytes(), (index, &canary.value));
            let kind = canary.kind;
            assert_eq!(
                missed, None,
                "{name}: {kind} is not found where it is planted"
            );
        }
    }

    fn shown(&self, hit: &search::Hit) -> String {
        let canary = &self.canaries[hit.canary];
        format!(
            "{} in {}, as {}: {}",
            canary.kind,
            objects::place(hit.canary),
            hit.form,
            hit.context
        )
    }
}

/// That of the run, or the one that a run before printed.
fn seed() -> u64 {
    match std::env::var("PORTCULLIS_SEED") {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.expect("a time after 1970").subsec_nanos().into()
        }
    }
}

#[test]
fn no_secret_leaves_through_the_webhook_its_log_or_its_metrics() {
    let bench = Bench::new();
    let scratch = Scratch::new();
    parrots::write(&scratch, &bench);
    let outputs = outputs::of_the_webhook(scratch, &bench);
    let said = |name: &str, part: &str| {
        let text = outputs
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, text)| text);
        assert!(
            text.is_some_and(|text| text.contains(part)),
            "{name} lacks {part}"
        );
    };
    for part in [
        "[env-secrets/env-secret]",
        "[env-secrets/command-secret]",
        "[configmap-secrets/",
        // What a policy without the grant, or one that knows it all, repeats.
        "[parrot-deployment/parrot]",
        "[value removed]",
    ] {
        said("answers", part);
    }
    said("log", "TRACE");
    said("metrics", "portcullis_");
    bench.assert_clean(&outputs);
}

#[test]
fn no_secret_leaves_through_check_in_any_form_of_output() {
    let bench = Bench::new();
    let scratch = Scratch::new();
    outputs::write_manifests(&scratch, &bench);
    let outputs = outputs::of_check(scratch.path());
    for (name, text) in &outputs {
        for code in ["env-secret", "command-secret", "plain-secret"] {
            assert!(text.contains(code), "{name} lacks {code}");
        }
    }
    bench.assert_clean(&outputs);
    let found = outputs::count_found(&outputs, &bench);
    assert!(
        found > 850,
        "only {found} of the places are found to hold a secret"
    );
}

#[test]
fn no_secret_leaves_through_what_is_written_into_a_cluster() {
    let bench = Bench::new();
    let scratch = Scratch::new();
    outputs::write_manifests(&scratch, &bench);
    bench.assert_clean(&outputs::of_reports(&scratch));
}

#[test]
fn no_secret_leaves_through_a_review_that_is_played_back() {
    let bench = Bench::new();
    bench.assert_clean(&outputs::of_review(&Scratch::new(), &bench));
}

#[test]
fn no_secret_leaves_through_the_cases_of_a_policy() {
    let bench = Bench::new();
    bench.assert_clean(&outputs::of_policy_test(&bench));
}

#[test]
fn only_the_policies_on_secrets_are_granted_values() {
    let granted = ["configmap-secrets", "plain-secret-in-git"];
    for profile in ["observe", "starter", "strict"] {
        let folder = crate::support::root().join("pack").join(profile);
        let mut found = granted_in(&folder);
        found.extend(granted_in(&folder.join("effects")));
        found.sort();
        assert_eq!(found, granted, "{profile}");
    }
}

/// The policies of a profile that hold any grant.
fn granted_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a profile");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let granted = paths.filter(|path| path.is_file()).filter_map(|path| {
        let text = std::fs::read(path).expect("a policy");
        let policy = portcullis_manifest::parse_document(&text).expect("YAML");
        let is_granted = policy.pointer("/spec/grants").is_some();
        let name = policy
            .pointer("/metadata/name")
            .and_then(|name| name.as_str());
        is_granted.then(|| name.expect("a name").to_owned())
    });
    granted.collect()
}
