//! Events about what an audit found: one an object and code, at most one a
//! second.

use std::collections::HashSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cluster::audit::Audited;
use crate::cluster::home::MANAGER;
use crate::finding::{Finding, Identity};
use crate::policy::action::Action;
use crate::policy::decision::cut;

/// Between two Events.
const PAUSE: Duration = Duration::from_secs(1);
/// Events that wait to be written. What does not fit comes after the next
/// audit.
const WAITING: usize = 500;
/// Events that are remembered. Past it all are told again.
const REMEMBERED: usize = 20_000;
/// Events take 1 kB.
const MAX_NOTE: usize = 1_000;

/// Publishes what is new.
pub struct Events {
    told: HashSet<(Identity, String)>,
    queue: mpsc::Sender<(Event, ObjectReference)>,
    /// Ends when this is dropped.
    _writing: JoinSet<()>,
}

impl Events {
    /// As this replica. Call it on a runtime.
    pub fn new(client: Client, identity: &str) -> Events {
        let reporter = Reporter {
            controller: MANAGER.to_owned(),
            instance: Some(identity.to_owned()),
        };
        let (queue, waiting) = mpsc::channel(WAITING);
        let mut writing = JoinSet::new();
        writing.spawn(write(Recorder::new(client, reporter), waiting));
        Events {
            told: HashSet::new(),
            queue,
            _writing: writing,
        }
    }

    /// Tells of what is denied or warned of and was not told of yet.
    pub fn publish(&mut self, audited: &Audited) {
        if self.told.len() > REMEMBERED {
            self.told.clear();
        }
        for finding in &audited.report.findings {
            let key = (finding.object.clone(), finding.code.clone());
            if finding.action == Action::Audit || self.told.contains(&key) {
                continue;
            }
            let uid = audited.uids.get(&finding.fingerprint).cloned();
            if !self.tell(key, event(finding), regarding(&finding.object, uid)) {
                return;
            }
        }
    }

    /// Tells of something once; whether there was room for it.
    pub fn tell(&mut self, key: (Identity, String), event: Event, about: ObjectReference) -> bool {
        if self.told.contains(&key) {
            return true;
        }
        let is_sent = self.queue.try_send((event, about)).is_ok();
        if is_sent {
            self.told.insert(key);
        }
        is_sent
    }
}

async fn write(recorder: Recorder, mut waiting: mpsc::Receiver<(Event, ObjectReference)>) {
    let mut last = None;
    while let Some((event, regarding)) = waiting.recv().await {
        if let Err(error) = recorder.publish(&event, &regarding).await {
            let problem = error.to_string();
            // Once, not with every event.
            if last.as_ref() != Some(&problem) {
                tracing::warn!(problem, "an Event of the audit could not be written");
            }
            last = Some(problem);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn event(finding: &Finding) -> Event {
    let (policy, code) = (&finding.policy, &finding.code);
    let rule = format!(" [{policy}/{code}]");
    let text = cut(finding.text(), MAX_NOTE.saturating_sub(rule.len()));
    Event {
        type_: EventType::Warning,
        reason: reason(code),
        note: Some(format!("{text}{rule}")),
        action: "Audit".to_owned(),
        secondary: None,
    }
}

/// `image-latest` as the reason of an Event: `ImageLatest`.
fn reason(code: &str) -> String {
    let words = code.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

fn regarding(object: &Identity, uid: Option<String>) -> ObjectReference {
    ObjectReference {
        api_version: Some(object.api_version.clone()),
        kind: Some(object.kind.clone()),
        name: Some(object.name.clone()),
        namespace: object.namespace.clone(),
        uid,
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_reason_in_the_way_of_events() {
        assert_eq!(reason("image-latest"), "ImageLatest");
        assert_eq!(reason("c"), "C");
    }
}
