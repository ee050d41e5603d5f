//! What admission does for a relocation: it asks the API server, creates the
//! one staged Secret that a ConfigMap's new values need, and rewrites pods.
//!
//! Its account creates Secrets and reads none.

mod asking;
mod config_maps;
mod pods;
mod throttle;
mod unsettled;
mod uses;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Client;
use portcullis_relocation::moments::Moment;

use super::keys::Keys;
use crate::failpoint;
use crate::review::Request;
use crate::server::Half;
use crate::telemetry::Metrics;
use crate::webhook::surroundings::{Entry, Relocated};
use asking::Rights;
use throttle::Throttle;
use unsettled::Unsettled;

pub(super) use config_maps::{is_owned, now};
pub(super) use uses::{as_moved, has_ended};

/// What is left of the request's time for the answer.
const RESERVE: Duration = Duration::from_millis(100);

/// Does what admission needs.
pub struct Moving {
    client: Client,
    keys: Keys,
    rights: Rights,
    unsettled: Arc<Unsettled>,
    throttle: Throttle,
    restorers: BTreeSet<String>,
    metrics: Arc<Metrics>,
}

impl Moving {
    /// For the installation in this namespace; `restorers` may write
    /// placeholders.
    pub fn new(
        client: Client,
        namespace: &str,
        restorers: BTreeSet<String>,
        metrics: Arc<Metrics>,
    ) -> Moving {
        Moving {
            keys: Keys::new(client.clone(), namespace),
            rights: Rights::new(client.clone()),
            throttle: Throttle::default(),
            unsettled: Arc::default(),
            client,
            restorers,
            metrics,
        }
    }

    /// Follows the Relocations for as long as the process runs: what is asked meanwhile
    /// is answered faster.
    pub fn watch(&self) -> impl Future<Output = ()> + Send + 'static {
        let (unsettled, client) = (Arc::clone(&self.unsettled), self.client.clone());
        async move { unsettled.watch(client).await }
    }

    /// What becomes of a ConfigMap or Pod; `found` are the entries that
    /// policies want moved. Ends before `until`.
    ///
    /// # Errors
    ///
    /// Why nobody knows, one line. To try again is safe: nothing but a Secret
    /// that nobody refers to can have been written.
    pub async fn relocate(
        &self,
        request: &Request,
        half: Half,
        found: &[Entry],
        until: Instant,
    ) -> Result<Relocated, String> {
        let until = until.checked_sub(RESERVE).unwrap_or(until);
        let work = async {
            match request.attributes.resource.as_str() {
                "configmaps" => self.config_map(request, half, found, until).await,
                "pods" => self.pod(request, half, until).await,
                _ => Ok(nothing()),
            }
        };
        let done = tokio::time::timeout_at(until.into(), work).await;
        if let Some([decided, answered]) = ends(request, half) {
            failpoint::reached(decided);
            failpoint::leaving(answered);
        }
        let done = done.unwrap_or_else(|_| Err("the API server took too long".to_owned()));
        if done.is_err() {
            self.metrics.relocation_denied("unavailable");
        }
        done
    }

    /// Refused, and counted.
    fn denied(&self, reason: &'static str, why: String) -> Relocated {
        self.metrics.relocation_denied(reason);
        Relocated::Denied(why)
    }
}

/// The last steps of an answer.
fn ends(request: &Request, half: Half) -> Option<[Moment; 2]> {
    match (request.attributes.resource.as_str(), half) {
        ("configmaps", Half::Move) => Some([Moment::MoveDecided, Moment::MoveAnswered]),
        ("configmaps", Half::Check) => Some([Moment::CheckDecided, Moment::CheckAnswered]),
        ("pods", Half::Move) => Some([Moment::PodDecided, Moment::PodAnswered]),
        ("pods", Half::Check) => Some([Moment::PodCheckDecided, Moment::PodCheckAnswered]),
        _ => None,
    }
}

/// The request passes as it is.
fn nothing() -> Relocated {
    Relocated::Allowed {
        patch: Vec::new(),
        warnings: Vec::new(),
    }
}
