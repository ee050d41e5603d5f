//! The codes of all policies in force, as SARIF's rules.

use std::collections::BTreeMap;

use portcullis_contract::Code;
use serde_json::{Value, json};

use super::level;
use crate::finding::Finding;
use crate::policy::action::Action;
use crate::policy::decision::{cut, plain};
use crate::policy::exemption::standing;
use crate::policy::{Policy, PolicySet};

/// The longest description that GitHub shows, in characters; bytes are never
/// fewer.
const DESCRIPTION_BYTES: usize = 1_024;

/// The rules, and where each stands. Two policies may have one code, and then
/// two rules have one id (SARIF 2.1.0, 3.49.3): the index tells them apart.
pub(super) struct Rules {
    descriptors: Vec<Value>,
    index: BTreeMap<(String, String), usize>,
}

impl Rules {
    pub(super) fn of(set: &PolicySet, findings: &[Finding]) -> Rules {
        let mut rules = Rules {
            descriptors: Vec::new(),
            index: BTreeMap::new(),
        };
        for policy in set.policies() {
            for code in policy.description.iter().flat_map(|d| &d.codes) {
                let key = (policy.name.to_string(), code.code.clone());
                rules.index.insert(key, rules.descriptors.len());
                rules.descriptors.push(descriptor(policy, code));
            }
        }
        if findings
            .iter()
            .any(|finding| finding.policy == standing::POLICY)
        {
            rules.add_own();
        }
        rules
    }

    /// Those about exemptions, which no policy reports.
    fn add_own(&mut self) {
        for (code, meaning) in standing::CODES {
            let key = (standing::POLICY.to_owned(), code.to_owned());
            self.index.insert(key, self.descriptors.len());
            let level = match code {
                standing::UNREADABLE => Action::Deny,
                _ => Action::Warn,
            };
            self.descriptors.push(json!({
                "id": code,
                "shortDescription": {"text": first_sentence(meaning)},
                "fullDescription": {"text": meaning},
                "help": {"text": meaning, "markdown": format!("{meaning}\n")},
                "defaultConfiguration": {"level": self::level(level)},
                "properties": {"policy": standing::POLICY, "tags": [standing::POLICY]},
            }));
        }
    }

    pub(super) fn descriptors(&self) -> &[Value] {
        &self.descriptors
    }

    pub(super) fn index(&self, policy: &str, code: &str) -> Option<usize> {
        let key = (policy.to_owned(), code.to_owned());
        self.index.get(&key).copied()
    }
}

fn descriptor(policy: &Policy, code: &Code) -> Value {
    let meaning = if code.meaning.trim().is_empty() {
        &code.code
    } else {
        &code.meaning
    };
    let text = plain(meaning);
    let more = format!(
        "`portcullis explain {}` and `portcullis policy show {}` say more.",
        code.code, policy.name
    );
    json!({
        "id": code.code,
        "shortDescription": {"text": cut(first_sentence(&text).to_owned(), DESCRIPTION_BYTES)},
        "fullDescription": {"text": cut(text.clone(), DESCRIPTION_BYTES)},
        "help": {
            "text": format!("{text} {more}"),
            "markdown": format!("{meaning}\n\n{more}\n"),
        },
        "defaultConfiguration": {"level": level(policy.leads_to(code))},
        "properties": {"policy": policy.name.to_string(), "tags": [policy.name.to_string()]},
    })
}

/// Up to the first period that ends a word and is not in a code span.
fn first_sentence(text: &str) -> &str {
    let mut in_code = false;
    let mut characters = text.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        in_code ^= character == '`';
        let ends = characters.peek().is_none_or(|(_, next)| *next == ' ');
        if character == '.' && ends && !in_code {
            return &text[..=index];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_sentence_ends_at_its_own_period() {
        for (text, first) in [
            ("Its tag is `latest`. A node pulls.", "Its tag is `latest`."),
            (
                "As in `{{ .Values. x }}` or v1.31. Or.",
                "As in `{{ .Values. x }}` or v1.31.",
            ),
            ("No period", "No period"),
            ("", ""),
        ] {
            assert_eq!(first_sentence(text), first);
        }
    }
}
