//! Staged Secrets that no ConfigMap names any more go, an hour after they came.

use std::collections::BTreeMap;
use std::time::Instant;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, ListParams, Preconditions};
use kube::core::PartialObjectMeta;
use portcullis_relocation::collection::{Candidate, KEPT_SECONDS, plan, unnamed};
use portcullis_relocation::marks;
use portcullis_relocation::moments::Moment;
use serde_json::Value;

use super::Serving;
use crate::cluster::told::one_line;
use crate::failpoint::{reached, seconds_ahead};

/// Since when staged Secrets, by uid, were seen with nothing that names them. The
/// clock of this machine may be ahead of the API server's, and a Secret that goes
/// before its ConfigMap is stored takes the value along.
#[derive(Default)]
pub(super) struct Unnamed(BTreeMap<String, Instant>);

impl Unnamed {
    /// Takes in what is unnamed now.
    fn take(&mut self, unnamed: &[&Candidate], now: Instant) {
        let is_still = |uid: &String| unnamed.iter().any(|one| one.uid == *uid);
        self.0.retain(|uid, _| is_still(uid));
        for candidate in unnamed {
            self.0.entry(candidate.uid.clone()).or_insert(now);
        }
    }

    /// Whether it has been for as long as one is kept, `ahead` seconds from now.
    fn has_waited(&self, uid: &str, now: Instant, ahead: i64) -> bool {
        let since = self.0.get(uid);
        since.is_some_and(|since| {
            let seconds = now.saturating_duration_since(*since).as_secs();
            i64::try_from(seconds)
                .unwrap_or(i64::MAX)
                .saturating_add(ahead)
                >= KEPT_SECONDS
        })
    }
}

/// Clears one namespace. What fails is tried again with the next look.
pub(super) async fn clean(serving: &Serving, namespace: &str, known: &mut Unnamed) {
    if let Err(problem) = cleared(serving, namespace, known).await {
        tracing::warn!(namespace, problem, "Secrets that nobody uses are left");
    }
}

/// In the order that [`plan`] asks for: the time, the Secrets, the ConfigMaps.
async fn cleared(serving: &Serving, namespace: &str, known: &mut Unnamed) -> Result<(), String> {
    let told = |error: kube::Error| one_line(&error);
    let now = Timestamp::now().as_second() + seconds_ahead();
    let secrets: Api<Secret> = Api::namespaced(serving.client.clone(), namespace);
    let role = format!("{}={}", marks::ROLE, marks::STAGED);
    let selected = ListParams::default().labels(&role);
    let staged = secrets.list_metadata(&selected).await.map_err(told)?;
    let candidates: Vec<Candidate> = staged.iter().map(candidate).collect();
    if candidates.is_empty() {
        serving.metrics.unnamed(namespace, 0, None);
        return Ok(());
    }
    reached(Moment::CollectListed);
    let maps: Api<ConfigMap> = Api::namespaced(serving.client.clone(), namespace);
    let maps = maps.list(&ListParams::default()).await.map_err(told)?;
    let maps: Result<Vec<Value>, _> = maps.iter().map(serde_json::to_value).collect();
    let maps = maps.map_err(|_| "a ConfigMap cannot be read".to_owned())?;
    let waiting = unnamed(&candidates, &maps).map_err(|error| error.to_string())?;
    let oldest = waiting.iter().map(|one| one.created).min();
    serving.metrics.unnamed(namespace, waiting.len(), oldest);
    known.take(&waiting, Instant::now());
    let mut unused = plan(now, &candidates, &maps).map_err(|error| error.to_string())?;
    unused.retain(|one| known.has_waited(&one.uid, Instant::now(), seconds_ahead()));
    for candidate in unused {
        let parameters = DeleteParams::default().preconditions(Preconditions {
            uid: Some(candidate.uid.clone()),
            resource_version: None,
        });
        let name = &candidate.name;
        reached(Moment::CollectDeleting);
        let deleted = secrets.delete(name, &parameters).await;
        reached(Moment::CollectDeleted);
        match deleted {
            Ok(_) => tracing::info!(namespace, secret = name, "nobody uses it: deleted"),
            Err(kube::Error::Api(status)) if matches!(&*status.reason, "NotFound" | "Conflict") => {
            }
            Err(error) => return Err(told(error)),
        }
    }
    Ok(())
}

fn candidate(secret: &PartialObjectMeta<Secret>) -> Candidate {
    let metadata = &secret.metadata;
    let labels = metadata.labels.as_ref();
    let created = metadata.creation_timestamp.as_ref();
    Candidate {
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        ours: labels.is_some_and(|labels| labels.contains_key(marks::ROLE)),
        // One without a time is as new as can be.
        created: created.map_or(i64::MAX, |time| time.0.as_second()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_secret_waits_for_its_hour_by_our_own_watch() {
        let (mut known, now) = (Unnamed::default(), Instant::now());
        let hour = Duration::from_secs(KEPT_SECONDS.unsigned_abs());
        let one = Candidate {
            name: "s".to_owned(),
            uid: "u".to_owned(),
            ours: true,
            created: 0,
        };
        known.take(&[&one], now);
        assert!(!known.has_waited("u", now + hour / 2, 0));
        assert!(known.has_waited("u", now + hour, 0));
        assert!(known.has_waited("u", now, KEPT_SECONDS));
        // What was named meanwhile begins anew.
        known.take(&[], now + hour);
        known.take(&[&one], now + hour);
        assert!(!known.has_waited("u", now + hour, 0));
    }
}
