//! No value of a Secret or ConfigMap leaves through a policy that was not
//! granted them.
//!
//! Such a policy is shown blanks (`contract::redaction`), so that there is
//! nothing to leak. This is the second wall: should a value come in another
//! way (a copy in some other field, a fault of ours), it does not get into a
//! message, a log, an audit line or a patch.
//!
//! Values of workloads are shown to every policy that reads them; those that
//! one of them found to be secret leave through none: see [`found`].

pub mod found;

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use portcullis_contract::{Changes, Effect, Finding, PatchOperation, Verdict, redaction};
use serde_json::Value;

use super::failure::{Cause, Failure};

/// What stands where a value stood.
const REMOVED: &str = "[value removed]";
/// Shorter texts, in bytes, say nothing and stand in any sentence.
const SHORTEST: usize = 4;
/// From this length on, a line of a longer value counts by itself.
const SHORTEST_LINE: usize = 8;

/// The values of the objects of one request.
#[derive(Debug, Default)]
pub struct Values {
    /// The longest first: one that holds another is removed first.
    texts: Vec<String>,
    /// Which of them start with these bytes, so that a text is searched once
    /// for all of them.
    heads: HashMap<[u8; SHORTEST], Vec<usize>>,
}

impl Values {
    /// The values of Secrets and ConfigMaps among the objects: as they are,
    /// line by line, and decoded. What the object shows anyway (names, keys)
    /// is no value, even where one is equal to it.
    pub fn of(objects: [&Value; 2]) -> Values {
        let mut values = Vec::new();
        for object in objects {
            let shown = shown(object);
            let is_public = |text: &String| shown.contains(text.as_str());
            for text in redaction::values(object) {
                let mut forms = forms(text);
                forms.extend(decoded(text).iter().flat_map(|text| self::forms(text)));
                forms.retain(|form| !is_public(form));
                values.append(&mut forms);
            }
        }
        values.into_iter().collect()
    }

    /// Removes values from what people read, and refuses changes that hold
    /// any.
    ///
    /// # Errors
    ///
    /// Changes that repeat a value.
    pub fn scrub(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        if self.texts.is_empty() {
            return Ok(());
        }
        for finding in &mut verdict.findings {
            self.scrub_finding(finding);
        }
        match &mut verdict.changes {
            Some(changes) => self.scrub_changes(changes),
            None => Ok(()),
        }
    }

    /// Removes values from the message of a failure.
    #[must_use]
    pub fn scrub_failure(&self, mut failure: Failure) -> Failure {
        self.clean(&mut failure.message);
        failure
    }

    fn scrub_finding(&self, finding: &mut Finding) {
        self.clean(&mut finding.message);
        self.clean(&mut finding.remedy);
        if self.holds(&finding.path) {
            // The object itself is a place, too.
            finding.path.clear();
        }
        if let Some(container) = &mut finding.container {
            self.clean(container);
        }
    }

    fn scrub_changes(&self, changes: &mut Changes) -> Result<(), Failure> {
        for text in changes.annotations.values_mut() {
            self.clean(text);
        }
        for finding in changes.hanging_mut() {
            self.scrub_finding(finding);
        }
        let in_patch = changes.patch.iter().any(|operation| match operation {
            PatchOperation::Remove { path } => self.holds(path),
            PatchOperation::Add { path, value }
            | PatchOperation::Replace { path, value }
            | PatchOperation::Test { path, value } => self.holds(path) || self.is_in(value),
        });
        let in_effects = changes.effects.iter().any(|effect| {
            self.holds(&effect.kind) || self.is_in(&effect.object) || self.asks(effect)
        });
        let permissions = changes.guarded.iter().map(|guarded| &guarded.permission);
        let in_permissions = permissions
            .flat_map(serde_json::to_value)
            .any(|asked| self.is_in(&asked));
        let hanging = changes.lacking.iter().map(serde_json::to_value);
        let hanging = hanging.chain(changes.cut_off.iter().map(serde_json::to_value));
        let in_hanging = hanging.flatten().any(|one| self.is_in(&one));
        let in_object = changes
            .object
            .as_ref()
            .is_some_and(|object| self.is_in(object));
        let in_keys = changes.annotations.keys().any(|key| self.holds(key));
        if in_patch || in_effects || in_permissions || in_hanging || in_object || in_keys {
            let message = "its changes repeat a value of this Secret or ConfigMap: \
                           if you trust it with them, write `spec.grants: [values]`";
            return Err(Failure::guest(Cause::Grant, message));
        }
        Ok(())
    }

