//! Writes that are tried out first: a dry run writes nothing, and says what the
//! write itself will say.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_cluster::Answer;

use super::{OTHER, VALUE, kubectl};

/// What may be written on behalf of a user, and what may come of that.
const KINDS: &str = "configmaps,secrets,relocations,pods,events,resourcequotas,deployments";
/// Each with its version; events with who told them.
const LINES: &str = "-o=jsonpath={range .items[*]}{.kind} {.metadata.name} \
    {.metadata.resourceVersion} {.reportingComponent}{\"\\n\"}{end}";
/// How often others may write something meanwhile, and for how long.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(250);
/// Before what a webhook says.
const DENIED: &str = "denied the request: ";

/// A write, tried out and done.
pub(crate) struct Written {
    dry: Answer,
    pub(crate) real: Answer,
}

/// Runs kubectl with `--dry-run=server`, sees that nothing is written, and then
/// without.
pub(crate) fn write(namespace: &str, arguments: &[&str], stdin: &str) -> Written {
    Written {
        dry: tried(namespace, arguments, stdin),
        real: kubectl(namespace, arguments, stdin),
    }
}

/// `kubectl apply` of it.
pub(crate) fn apply(namespace: &str, manifest: &str) -> Written {
    write(namespace, &["apply", "-f", "-"], manifest)
}

/// `kubectl create` of it.
pub(crate) fn create(namespace: &str, manifest: &str) -> Written {
    write(namespace, &["create", "-f", "-"], manifest)
}

/// The dry run alone.
pub(crate) fn tried(namespace: &str, arguments: &[&str], stdin: &str) -> Answer {
    let arguments = [arguments, &["--dry-run=server"]].concat();
    unwritten(namespace, || kubectl(namespace, &arguments, stdin))
}

/// What a dry run said that wrote nothing.
pub(crate) fn unwritten(namespace: &str, try_it: impl Fn() -> Answer) -> Answer {
    for _ in 0..TRIES {
        let before = listing(namespace);
        let answer = try_it();
        let after = listing(namespace);
        let changed: Vec<&String> = after.symmetric_difference(&before).collect();
        // What follows from earlier writes comes when it comes; this does not.
        let is_of_a_write = |line: &&&String| {
            line.starts_with("ConfigMap ") || line.starts_with("Secret portcullis-moved-s-")
        };
        let written = changed.iter().find(is_of_a_write);
        assert_eq!(written, None, "a dry run wrote: {answer:?}");
        if changed.is_empty() {
            return answer;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("something is written all the time in {namespace}");
}

/// What there is in a namespace, and how new it is; of events, ours.
fn listing(namespace: &str) -> BTreeSet<String> {
    let all = kubectl(namespace, &["get", KINDS, LINES], "").ok();
    let all = all.expect("a listing");
    let is_listed = |line: &&str| !line.starts_with("Event ") || line.contains("portcullis");
    all.lines().filter(is_listed).map(str::to_owned).collect()
}

impl Written {
    /// Both went well, and neither said a value.
    pub(crate) fn passed(self) -> Answer {
        for answer in [&self.dry, &self.real] {
            assert_eq!(answer.code, 0, "{answer:?}");
            says_no_value(&answer.stderr);
        }
        self.real
    }

    /// Both were refused in the same words, one line that has all of `parts`.
    pub(crate) fn refused(self, parts: &[&str]) -> String {
        let text = refusal(&self.real, parts);
        assert_eq!(refusal(&self.dry, parts), text);
        text
    }

    /// The dry run passed, which sees nothing of what lies in the way of a
    /// Secret; the write was refused.
    pub(crate) fn refused_when_done(self, parts: &[&str]) -> String {
        assert_eq!(self.dry.code, 0, "{:?}", self.dry);
        refusal(&self.real, parts)
    }
}

/// What a webhook of ours said, which is one line, has all of `parts`, and no
/// value.
pub(crate) fn refusal(answer: &Answer, parts: &[&str]) -> String {
    assert_ne!(answer.code, 0, "{answer:?}");
    assert!(answer.stderr.contains("portcullis.dev\" "), "{answer:?}");
    let said = answer.stderr.rsplit_once(DENIED).map(|(_, said)| said);
    // Where kubectl shows what it sent, that is the user's own.
    let said = said.expect("a refusal").trim_end();
    assert!(!said.contains('\n'), "more than a line: {said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?}: {said}");
    }
    says_no_value(said);
    said.to_owned()
}

/// Neither of the two values, nor in base64.
pub(crate) fn says_no_value(text: &str) {
    for value in [VALUE, OTHER] {
        assert!(!text.contains(value), "a value is told: {text}");
        let encoded = STANDARD.encode(value);
        let encoded = encoded.trim_end_matches('=');
        assert!(
            !text.contains(&encoded[..encoded.len() - 1]),
            "a value is told in base64: {text}"
        );
    }
}
