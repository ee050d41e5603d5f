//! What machines make: values without a meaning, from the alphabets that
//! generators of passwords and tokens have. Whatever letters chance puts next to
//! each other, a value under the name of a secret has to be found.

use portcullis_secrets::{Confidence, Detector, Options};

const NAMES: [&str; 3] = ["DB_PASSWORD", "api_token", "clientSecret"];
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const SIGNS: &str = "!#$%&()*+,-./:;<=>?@[]^_{|}~";
const VALUES: u32 = 10_000;

/// An alphabet, and for each length how many of [`VALUES`] may be let be: those
/// that look like words to whoever sees no digit, or a sign where none should be.
struct Generator {
    title: &'static str,
    letters: String,
    most: &'static [(usize, usize)],
}

fn generators() -> Vec<Generator> {
    let of = |title, parts: &[&str], most| Generator {
        title,
        letters: parts.concat(),
        most,
    };
    let (small, both) = (LOWER, [LOWER, UPPER].concat());
    vec![
        of(
            "letters and digits",
            &[&both, DIGITS],
            &[(16, 40), (24, 8), (32, 2), (64, 0)],
        ),
        of(
            "base64",
            &[&both, DIGITS, "+/"],
            &[(24, 6), (32, 1), (44, 0), (64, 0)],
        ),
        of(
            "base64, for URLs",
            &[&both, DIGITS, "-_"],
            &[(22, 40), (32, 4), (43, 0), (86, 0)],
        ),
        of(
            "hexadecimal",
            &["abcdef", DIGITS],
            &[(32, 0), (40, 0), (64, 0)],
        ),
        of(
            "base32",
            &[UPPER, "234567"],
            &[(16, 300), (32, 20), (52, 1)],
        ),
        of(
            "small letters and digits",
            &[small, DIGITS],
            &[(20, 20), (32, 1), (40, 0)],
        ),
        of(
            "with signs",
            &[&both, DIGITS, SIGNS],
            &[(16, 80), (24, 40), (32, 40)],
        ),
    ]
}

/// The same values in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let limit = u64::try_from(limit).expect("a number");
        usize::try_from(self.0 % limit).expect("below it")
    }

    fn value(&mut self, letters: &[u8], length: usize) -> String {
        let letter = |_| char::from(letters[self.below(letters.len())]);
        (0..length).map(letter).collect()
    }
}

#[test]
fn what_machines_make_is_found() {
    let detector = Detector::new(&Options::default()).expect("a detector");
    let is_missed = |name: &str, value: &str| {
        let found = detector.entry(name, value);
        let best = found.iter().map(|found| found.confidence).max();
        best < Some(Confidence::Medium)
    };
    for generator in generators() {
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        for (length, most) in generator.most {
            let all = (0..VALUES).map(|_| {
                let value = chance.value(generator.letters.as_bytes(), *length);
                (NAMES[chance.below(NAMES.len())], value)
            });
            let missed: Vec<_> = all.filter(|(name, value)| is_missed(name, value)).collect();
            let title = generator.title;
            println!(
                "{title} of {length}: {} of {VALUES} are let be",
                missed.len()
            );
            assert!(missed.len() <= *most, "{title} of {length}: {missed:#?}");
        }
    }
}
