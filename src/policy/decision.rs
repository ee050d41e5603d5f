//! All verdicts of one request, folded.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use portcullis_contract::{PatchOperation, pointer};

use super::action::Actions;
use super::effect::hanging::{Closing, Lacking};
use super::effect::{Guard, Wanted};
use super::{Exemption, Failure, FailurePolicy, PolicyName, action::Action};

/// A finding, and what it leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The policy that found it.
    pub policy: PolicyName,
    /// The finding.
    pub finding: portcullis_contract::Finding,
    /// Its level, from the policy's description.
    pub level: portcullis_contract::Level,
    /// What it leads to.
    pub actions: Actions,
    /// It hangs on a namespace label that is not known here.
    pub guessed: bool,
    /// What stands at its path is a secret, which nobody is shown.
    pub secret: bool,
    /// What forgives it, if anything does; it is then an audit line.
    pub exempted: Option<Arc<Exemption>>,
}

/// A policy that gave no verdict, and what that leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// The policy.
    pub policy: PolicyName,
    /// Why.
    pub failure: Failure,
    /// Its failurePolicy, which answers in its place.
    pub failure_policy: FailurePolicy,
}

/// One evaluation, for metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The policy.
    pub policy: PolicyName,
    /// How long it took.
    pub took: Duration,
}

/// All verdicts of one request, folded: the answer, the report and the log
/// line are three views of it.
///
/// Order: policies by name; the findings of one as it gave them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// What was found.
    pub findings: Vec<Judged>,
    /// Which policies broke.
    pub failures: Vec<Broken>,
    /// The changes of all policies as one patch; empty where none changes
    /// anything. Not sent if anything is denied: see [`Decision::verdict`].
    pub patch: Vec<PatchOperation>,
    /// Which policies contributed to `patch`.
    pub changed_by: Vec<PolicyName>,
    /// Audit annotations that policies asked for, by policy.
    pub annotations: BTreeMap<PolicyName, BTreeMap<String, String>>,
    /// Objects that policies want to exist besides. Not acted on if anything is
    /// denied, nor on dry-run.
    pub effects: Vec<Wanted>,
    /// What is found besides, unless the user may do something.
    pub guarded: Vec<Guard>,
    /// What is found besides in files and audits, if nothing makes up for it.
    pub lacking: Vec<Lacking>,
    /// What is found besides where the API server calls what would be closed.
    pub closing: Vec<Closing>,
    /// The policies that ran, with their time.
    pub evaluations: Vec<Evaluation>,
}

/// What the request gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<'d> {
    /// It passes, changed by `patch`.
    Allowed {
        /// RFC 6902 operations; may be empty.
        patch: &'d [PatchOperation],
    },
    /// It is refused; nothing is changed.
    Denied {
        /// One line a reason.
        message: String,
    },
}

impl Decision {
    /// What the request gets: refused if any finding leads to Deny or any
    /// policy broke whose failurePolicy is Fail.
    pub fn verdict(&self) -> Verdict<'_> {
        let denials: Vec<String> = self
            .findings
            .iter()
            .filter(|judged| judged.actions.action == Action::Deny)
            .map(Judged::text)
            .chain(self.denying_failures().map(Broken::text))
            .collect();
        if denials.is_empty() {
            Verdict::Allowed { patch: &self.patch }
        } else {
            Verdict::Denied {
                message: denials.join("\n"),
            }
        }
    }

    /// Whether the request is refused.
    pub fn is_denied(&self) -> bool {
        self.findings
            .iter()
            .any(|judged| judged.actions.action == Action::Deny)
            || self.denying_failures().next().is_some()
    }

    fn denying_failures(&self) -> impl Iterator<Item = &Broken> {
        self.failures
            .iter()
            .filter(|broken| broken.failure_policy == FailurePolicy::Fail)
    }

    /// What the client is warned of, one line each, within the limits of the
    /// API server: see [`warnings`].
    pub fn warnings(&self) -> Vec<String> {
        let findings = self
            .findings
            .iter()
            .filter(|judged| judged.actions.action == Action::Warn)
            .map(Judged::warning);
        let failures = self
            .failures
            .iter()
            .filter(|broken| broken.failure_policy == FailurePolicy::Ignore)
            .map(Broken::text);
        warnings(findings.chain(failures))
    }

    /// Audit annotations: by policy, the codes and places of what it found,
    /// and what it added. Never a value.
    pub fn audit_annotations(&self) -> BTreeMap<String, String> {
        let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for judged in self.findings.iter().filter(|judged| judged.actions.audit) {
            let place = place(&judged.finding);
            let exempted = judged.exempted.as_ref();
            let by = exempted.map_or(String::new(), |by| format!(" exempted by {}", by.name));
            let line = format!("{} {place}{by}", judged.finding.code);
            lines
                .entry(judged.policy.to_string())
                .or_default()
                .push(line);
        }
        for broken in &self.failures {
            let line = format!("failure {} {}", broken.failure.blame, broken.failure.cause);
            lines
                .entry(broken.policy.to_string())
                .or_default()
                .push(line);
        }
        let mut annotations: BTreeMap<String, String> = lines
            .into_iter()
            .map(|(policy, lines)| (policy, lines.join("; ")))
            .collect();
        for (policy, own) in &self.annotations {
            for (key, value) in own {
                annotations.insert(format!("{policy}.{key}"), plain(value));
            }
        }
        annotations
    }
}

