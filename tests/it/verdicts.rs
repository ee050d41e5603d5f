//! The verdict cache: whatever is judged, it is judged the same with it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis::admit::verdicts::{Verdicts, remember};
use portcullis::admit::{Answers, Known, Phase, Scope, Subject, admit, at_once};
use portcullis::pack::{Pack, Profile};
use portcullis::policy::decision::Decision;
use portcullis::policy::{Asked, Attributes, Evaluate, Failure, Policy, PolicySet, Ready};
use portcullis::wasm::Engine;
use portcullis::{load, review, source};
use portcullis_contract::reads::Reads;
use portcullis_contract::{Redaction, Verdict};
use portcullis_manifest as manifest;
use serde_json::{Map, Value, json};

use crate::support::root;

/// Files of a folder, by name, for as long as the tests run.
fn leaked(folder: &str, extension: &str) -> Vec<(&'static str, &'static [u8])> {
    let mut files: Vec<_> = std::fs::read_dir(root().join(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let name = path
                .file_stem()
                .and_then(|name| name.to_str())
                .expect("a name");
            let bytes = std::fs::read(path).expect("a file");
            (&*name.to_owned().leak(), &*bytes.leak())
        })
        .collect()
}

/// The pack, as the binary embeds it.
fn pack() -> Pack {
    let profiles = ["observe", "starter", "strict"].map(|profile| {
        let files = leaked(&format!("pack/{profile}"), "yaml");
        let text = |(name, bytes)| (name, std::str::from_utf8(bytes).expect("UTF-8"));
        let documents: Vec<_> = files.into_iter().map(text).collect();
        (profile, &*documents.leak())
    });
    let compiled: Vec<_> = leaked("target/policies", "code")
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    Pack {
        programs: leaked("target/policies", "wasm").leak(),
        compiled: compiled.leak(),
        profiles: profiles.to_vec().leak(),
        ..Pack::EMPTY
    }
}

/// The recorded reviews, and the CREATE of every object of the corpora.
fn requests() -> Vec<Map<String, Value>> {
    let mut requests = Vec::new();
    for (name, bytes) in leaked("tests/data/reviews", "json") {
        let review: Value = serde_json::from_slice(bytes).expect(name);
        requests.push(review["request"].as_object().expect(name).clone());
    }
    assert_eq!(requests.len(), 24);
    objects(&root().join("tests/data/corpora"), &mut requests);
    assert!(requests.len() > 300, "{}", requests.len());
    requests
}

fn objects(folder: &Path, requests: &mut Vec<Map<String, Value>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            objects(&path, requests);
        } else if path.extension().is_some_and(|found| found == "yaml") {
            let stream = manifest::read(&std::fs::read(&path).expect("a file"));
            let create = |object: &manifest::Object| review::create(&object.value, |_, _| false);
            requests.extend(stream.objects.iter().map(create));
        }
    }
}

