//! Patterns of the operator.

use std::ops::Range;

use regex_automata::dfa::dense;
use regex_automata::dfa::regex::Regex;
use regex_automata::util::syntax;
use regex_automata::{MatchKind, nfa::thompson};

use crate::{Confidence, Fault, Kind, Pattern};

/// How large the automaton of one pattern may be, in bytes: it is a part of
/// each policy's snapshot.
const MAX_BYTES: usize = 1 << 20;
/// How many patterns there may be: each is a search of the whole text.
const MAX_PATTERNS: usize = 32;

/// Complete automata: nothing is built in a search.
#[derive(Debug)]
pub(crate) struct Patterns {
    patterns: Vec<(Regex, String, Confidence)>,
}

impl Patterns {
    /// # Errors
    ///
    /// With every pattern that cannot be used.
    pub(crate) fn new(patterns: &[Pattern]) -> Result<Option<Self>, Vec<Fault>> {
        if patterns.len() > MAX_PATTERNS {
            let message = format!(
                "there are {} patterns; at most {MAX_PATTERNS} are searched for",
                patterns.len()
            );
            return Err(vec![Fault {
                path: "/patterns".into(),
                message,
            }]);
        }
        let mut faults = Vec::new();
        let mut built = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            match compile(&pattern.regex) {
                Ok(regex) => built.push((regex, pattern.name.clone(), pattern.confidence)),
                Err(message) => faults.push(Fault {
                    path: format!("/patterns/{index}/regex"),
                    message,
                }),
            }
        }
        match faults.is_empty() {
            true => Ok((!built.is_empty()).then_some(Patterns { patterns: built })),
            false => Err(faults),
        }
    }

    /// What the patterns match, each from the beginning of the text.
    pub(crate) fn matches<'t>(
        &'t self,
        text: &'t str,
    ) -> impl Iterator<Item = (Range<usize>, Kind, Confidence)> + 't {
        self.patterns
            .iter()
            .flat_map(move |(regex, name, confidence)| {
                let matches = regex.find_iter(text.as_bytes()).take(super::scan::MOST);
                matches.map(move |found| (found.range(), Kind::Own(name.clone()), *confidence))
            })
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    let regex = Regex::builder()
        .syntax(syntax)
        .thompson(
            thompson::Config::new()
                .nfa_size_limit(Some(MAX_BYTES))
                .utf8(false),
        )
        .dense(
            dense::Config::new()
                .match_kind(MatchKind::LeftmostFirst)
                .dfa_size_limit(Some(MAX_BYTES))
                .determinize_size_limit(Some(4 * MAX_BYTES)),
        )
        .build(pattern)
        .map_err(|error| reason(&error))?;
    let matches_nothing = regex.find(b"").is_some();
    match matches_nothing {
        true => Err("matches the empty text: demand at least one sign".into()),
        false => Ok(regex),
    }
}

/// What is wrong with a pattern, in one line.
fn reason(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    let last = text.lines().last().unwrap_or_default().trim();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    match text.contains("exceed") || text.contains("limit") {
        true => "makes too large an automaton: use shorter repetitions".into(),
        false => format!("is no regular expression: {last}"),
    }
}
