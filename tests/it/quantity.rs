//! Quantities against `ParseQuantity`, which the API server reads them with.

use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_sdk::quantity::Quantity;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::judge;

/// Generated texts a run.
const COUNT: usize = 20_000;
const SEED: &str = "PORTCULLIS_SEED";

#[test]
fn odd_quantities_are_read_as_the_api_server_reads_them() {
    let texts = include_str!("../data/quantities.txt").lines();
    let texts: Vec<String> = texts
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    assert!(texts.len() > 200, "{} texts", texts.len());
    compare(&texts, "tests/data/quantities.txt");
}

#[test]
fn generated_quantities_are_read_as_the_api_server_reads_them() {
    let seed = match std::env::var(SEED) {
        Ok(seed) => seed.parse().expect("a seed is a number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            u64::try_from(now.expect("a date").as_micros()).expect("a year of 64 bits")
        }
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut text = || text().new_tree(&mut runner).expect("a text").current();
    let texts: Vec<String> = (0..COUNT).map(|_| text()).collect();
    let (read, refused) = compare(&texts, &format!("{SEED}={seed}"));
    // Neither side of the border is left out.
    assert!(
        read > COUNT / 4 && refused > COUNT / 8,
        "{SEED}={seed}: {read} read, {refused} refused"
    );
}

/// Well-formed texts, such with one sign changed, and soups of their signs.
fn text() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "[0-9]{1,4}",
        "[0-9]{1,3}\\.[0-9]{0,4}",
        "\\.[0-9]{1,12}",
        "0{0,5}[0-9]{10,30}",
        "[0-9]{0,22}\\.[0-9]{0,40}",
        "0{1,3}\\.0{5,25}[0-9]{0,3}",
        "922337203685477580[5-9]",
    ];
    let unit = prop_oneof![
        3 => "[numkMGTPE]?",
        3 => "[KMGTPE]i",
        2 => "[eE][+-]?[0-9]{1,2}",
        1 => "[eE][+-]?[0-9]{3}",
        1 => "[eEinumkKMGTP]{0,3}[+-]?[0-9]{0,2}",
    ];
    let whole = ("[+-]?", number, unit).prop_map(|(sign, number, unit)| sign + &number + &unit);
    let changed = (whole.clone(), any::<prop::sample::Index>(), "[ -~é]?");
    let changed = changed.prop_map(|(text, place, sign)| {
        let place = place.index(text.len() + 1);
        let after = text.get(place + 1..).unwrap_or_default();
        format!("{}{sign}{after}", &text[..place])
    });
    let soup = "[0-9.+eEinumkKMGTPi-]{0,9}";
    let text = prop_oneof![5 => whole, 3 => changed, 2 => soup];
    text.prop_filter("an exponent that upstream takes minutes for", |text| {
        let exponent = text.rsplit_once(['e', 'E']).map(|(_, exponent)| exponent);
        exponent.is_none_or(|exponent| exponent.len() <= 5)
    })
}

/// Compares all texts; how many both sides read, and how many both refused.
fn compare(texts: &[String], source: &str) -> (usize, usize) {
    let judged = judged(texts);
    assert_eq!(judged.len(), texts.len(), "{source}");
    let (mut read, mut refused) = (0, 0);
    let mut differ = Vec::new();
    for (text, expected) in texts.iter().zip(judged) {
        let found = text.parse::<Quantity>().ok().map(Quantity::nanos);
        match expected {
            expected if expected != found => {
                differ.push(format!("{text:?}: {found:?}, upstream {expected:?}"));
            }
            Some(_) => read += 1,
            None => refused += 1,
        }
    }
    assert!(
        differ.is_empty(),
        "{source}: {} differ, first {:?}",
        differ.len(),
        &differ[..differ.len().min(5)]
    );
    (read, refused)
}

/// What upstream makes of each text, in billionths; None for an error.
fn judged(texts: &[String]) -> Vec<Option<i128>> {
    let lines: String = texts
        .iter()
        .map(|text| serde_json::Value::from(text.as_str()).to_string() + "\n")
        .collect();
    let quantity = |line: String| (line != "ERROR").then(|| nanos(&line));
    let judged = judge::asked(&["quantity"], &lines);
    judged.into_iter().map(quantity).collect()
}

/// `15e-1` in billionths; what is beyond 128 bits ends there, as
/// [`Quantity`] says of itself.
fn nanos(line: &str) -> i128 {
    let (digits, exponent) = line.split_once('e').expect("digits and exponent");
    let exponent: i64 = exponent.parse().expect("an exponent");
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, digits),
    };
    if digits.bytes().all(|digit| digit == b'0') {
        return 0;
    }
    assert!(exponent >= -9, "{line}: upstream keeps nothing finer");
    let zeros = usize::try_from((exponent + 9).min(60)).expect("not negative");
    let digits = format!("{digits}{}", "0".repeat(zeros));
    sign * digits.parse().unwrap_or(i128::MAX)
}
