//! Events, on the API server.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter as Author};

use super::Notice;
use crate::cluster::home::{Home, MANAGER};
use crate::policy::decision::cut;

/// Events take 1 kB of text.
const MAX_NOTE: usize = 1_000;
/// Nothing waits longer for an event than this.
const PATIENCE: Duration = Duration::from_secs(3);

/// Writes events as this replica. What is told again within minutes is counted
/// up, and no new event.
pub struct Teller {
    recorder: Recorder,
}

impl Teller {
    /// As this replica.
    pub fn new(client: Client, home: &Home) -> Teller {
        let author = Author {
            controller: MANAGER.to_owned(),
            instance: Some(home.identity.clone()),
        };
        Teller {
            recorder: Recorder::new(client, author),
        }
    }

    /// Warns of something about an object. An event that cannot be written is
    /// logged and lost: what it says is in a condition, too.
    pub async fn warn(&self, about: &ObjectReference, action: &str, notice: Notice) {
        let event = Event {
            type_: EventType::Warning,
            reason: notice.reason.to_owned(),
            note: Some(cut(notice.note, MAX_NOTE)),
            action: action.to_owned(),
            secondary: None,
        };
        let published = tokio::time::timeout(PATIENCE, self.recorder.publish(&event, about));
        let problem = match published.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the API server does not answer in time".to_owned(),
        };
        let object = about.name.as_deref().unwrap_or_default();
        tracing::warn!(object, problem, "an event could not be written");
    }
}