impl Judged {
    /// The line that a person reads: the remedy first.
    ///
    /// ``write a version instead of `latest`: `nginx:latest` changes under you
    /// (container `web`, spec.containers[0].image) [image-tags/image-latest]``
    pub fn text(&self) -> String {
        let (what, place) = self.parts();
        format!("{what}{place}")
    }

    /// The same, cut to the length of a warning: what is wrong gives way to
    /// where it is.
    fn warning(&self) -> String {
        let (what, place) = self.parts();
        let room = WARNING_BYTES
            .saturating_sub(place.len())
            .max(WARNING_BYTES / 4);
        format!("{}{place}", cut(what, room))
    }

    /// What is wrong and what to do, and where.
    fn parts(&self) -> (String, String) {
        let finding = &self.finding;
        let place = place(finding);
        let place = match (&finding.container, place.as_str()) {
            (Some(container), "") => format!(" (container `{container}`)"),
            (Some(container), place) => format!(" (container `{container}`, {place})"),
            (None, "") => String::new(),
            (None, place) => format!(" ({place})"),
        };
        let guess = if self.guessed {
            "; the namespace's labels are not known here"
        } else {
            ""
        };
        let code = format!("[{}/{}]", self.policy, finding.code);
        let what = format!("{}: {}", finding.remedy, finding.message);
        (plain(&what), plain(&format!("{place}{guess} {code}")))
    }
}

/// Where a finding lies, as people write it: `data["app.yaml"], line 12`.
fn place(finding: &portcullis_contract::Finding) -> String {
    let mut place = pointer::field_path(&finding.path);
    if let Some(within) = finding.within {
        let _ = write!(place, ", {within}");
    }
    place
}

impl Broken {
    /// The line that a person reads.
    pub fn text(&self) -> String {
        let ignored = match self.failure_policy {
            FailurePolicy::Fail => "",
            FailurePolicy::Ignore => ", and lets it pass (failurePolicy Ignore)",
        };
        plain(&format!(
            "policy `{}` could not judge this request{ignored}: {} [{}/{}]",
            self.policy, self.failure.message, self.failure.blame, self.failure.cause
        ))
    }
}

/// A warning longer than this is cut: the API server may cut at 256 (design:
/// api-server.md, section 3), and counts bytes.
const WARNING_BYTES: usize = 240;
/// All warnings together; the API server drops what passes 4,096 bytes.
const WARNINGS_BYTES: usize = 3_900;

/// Cuts each warning to 240 bytes and all of them to 3,900; then the last
/// says how many more there were.
pub fn warnings(lines: impl Iterator<Item = String>) -> Vec<String> {
    let lines: Vec<String> = lines.map(|line| cut(line, WARNING_BYTES)).collect();
    let more =
        |count: usize| format!("{count} more warnings are not shown: run `portcullis check`");
    let mut shown = Vec::new();
    let mut used = 0;
    for (index, line) in lines.iter().enumerate() {
        let left = lines.len() - index;
        let reserve = if left > 1 { more(left).len() } else { 0 };
        if used + line.len() + reserve > WARNINGS_BYTES {
            shown.push(more(left));
            break;
        }
        used += line.len();
        shown.push(line.clone());
    }
    shown
}

/// Cuts a line to `most` bytes, at a character.
pub(crate) fn cut(mut line: String, most: usize) -> String {
    const ELLIPSIS: &str = "...";
    if line.len() > most {
        let end = line.floor_char_boundary(most - ELLIPSIS.len());
        line.truncate(end);
        line.push_str(ELLIPSIS);
    }
    line
}

/// One line without control characters: the API server drops a warning that
/// holds one, and a terminal would obey it. The same goes for the marks that
/// turn the direction of text.
pub fn plain(text: &str) -> String {
    let is_hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|c| if is_hostile(c) { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
