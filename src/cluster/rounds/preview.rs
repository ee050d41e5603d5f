//! What another profile would refuse: the same audit with its policies, told
//! as one number and one Event for each policy and namespace. Nothing is
//! refused or warned of for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType};

use super::Parts;
use super::events::Events;
use super::summary::MOST_SERIES;
use crate::cluster::audit::{Wish, audit};
use crate::finding::{Identity, Report};
use crate::policy::PolicySet;
use crate::policy::action::Action;
use crate::policy::spec::{API_VERSION, KIND};

/// Loads the policies of a profile.
pub type Load = Arc<dyn Fn() -> Result<PolicySet> + Send + Sync>;

/// A profile that is not in force.
#[derive(Clone)]
pub struct Preview {
    /// Its name.
    pub profile: &'static str,
    /// Loads it, for one audit at a time: replicas that do not lead need no
    /// memory for it.
    pub load: Load,
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Preview").field(&self.profile).finish()
    }
}

/// What a policy would refuse in a namespace; that of objects in none is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// Each object once.
    pub objects: BTreeSet<String>,
    /// Its codes.
    pub codes: BTreeSet<String>,
}

impl Preview {
    /// Audits with the profile, and tells.
    ///
    /// # Errors
    ///
    /// It cannot be loaded, or the API server does not tell what it has.
    pub async fn round(&self, parts: &Parts, wish: Wish, events: &mut Events) -> Result<()> {
        let load = Arc::clone(&self.load);
        let loading = tokio::task::spawn_blocking(move || load());
        let set = loading.await.context("loading the profile panicked")??;
        let audited = audit(parts.client.clone(), Arc::new(set), wish, None).await?;
        let refused = refused(&audited.report);
        parts
            .metrics
            .audit_would_deny(self.profile, &counts(&refused));
        tracing::info!(
            profile = self.profile,
            denied = audited.report.summary.denied,
            failures = audited.report.summary.failures,
            "audited what another profile would deny"
        );
        for ((policy, namespace), refused) in &refused {
            let place = match namespace.as_str() {
                "" => &parts.home.namespace,
                namespace => namespace,
            };
            let key = (identity(place), format!("{} {policy}", self.profile));
            let event = event(self.profile, policy, namespace, refused);
            if !events.tell(key, event, about(place)) {
                break;
            }
        }
        Ok(())
    }
}

/// By policy and namespace.
pub fn refused(report: &Report) -> BTreeMap<(String, String), Refused> {
    let mut all: BTreeMap<(String, String), Refused> = BTreeMap::new();
    let findings = report.findings.iter();
    for finding in findings.filter(|finding| finding.action == Action::Deny) {
        let namespace = finding.object.namespace.clone().unwrap_or_default();
        let entry = all.entry((finding.policy.clone(), namespace)).or_default();
        entry.objects.insert(finding.object.to_string());
        entry.codes.insert(finding.code.clone());
    }
    all
}

/// How many objects of each; more series than a metric should have are told as
/// those of the namespace `(others)`.
fn counts(refused: &BTreeMap<(String, String), Refused>) -> BTreeMap<(String, String), i64> {
    let mut counts: BTreeMap<(String, String), i64> = BTreeMap::new();
    for (index, ((policy, namespace), refused)) in refused.iter().enumerate() {
        let namespace = match index < MOST_SERIES {
            true => namespace.clone(),
            false => "(others)".to_owned(),
        };
        let count = i64::try_from(refused.objects.len()).unwrap_or(i64::MAX);
        *counts.entry((policy.clone(), namespace)).or_default() += count;
    }
    counts
}

fn event(profile: &str, policy: &str, namespace: &str, refused: &Refused) -> Event {
    let count = refused.objects.len();
    let objects = if count == 1 { "object" } else { "objects" };
    let codes: Vec<&str> = refused.codes.iter().map(String::as_str).collect();
    let example = refused.objects.first().map_or("", String::as_str);
    let (place, narrow) = match namespace {
        "" => ("in no namespace", String::new()),
        namespace => ("here", format!(" --namespace {namespace}")),
    };
    Event {
        type_: EventType::Normal,
        reason: "WouldDeny".to_owned(),
        note: Some(format!(
            "with the profile `{profile}` the policy `{policy}` would deny {count} {objects} \
             {place} ({codes}), such as {example}: see `portcullis audit --profile \
             {profile}{narrow}`",
            codes = codes.join(", ")
        )),
        action: "Audit".to_owned(),
        // Events that differ in nothing but their text are counted as one.
        secondary: Some(ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(KIND.to_owned()),
            name: Some(policy.to_owned()),
            ..ObjectReference::default()
        }),
    }
}

fn identity(namespace: &str) -> Identity {
    Identity {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: namespace.to_owned(),
    }
}

/// A namespace, and in itself, so that its users may see the Event: what is in
/// none has its Events in `default`.
fn about(namespace: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Namespace".to_owned()),
        name: Some(namespace.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use portcullis_contract::Level;

    use super::*;
    use crate::finding::{Finding, Place};

    fn finding(code: &str, name: &str, action: Action) -> Finding {
        Finding {
            policy: "p".into(),
            code: code.into(),
            level: Level::Error,
            action,
            message: "it is bad".into(),
            remedy: "mend it".into(),
            place: Place::default(),
            object: Identity {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                namespace: Some("shop".into()),
                name: name.into(),
            },
            path: "/spec".into(),
            container: Some("a".into()),
            within: None,
            fix: None,
            fingerprint: "f".into(),
            excerpt: None,
            exemption: None,
        }
    }

    #[test]
    fn an_object_counts_once_and_only_what_is_denied_counts() {
        let report = Report {
            findings: vec![
                finding("c", "web", Action::Deny),
                finding("c", "web", Action::Deny),
                finding("d", "api", Action::Deny),
                finding("d", "job", Action::Warn),
            ],
            ..Report::default()
        };
        let refused = refused(&report);
        let key = ("p".to_owned(), "shop".to_owned());
        assert_eq!(counts(&refused), BTreeMap::from([(key.clone(), 2)]));
        let event = event("strict", "p", "shop", &refused[&key]);
        assert_eq!(
            event.note.expect("a note"),
            "with the profile `strict` the policy `p` would deny 2 objects here (c, d), such as \
             Deployment shop/api: see `portcullis audit --profile strict --namespace shop`"
        );
    }
}