    /// Whether what would make an effect needless holds a value: to ask the API
    /// server for it would tell it.
    fn asks(&self, effect: &Effect) -> bool {
        let asked = effect.unless.iter().map(serde_json::to_value);
        asked.flatten().any(|asked| self.is_in(&asked))
    }

    fn clean(&self, text: &mut String) {
        for value in self.perhaps_in(text) {
            let mut from = 0;
            while let Some(start) = find(text, value, from) {
                text.replace_range(start..start + value.len(), REMOVED);
                from = start + REMOVED.len();
            }
        }
    }

    fn holds(&self, text: &str) -> bool {
        let mut perhaps = self.perhaps_in(text).into_iter();
        perhaps.any(|value| find(text, value, 0).is_some())
    }

    /// The values that stand in a text, be it as a part of a word.
    fn perhaps_in(&self, text: &str) -> Vec<&str> {
        let mut found: BTreeSet<usize> = BTreeSet::new();
        for (start, head) in text.as_bytes().windows(SHORTEST).enumerate() {
            let rest = &text.as_bytes()[start..];
            let of_head = self.heads.get(head).into_iter().flatten().copied();
            found.extend(of_head.filter(|index| rest.starts_with(self.texts[*index].as_bytes())));
        }
        let texts = found.into_iter().map(|index| self.texts[index].as_str());
        texts.collect()
    }

    fn is_in(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.holds(text),
            Value::Array(list) => list.iter().any(|value| self.is_in(value)),
            Value::Object(map) => map
                .iter()
                .any(|(key, value)| self.holds(key) || self.is_in(value)),
            _ => false,
        }
    }
}

impl FromIterator<String> for Values {
    /// Texts that are shorter than four bytes are left out.
    fn from_iter<I: IntoIterator<Item = String>>(values: I) -> Values {
        let mut texts: Vec<String> = values.into_iter().collect();
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        let mut heads: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, text) in texts.iter().enumerate() {
            if let Some(head) = text.as_bytes().first_chunk() {
                heads.entry(*head).or_default().push(index);
            }
        }
        Values { texts, heads }
    }
}

/// A value as it may be repeated: whole, and line by line.
fn forms(text: &str) -> Vec<String> {
    let whole = text.trim();
    let lines = whole
        .lines()
        .map(str::trim)
        .filter(|line| line.len() >= SHORTEST_LINE);
    let mut forms: Vec<String> = lines.map(str::to_owned).collect();
    if whole.len() >= SHORTEST {
        forms.push(whole.to_owned());
    }
    forms
}

fn decoded(text: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    String::from_utf8(bytes).ok()
}

/// What an object shows of itself without its values.
fn shown(object: &Value) -> BTreeSet<&str> {
    let metadata = ["/kind", "/metadata/name", "/metadata/namespace"];
    let mut shown: BTreeSet<&str> = metadata
        .iter()
        .filter_map(|at| object.pointer(at)?.as_str())
        .collect();
    for member in ["data", "binaryData", "stringData"] {
        let keys = object.get(member).and_then(Value::as_object);
        shown.extend(
            keys.into_iter()
                .flat_map(|map| map.keys())
                .map(String::as_str),
        );
    }
    shown
}

/// Where `value` stands in `text`, at `from` or later, by itself and not as a
/// part of a word.
fn find(text: &str, value: &str, from: usize) -> Option<usize> {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let (first, last) = (value.chars().next(), value.chars().next_back());
    let is_bounded = |start: &usize| {
        let before = text[..*start].chars().next_back();
        let after = text[start + value.len()..].chars().next();
        let goes_on = (is_word(before) && is_word(first)) || (is_word(after) && is_word(last));
        !goes_on
    };
    let matches = text[from..].match_indices(value);
    matches
        .map(|(start, _)| from + start)
        .find(|start| is_bounded(start))
}

#[cfg(test)]
mod tests;