/// What `ask` decides on a request.
fn on<T>(admission: &Map<String, Value>, ask: impl Fn(&Subject<'_>) -> T) -> T {
    let attributes = Attributes::parse(admission).expect("attributes");
    let namespace = attributes.namespace.as_deref();
    ask(&Subject {
        admission,
        attributes: &attributes,
        namespace: &namespace.map_or(Value::Null, review::namespace),
        known: Known::InPart,
        others: None,
    })
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

/// A decision without the times.
fn timeless(mut decision: Decision) -> Decision {
    for evaluation in &mut decision.evaluations {
        evaluation.took = Duration::ZERO;
    }
    decision
}

fn scope(phase: Phase) -> Scope {
    Scope {
        phase,
        failure_policy: None,
        moving: false,
    }
}

fn decide(set: &PolicySet, admission: &Map<String, Value>, phase: Phase) -> Decision {
    let deadline = Instant::now() + Duration::from_secs(60);
    timeless(on(admission, |subject| {
        admit(set, subject, scope(phase), deadline)
    }))
}

fn remembering(set: &PolicySet, verdicts: &Arc<Verdicts>) -> PolicySet {
    let policies = set.policies().iter().cloned();
    let behind = policies.map(|policy| remember(policy, verdicts)).collect();
    PolicySet::new(behind, set.excluded_namespaces.clone()).expect("a set")
}

#[test]
fn every_request_is_decided_alike_with_and_without_the_cache() {
    let (pack, requests) = (pack(), requests());
    let engine = Arc::new(
        Engine::new()
            .expect("an engine")
            .with_code(pack.compiled, None),
    );
    for profile in [Profile::Observe, Profile::Starter, Profile::Strict] {
        let mut found = source::policies(&pack, profile, &[]).expect("policies");
        // Who holds a grant, or looks other objects up, is asked each time (guests::lookups).
        found.retain(|found| {
            let spec = &found.resource.spec;
            spec.grants.is_empty() && spec.lookups.is_empty()
        });
        for found in &mut found {
            // A busy machine must not make a difference.
            found.resource.spec.limits.deadline_milliseconds = 10_000;
        }
        let set = || load::load(&engine, &pack, &found, BTreeSet::new()).expect("a set");
        let hits = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&hits);
        let count = move |hit| {
            seen.fetch_add(usize::from(hit), Ordering::Relaxed);
        };
        let verdicts = Arc::new(Verdicts::new(8 << 20, count));
        let (plain, behind) = (set(), remembering(&set(), &verdicts));
        let mut judged = 0;
        for admission in &requests {
            for phase in [Phase::Mutate, Phase::Validate] {
                let expected = decide(&plain, admission, phase);
                judged += expected.evaluations.len();
                for _ in 0..2 {
                    assert_eq!(decide(&behind, admission, phase), expected);
                }
                let again = on(admission, |subject| {
                    at_once(&behind, subject, scope(phase), soon())
                });
                assert_eq!(again.map(timeless), Ok(expected));
            }
        }
        assert!(judged > 300, "{judged} evaluations");
        let hits = hits.load(Ordering::Relaxed);
        assert!(hits >= 2 * judged, "{hits} hits of {judged} evaluations");
    }
}

#[test]
fn nothing_is_had_at_once_of_a_set_that_nothing_is_known_of() {
    let pack = pack();
    let engine = Arc::new(
        Engine::new()
            .expect("an engine")
            .with_code(pack.compiled, None),
    );
    let found = source::policies(&pack, Profile::Starter, &[]).expect("policies");
    let set = load::load(&engine, &pack, &found, BTreeSet::new()).expect("a set");
    let pod = review::create(
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "c", "image": "nginx"}]}}),
        |_, _| false,
    );
    decide(&set, &pod, Phase::Validate);
    let again = on(&pod, |subject| {
        at_once(&set, subject, scope(Phase::Validate), soon())
    });
    assert_eq!(again, Err(Answers::default()));
}

/// Says the same whatever it is shown.
struct Says(&'static str);

impl Evaluate for Says {
    fn judge(&self, _: Asked<'_>, _: Instant) -> Result<Verdict, Failure> {
        let finding = json!({"code": "c", "message": self.0, "remedy": "r", "path": "/data"});
        Ok(serde_json::from_value(json!({"findings": [finding]})).expect("a verdict"))
    }

    fn identity(&self) -> Option<[u8; 32]> {
        Some([7; 32])
    }
}

fn secret(value: &str) -> Map<String, Value> {
    let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "stringData": {"key": value}});
    review::create(&object, |_, _| false)
}

/// What is shown of two Secrets is the same text; what must not be repeated
/// of them is not.
#[test]
fn values_are_removed_from_a_verdict_that_was_kept_before_they_were_known() {
    let description = json!({"interface": "0.1.0", "name": "p", "version": "1.0.0", "summary": "s",
        "matches": {"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"],
            "resources": ["*"], "operations": ["*"]}]},
        "reads": ["object.stringData"], "settings": {},
        "codes": [{"code": "c", "level": "error", "meaning": "m"}]});
    let policy = Policy {
        name: "p".parse().expect("a name"),
        spec: serde_json::from_value(json!({"program": {"file": "x"}, "failurePolicy": "Fail"}))
            .expect("a spec"),
        description: Some(Arc::new(serde_json::from_value(description).expect("one"))),
        program: Ok(Ready {
            reads: Arc::new(Reads::parse(["object.stringData"]).expect("reads")),
            redaction: Redaction::Blank,
            sight: Arc::default(),
            program: Arc::new(Says("hunter2-hunter2 is weak")),
        }),
    };
    let policy = remember(policy, &Arc::new(Verdicts::new(1 << 20, |_| ())));
    let set = PolicySet::new(vec![policy], BTreeSet::new()).expect("a set");
    let message = |value: &str| {
        let decision = decide(&set, &secret(value), Phase::Validate);
        decision.findings[0].finding.message.clone()
    };
    assert_eq!(message("something-else"), "hunter2-hunter2 is weak");
    assert_eq!(message("hunter2-hunter2"), "[value removed] is weak");
    assert_eq!(message("something-else"), "hunter2-hunter2 is weak");
}
