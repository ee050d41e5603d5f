//! Canaries: values that look like the secrets that people have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A value that must not come out.
pub(super) struct Canary {
    /// What it looks like.
    pub(super) kind: &'static str,
    /// What must not come out.
    pub(super) value: String,
    /// What objects hold: the value, and what surrounds it.
    pub(super) text: String,
}

/// Numbers without a pattern (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn of(&mut self, signs: &str, count: usize) -> String {
        let signs: Vec<char> = signs.chars().collect();
        let mut one = || signs[usize::try_from(self.next() >> 33).expect("31 bits") % signs.len()];
        (0..count).map(|_| one()).collect()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// As many canaries, of eight kinds by turns.
pub(super) fn make(seed: u64, count: usize) -> Vec<Canary> {
    let mut random = Random(seed);
    (0..count).map(|index| one(&mut random, index)).collect()
}

fn one(random: &mut Random, index: usize) -> Canary {
    let same = |value: String| (value.clone(), value);
    // By turns of eight turns, so that each kind gets to each place.
    let (kind, (value, text)) = match (index + index / 8) % 8 {
        0 => ("password", same(random.of(LETTERS, 24))),
        1 => (
            "GitHub token",
            same(format!("ghp_{}", random.of(LETTERS, 36))),
        ),
        2 => ("AWS key", same(random.of(&format!("{LETTERS}/+"), 40))),
        3 => {
            let value = random.of(LETTERS, 24);
            let text = format!("postgres://app:{value}@db.shop.svc:5432/shop");
            ("URL", (value, text))
        }
        4 => {
            let value = STANDARD.encode(random.bytes(48));
            let (begin, end) = ("-----BEGIN RSA PRIVATE", "-----END RSA PRIVATE");
            let text = format!("{begin} KEY-----\nMII{value}\n{value}\n{end} KEY-----\n");
            ("private key", (value, text))
        }
        5 => {
            let value = random.of(LETTERS, 43);
            let (head, body) = (
                STANDARD.encode(r#"{"alg":"HS256"}"#),
                STANDARD.encode(r#"{"sub":"canary1"}"#),
            );
            let text = format!(
                "{}.{}.{value}",
                head.trim_end_matches('='),
                body.trim_end_matches('=')
            );
            ("JWT", (value, text))
        }
        6 => {
            let [a, b, c] = [10, 8, 8].map(|count| random.of(LETTERS, count));
            ("passphrase", same(format!("{a}\"\\{b}<&é/{c}")))
        }
        _ => ("WireGuard key", same(STANDARD.encode(random.bytes(32)))),
    };
    Canary { kind, value, text }
}
