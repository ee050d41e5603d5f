//! Changes: RFC 6902 against a second implementation, chains of policies.
//!
//! `PORTCULLIS_CASES` says how many cases a property is tried on (10,000 unless
//! told; a release wants 1,000,000), `PORTCULLIS_SEED` repeats a run: a failure
//! names its seed.

mod chain;
mod differences;
mod patches;
mod rfc6902;
mod values;

use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_contract::PatchOperation;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde_json::{Value, json};

/// What a property says of one case.
type Outcome = Result<(), TestCaseError>;

/// Tries a property on generated values; one in `share` of the usual number.
fn hold<S>(share: u32, strategy: &S, property: impl Fn(S::Value) -> Outcome)
where
    S: Strategy,
    S::Value: Debug,
{
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let seed = number("PORTCULLIS_SEED").map_or(now.as_secs(), |seed| seed.expect("a number"));
    let cases = number("PORTCULLIS_CASES").map_or(10_000, |cases| cases.expect("a number"));
    let config = Config {
        cases: u32::try_from(cases).expect("a small number") / share,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(strategy, property) {
        panic!("{error}\nagain: PORTCULLIS_SEED={seed}");
    }
}

/// What the second implementation of RFC 6902 makes of an object.
fn second(object: &Value, patch: &[PatchOperation]) -> Result<Value, String> {
    let patch: json_patch::Patch =
        serde_json::from_value(json!(patch)).map_err(|error| error.to_string())?;
    second_raw(object, &patch)
}

fn second_raw(object: &Value, patch: &json_patch::Patch) -> Result<Value, String> {
    let mut object = object.clone();
    json_patch::patch(&mut object, patch).map_err(|error| error.to_string())?;
    Ok(object)
}

fn path(operation: &PatchOperation) -> &str {
    use PatchOperation::{Add, Remove, Replace, Test};
    match operation {
        Add { path, .. } | Remove { path } | Replace { path, .. } | Test { path, .. } => path,
    }
}
