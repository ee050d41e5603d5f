//! The one automaton that every text goes through.
//!
//! It is complete and never changes (design: wasm.md, section F): a fresh
//! instance of a policy searches with it as it was snapshot.

use std::collections::BTreeMap;
use std::ops::Range;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};

use crate::rules::Rule;

/// What a keyword may be a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    /// The name of a key.
    Name,
    /// A token: the index of its rule.
    Rule(usize),
    /// A URL.
    Url,
    /// `@tcp(` or `@(` of a data source name.
    Driver,
    /// `-----BEGIN`
    Pem,
    /// `Private-Lines:` of PuTTY.
    Putty,
    /// `"kty"` of a JWK.
    JsonWebKey,
    /// The hash of a password.
    Hash,
    /// `Bearer` or `Basic`, and a token.
    Scheme,
    /// `IDENTIFIED ... BY` in SQL.
    Identified,
    /// Programs that take a password by a short flag.
    Program,
}

/// Words of names that may hold secrets. Each name is looked at as a whole
/// (`name`); these only have to occur in it.
#[rustfmt::skip]
const NAMES: [&str; 17] = [
    "pass", "pwd", "pw", "kennwort", "wachtwoord", "contrasena", "senha", "secret", "token", "key", "cred", "psk",
    "salt", "auth", "mnemonic", "access_code", "community",
];

/// Everything else that is looked for.
const MARKS: [(&str, Mark); 37] = [
    ("://", Mark::Url),
    ("@tcp(", Mark::Driver),
    ("@(", Mark::Driver),
    ("@tcp6(", Mark::Driver),
    ("@udp(", Mark::Driver),
    ("@unix(", Mark::Driver),
    ("@cloudsql(", Mark::Driver),
    ("-----begin", Mark::Pem),
    ("private-lines:", Mark::Putty),
    ("\"kty\"", Mark::JsonWebKey),
    ("$2a$", Mark::Hash),
    ("$2b$", Mark::Hash),
    ("$2y$", Mark::Hash),
    ("$argon2", Mark::Hash),
    ("$pbkdf2", Mark::Hash),
    ("$scrypt$", Mark::Hash),
    ("$apr1$", Mark::Hash),
    ("$1$", Mark::Hash),
    ("$5$", Mark::Hash),
    ("$6$", Mark::Hash),
    ("$7$", Mark::Hash),
    ("$y$", Mark::Hash),
    ("pbkdf2_sha", Mark::Hash),
    ("pbkdf2:sha", Mark::Hash),
    ("scram-sha-256$", Mark::Hash),
    ("{ssha", Mark::Hash),
    ("{sha", Mark::Hash),
    ("{pbkdf2", Mark::Hash),
    ("\\x2432", Mark::Hash),
    ("bearer ", Mark::Scheme),
    ("basic ", Mark::Scheme),
    ("identified ", Mark::Identified),
    ("curl ", Mark::Program),
    ("sshpass ", Mark::Program),
    ("redis-cli ", Mark::Program),
    ("mysql", Mark::Program),
    ("mariadb", Mark::Program),
];

/// The automaton, and what its keywords mean.
#[derive(Debug)]
pub(crate) struct Automaton {
    keywords: DFA,
    marks: Vec<Vec<Mark>>,
}

impl Automaton {
    /// The automaton of the built-in keywords, those of `rules`, and names of
    /// the operator.
    ///
    /// # Errors
    ///
    /// If the keywords are too many for one automaton.
    pub(crate) fn new(rules: &[Rule], names: &[String]) -> Result<Self, String> {
        let mut keywords: BTreeMap<String, Vec<Mark>> = BTreeMap::new();
        let mut add = |keyword: &str, mark: Mark| {
            let marks = keywords.entry(keyword.to_ascii_lowercase()).or_default();
            marks.push(mark);
        };
        NAMES.iter().for_each(|name| add(name, Mark::Name));
        MARKS.iter().for_each(|(keyword, mark)| add(keyword, *mark));
        for (index, rule) in rules.iter().enumerate() {
            add(&rule.keyword, Mark::Rule(index));
        }
        for name in names {
            // As it may be written: what stands between its words is not known.
            let words = name.split(|sign: char| !sign.is_ascii_alphanumeric());
            let longest = words.max_by_key(|word| word.len()).unwrap_or_default();
            add(longest, Mark::Name);
        }
        let automaton = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .build(keywords.keys())
            .map_err(|error| error.to_string())?;
        Ok(Automaton {
            keywords: automaton,
            marks: keywords.into_values().collect(),
        })
    }

    /// Tells `take` where keywords are, and what each may be a part of, in the
    /// order of their ends, until it says that it has enough.
    pub(crate) fn each(&self, text: &[u8], mut take: impl FnMut(&Range<usize>, Mark) -> bool) {
        let Ok(mut state) = self.keywords.start_state(Anchored::No) else {
            return;
        };
        for (index, byte) in text.iter().enumerate() {
            state = self.keywords.next_state(Anchored::No, state, *byte);
            if !self.keywords.is_match(state) {
                continue;
            }
            for nth in 0..self.keywords.match_len(state) {
                let pattern = self.keywords.match_pattern(state, nth);
                let end = index + 1;
                let hit = end - self.keywords.pattern_len(pattern)..end;
                for mark in &self.marks[pattern.as_usize()] {
                    if !take(&hit, *mark) {
                        return;
                    }
                }
            }
        }
    }
}
