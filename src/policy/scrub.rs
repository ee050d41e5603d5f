//! No value of a Secret or ConfigMap leaves through a policy that was not
//! granted them.
//!
//! Such a policy is shown blanks (`contract::redaction`), so that there is
//! nothing to leak. This is the second wall: should a value come in another
//! way (a copy in some other field, a fault of ours), it does not get into a
//! message, a log, an audit line or a patch.

use std::collections::BTreeSet;

use base64::Engine as _;
use portcullis_contract::{Changes, Finding, PatchOperation, Verdict, redaction};
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
pub struct Values(Vec<String>);

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
        // A value that holds another is removed first.
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        Values(values)
    }

    /// Removes values from what people read, and refuses changes that hold
    /// any.
    ///
    /// # Errors
    ///
    /// Changes that repeat a value.
    pub fn scrub(&self, verdict: &mut Verdict) -> Result<(), Failure> {
        if self.0.is_empty() {
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
        let in_patch = changes.patch.iter().any(|operation| match operation {
            PatchOperation::Remove { path } => self.holds(path),
            PatchOperation::Add { path, value }
            | PatchOperation::Replace { path, value }
            | PatchOperation::Test { path, value } => self.holds(path) || self.is_in(value),
        });
        let in_effects = changes
            .effects
            .iter()
            .any(|effect| self.holds(&effect.kind) || self.is_in(&effect.object));
        let in_object = changes
            .object
            .as_ref()
            .is_some_and(|object| self.is_in(object));
        let in_keys = changes.annotations.keys().any(|key| self.holds(key));
        if in_patch || in_effects || in_object || in_keys {
            let message = "its changes repeat a value of this Secret or ConfigMap: \
                           if you trust it with them, write `spec.grants: [values]`";
            return Err(Failure::guest(Cause::Grant, message));
        }
        Ok(())
    }

    fn clean(&self, text: &mut String) {
        for value in &self.0 {
            let mut from = 0;
            while let Some(start) = find(text, value, from) {
                text.replace_range(start..start + value.len(), REMOVED);
                from = start + REMOVED.len();
            }
        }
    }

    fn holds(&self, text: &str) -> bool {
        self.0.iter().any(|value| find(text, value, 0).is_some())
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
mod tests {
    use portcullis_contract::Effect;
    use serde_json::json;

    use super::*;

    const VALUE: &str = "hunter2-hunter2";

    fn values() -> Values {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
            "data": {"password": "aHVudGVyMi1odW50ZXIy", "user": "dXNlcg=="},
            "stringData": {"file": "first line\n  second line of it\n", "password": "x"},
        });
        Values::of([&secret, &Value::Null])
    }

    fn finding() -> Finding {
        Finding {
            code: "c".into(),
            message: "m".into(),
            remedy: "r".into(),
            path: "/data".into(),
            container: None,
        }
    }

    fn judged(finding: Finding) -> String {
        let mut verdict = Verdict {
            findings: vec![finding],
            ..Verdict::default()
        };
        values().scrub(&mut verdict).expect("no changes");
        serde_json::to_string(&verdict).expect("JSON")
    }

    #[test]
    fn no_text_of_a_finding_keeps_a_value() {
        let smuggled = [
            format!("it is {VALUE}"),
            "it is aHVudGVyMi1odW50ZXIy".to_owned(),
            "see 'second line of it'.".to_owned(),
        ];
        for text in smuggled {
            let with = |change: fn(&mut Finding, String)| {
                let mut finding = finding();
                change(&mut finding, text.clone());
                judged(finding)
            };
            for output in [
                with(|finding, text| finding.message = text),
                with(|finding, text| finding.remedy = text),
                with(|finding, text| finding.container = Some(text)),
                with(|finding, text| finding.path = format!("/data/{text}")),
            ] {
                assert!(!output.contains(VALUE), "{output}");
                assert!(!output.contains("aHVudGVyMi1odW50ZXIy"), "{output}");
                assert!(!output.contains("second line"), "{output}");
            }
        }
    }

    #[test]
    fn a_value_that_the_mark_holds_is_removed_once() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "value"}});
        let mut text = "value, value".to_owned();
        Values::of([&secret, &secret]).clean(&mut text);
        assert_eq!(text, format!("{REMOVED}, {REMOVED}"));
    }

    #[test]
    fn names_and_keys_are_no_values() {
        let mut finding = finding();
        finding.message = "`db` has a `password` and a superuser".into();
        finding.path = "/data/password".into();
        let output = judged(finding.clone());
        let verdict = Verdict {
            findings: vec![finding],
            ..Verdict::default()
        };
        assert_eq!(output, serde_json::to_string(&verdict).expect("JSON"));
    }

    #[test]
    fn changes_that_hold_a_value_are_refused() {
        let held = || json!({"a": [{"b": VALUE}]});
        let patch = |operation| Changes {
            patch: vec![operation],
            ..Changes::default()
        };
        let path = || "/metadata/labels/x".to_owned();
        let smuggled = [
            patch(PatchOperation::Add {
                path: path(),
                value: held(),
            }),
            patch(PatchOperation::Replace {
                path: path(),
                value: json!(VALUE),
            }),
            patch(PatchOperation::Test {
                path: path(),
                value: json!({VALUE: 1}),
            }),
            patch(PatchOperation::Remove {
                path: format!("/x/{VALUE}"),
            }),
            Changes {
                object: Some(held()),
                ..Changes::default()
            },
            Changes {
                effects: vec![Effect {
                    kind: "k".into(),
                    required: false,
                    object: held(),
                }],
                ..Changes::default()
            },
            Changes {
                annotations: [(VALUE.to_owned(), "x".to_owned())].into(),
                ..Changes::default()
            },
        ];
        for changes in smuggled {
            let mut verdict = Verdict {
                changes: Some(changes.clone()),
                ..Verdict::default()
            };
            let failure = values().scrub(&mut verdict).expect_err("refused");
            assert!(!failure.message.contains(VALUE), "{changes:?}");
        }
    }

    #[test]
    fn audit_lines_and_failures_lose_values() {
        let mut verdict = Verdict {
            changes: Some(Changes {
                annotations: [("k".to_owned(), format!("is {VALUE}"))].into(),
                ..Changes::default()
            }),
            ..Verdict::default()
        };
        values().scrub(&mut verdict).expect("cleaned");
        let annotations = verdict.changes.expect("changes").annotations;
        assert_eq!(annotations["k"], format!("is {REMOVED}"));
        let failure = Failure::guest(Cause::Refused, format!("bad {VALUE}"));
        assert_eq!(
            values().scrub_failure(failure).message,
            format!("bad {REMOVED}")
        );
    }
}
