//! What policies found to be secret is shown by none of them.
//!
//! A literal in the environment of a container, or in its arguments, is read
//! by every policy that says so, and any of them may repeat it. Once one of
//! them has found that it is a secret, it is taken out of what all of them
//! said. Secrets and ConfigMaps are left to [`Values::of`].

use std::collections::BTreeSet;

use portcullis_contract::redaction;
use serde_json::Value;

use super::super::Decision;
use super::{SHORTEST, Values, find, forms};

/// Members that hold what an object is given, and not what it is.
const GIVEN: [&str; 7] = [
    "annotations",
    "args",
    "binaryData",
    "command",
    "data",
    "stringData",
    "value",
];

/// Takes what was found to be secret out of a decision on this object.
pub fn hide(decision: &mut Decision, object: &Value) {
    let secret = decision.findings.iter().filter(|judged| judged.secret);
    let paths: Vec<&str> = secret.map(|judged| judged.finding.path.as_str()).collect();
    if paths.is_empty() || redaction::holds_values(object) {
        return;
    }
    let values = Values::at(object, &paths);
    let guarded = decision.guarded.iter_mut().map(|one| &mut one.judged);
    let lacking = decision.lacking.iter_mut().map(|one| &mut one.judged);
    let closing = decision.closing.iter_mut().map(|one| &mut one.judged);
    let hanging = guarded.chain(lacking).chain(closing);
    for judged in decision.findings.iter_mut().chain(hanging) {
        values.scrub_finding(&mut judged.finding);
    }
    for broken in &mut decision.failures {
        values.clean(&mut broken.failure.message);
    }
    for text in decision
        .annotations
        .values_mut()
        .flat_map(|own| own.values_mut())
    {
        values.clean(text);
    }
}

impl Values {
    /// The texts at these JSON Pointers, whole, line by line, and what follows
    /// the `=` of a flag. What the object shows anyway (names, images) is no
    /// value: a weak password may well be the name of an image.
    pub fn at(object: &Value, paths: &[&str]) -> Values {
        let distinct: BTreeSet<&str> = paths.iter().copied().collect();
        let texts = distinct.into_iter();
        let texts = texts.filter_map(|path| object.pointer(path)?.as_str());
        let forms = texts.flat_map(|text| {
            let after = text.split_once('=').map(|(_, after)| after.trim());
            let after = after.filter(|after| after.len() >= SHORTEST);
            forms(text).into_iter().chain(after.map(str::to_owned))
        });
        let values: Values = forms.collect();
        if values.texts.is_empty() {
            return values;
        }
        let mut shown = Vec::new();
        collect_shown(object, &mut shown);
        let public = shown.into_iter().flat_map(|text| {
            let held = values.perhaps_in(text).into_iter();
            held.filter(move |value| find(text, value, 0).is_some())
        });
        let public: BTreeSet<&str> = public.collect();
        let secret = values.texts.iter();
        let secret = secret.filter(|text| !public.contains(text.as_str()));
        secret.cloned().collect()
    }

    /// The text without these values.
    pub fn without(&self, mut text: String) -> String {
        self.clean(&mut text);
        text
    }
}

/// The texts by which an object is known.
fn collect_shown<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(list) => list.iter().for_each(|value| collect_shown(value, out)),
        Value::Object(map) => {
            let members = map
                .iter()
                .filter(|(name, _)| !GIVEN.contains(&name.as_str()));
            members.for_each(|(_, value)| collect_shown(value, out));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use portcullis_contract::{Finding, Level};
    use serde_json::json;

    use super::*;
    use crate::policy::action::{Action, Actions};
    use crate::policy::{Cause, Failure, FailurePolicy, Judged, decision::Broken};

    fn judged(secret: bool, path: &str, text: &str) -> Judged {
        let finding = Finding {
            code: "c".into(),
            message: text.into(),
            remedy: text.into(),
            path: path.into(),
            container: Some("postgres".into()),
            within: None,
        };
        let actions = Actions {
            action: Action::Warn,
            audit: true,
            moves: false,
        };
        Judged {
            policy: "p".parse().expect("a name"),
            finding,
            level: Level::Error,
            actions,
            guessed: false,
            secret,
            exempted: None,
        }
    }

    fn pod() -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{
            "name": "postgres", "image": "postgres:16",
            "env": [{"name": "A", "value": "hunter2-hunter2"}, {"name": "B", "value": "postgres"}],
            "args": ["--token=correct-horse"],
        }]}})
    }

    #[test]
    fn nothing_that_was_found_is_repeated_by_any_policy() {
        let text = "`postgres:16` with hunter2-hunter2 and correct-horse";
        let paths = [
            "/spec/containers/0/env/0/value",
            "/spec/containers/0/env/1/value",
        ];
        let mut decision = Decision {
            findings: vec![
                judged(false, "/spec/containers/0/image", text),
                judged(true, paths[0], "m"),
                judged(true, paths[1], "m"),
                judged(true, "/spec/containers/0/args/0", text),
            ],
            failures: vec![Broken {
                policy: "q".parse().expect("a name"),
                failure: Failure::guest(Cause::Refused, text),
                failure_policy: FailurePolicy::Fail,
            }],
            ..Decision::default()
        };
        let own = [("k".to_owned(), text.to_owned())].into();
        decision
            .annotations
            .insert("p".parse().expect("a name"), own);
        hide(&mut decision, &pod());
        let left = format!("{decision:?}");
        assert!(
            !left.contains("hunter2") && !left.contains("correct-horse"),
            "{left}"
        );
        // What the object shows anyway is still said.
        assert_eq!(
            left.matches("`postgres:16` with [value removed]").count(),
            6
        );
        assert_eq!(left.matches("Some(\"postgres\")").count(), 4, "{left}");
    }

    #[test]
    fn without_a_secret_all_stays_as_it_was_said() {
        let mut decision = Decision {
            findings: vec![judged(
                false,
                "/spec/containers/0/env/0/value",
                "hunter2-hunter2",
            )],
            ..Decision::default()
        };
        let before = decision.clone();
        hide(&mut decision, &pod());
        assert_eq!(decision, before);
    }

    /// Each of a thousand texts is searched once, and not for each value.
    #[test]
    fn many_values_in_many_texts_cost_little() {
        let value = |n: usize| json!({"name": "a", "value": format!("canary-value-{n:06}")});
        let env: Vec<Value> = (0..1_000).map(value).collect();
        let pod = json!({"spec": {"containers": [{"env": env}]}});
        let text = "the same text over and over, ".repeat(60);
        let finding = |n| judged(true, &format!("/spec/containers/0/env/{n}/value"), &text);
        let mut decision = Decision {
            findings: (0..1_000).map(finding).collect(),
            ..Decision::default()
        };
        let started = std::time::Instant::now();
        hide(&mut decision, &pod);
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        assert_eq!(decision.findings[0].finding.message, text);
    }
}
