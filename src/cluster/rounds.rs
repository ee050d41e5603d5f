//! Continuous audit: the replica that writes audits the cluster every hour,
//! when it begins to lead, and when requests are judged again that were let
//! through for a while. What it finds goes to metrics, Events and reports.
//!
//! `due` says when, `summary` what is told; `reports` and `events` tell it;
//! `preview` says what another profile would deny.

pub mod due;
pub mod events;
pub mod preview;
pub mod reports;
#[cfg(test)]
mod samples;
pub mod summary;
pub mod within;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use portcullis_contract::MatchConstraints;
use tokio::sync::watch;

use super::anchor::api::Anchor;
use super::audit::{Audited, Wish, audit, policies};
use super::exemptions::writing;
use super::home::Home;
use super::writes::Registered;
use crate::policy::PolicySet;
use crate::telemetry::Metrics;
use due::{Door, Due, Why};
use events::Events;
use preview::Preview;

/// How often the API server is asked at most: beside serving it has time.
const REQUESTS_PER_SECOND: u32 = 20;
/// Findings that slipped in and are logged one by one.
const MOST_LINES: usize = 100;

/// What an installation wants of it.
#[derive(Debug, Clone)]
pub struct Rounds {
    /// How often.
    pub every: Duration,
    /// What the registration is narrowed to.
    pub within: Option<MatchConstraints>,
    /// Whether we register, so that we know when requests are judged.
    pub registers: bool,
    /// Whether policies are resources of the cluster, which tell since when
    /// they are in force.
    pub of_cluster: bool,
    /// The profile whose refusals are told besides.
    pub preview: Option<Preview>,
}

/// Everything that is needed.
pub struct Parts {
    /// The connection.
    pub client: Client,
    /// The installation.
    pub home: Home,
    /// What owns reports.
    pub anchor: Arc<Anchor>,
    /// The policies in force.
    pub set: Arc<ArcSwap<PolicySet>>,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
    /// Whether this replica leads.
    pub leads: watch::Receiver<bool>,
    /// What came of registering; nothing is ever said where that is left to
    /// somebody else.
    pub registered: watch::Receiver<Option<Registered>>,
}

impl Rounds {
    /// Audits for as long as the process runs.
    pub async fn run(self, mut parts: Parts) {
        let (mut due, mut events) = (Due::new(self.every), None);
        loop {
            let leads = *parts.leads.borrow_and_update();
            let door = self.door(parts.registered.borrow_and_update().as_ref());
            if !leads {
                // What it told is no longer kept up.
                parts.metrics.audit_forget();
                events = None;
            }
            let is_set = !parts.set.load().is_unset();
            if let (true, Some(why)) = (is_set, due.now(leads, door, Instant::now())) {
                let new = || Events::new(parts.client.clone(), &parts.home.identity);
                due.begun(Instant::now());
                let made = tokio::select! {
                    made = self.round(&parts, events.get_or_insert_with(new), why) => made,
                    () = lost(parts.leads.clone()) => continue,
                };
                if !made {
                    due.failed(Instant::now());
                }
            }
            let wait = match is_set {
                true => due.wait(Instant::now()),
                // Policies are on their way.
                false => Duration::from_secs(1),
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                ended = parts.leads.changed() => if ended.is_err() { return },
                Ok(()) = parts.registered.changed() => {}
            }
        }
    }

    /// Whether requests are judged, as far as the leader knows.
    fn door(&self, registered: Option<&Registered>) -> Door {
        match registered {
            None if self.registers => Door::Open,
            None => Door::Unknown,
            Some(registered) if registered.status && registered.reason == "AsAsked" => Door::Kept,
            Some(_) => Door::Open,
        }
    }

    /// One audit; whether it could be made.
    async fn round(&self, parts: &Parts, events: &mut Events, why: Why) -> bool {
        tracing::info!(why = why.word(), "auditing what is there");
        let started = Instant::now();
        let audited = self.audited(parts).await;
        let audited = match audited {
            Ok(audited) => audited,
            Err(error) => {
                tracing::error!("what is there could not be audited: {error:#}");
                parts.metrics.audit_failed();
                return false;
            }
        };
        tell(parts, &audited, started.elapsed());
        events.publish(&audited);
        let exemptions = &audited.report.exemptions;
        if self.of_cluster
            && let Err(error) = writing::write(&parts.client, exemptions).await
        {
            tracing::warn!(%error, "the status of exemptions could not be written");
        }
        if audited.knows_reports {
            let documents = summary::reports(&audited.report, Timestamp::now().as_second());
            if let Err(error) = reports::write(&parts.client, &parts.anchor, documents).await {
                tracing::warn!("reports of the audit could not be written: {error:#}");
            }
        }
        if let Some(preview) = &self.preview
            && let Err(error) = preview.round(parts, self.wish(), events).await
        {
            let profile = preview.profile;
            tracing::error!(
                profile,
                "what a profile would deny could not be audited: {error:#}"
            );
            parts.metrics.audit_failed();
        }
        true
    }

    async fn audited(&self, parts: &Parts) -> anyhow::Result<Audited> {
        let (set, home) = (parts.set.load_full(), &parts.home.namespace);
        let since = match self.of_cluster {
            true => policies::in_force_since(&parts.client, home, &set).await?,
            false => BTreeMap::new(),
        };
        let wish = Wish {
            since,
            own_policies: true,
            ..self.wish()
        };
        audit(parts.client.clone(), set, wish, None).await
    }

    /// What is audited, whatever the policies.
    fn wish(&self) -> Wish {
        Wish {
            requests_per_second: REQUESTS_PER_SECOND,
            within: self.within.clone(),
            ..Wish::default()
        }
    }
}

/// Waits until this replica leads no more.
async fn lost(mut leads: watch::Receiver<bool>) {
    // An error is the end of everything.
    let _ = leads.wait_for(|leads| !leads).await;
}

/// To metrics and the log.
fn tell(parts: &Parts, audited: &Audited, took: Duration) {
    let report = &audited.report;
    let at = Timestamp::now().as_second();
    parts
        .metrics
        .audit(&summary::counts(report), report.summary.objects, at);
    parts.metrics.audit_unjudged(report.failures.len());
    let summary = report.summary;
    tracing::info!(
        objects = summary.objects,
        denied = summary.denied,
        warned = summary.warned,
        failures = summary.failures,
        took_ms = took.as_millis(),
        "audited what is there"
    );
    for failure in &report.failures {
        tracing::warn!(problem = failure.text(), "something could not be audited");
    }
    let slipped = &audited.slipped_in;
    let namespaces = slipped
        .iter()
        .map(|one| one.object.namespace.clone().unwrap_or_default());
    parts.metrics.audit_slipped_in(namespaces);
    for one in slipped.iter().take(MOST_LINES) {
        tracing::warn!(
            policy = one.policy,
            code = one.code,
            kind = one.object.kind,
            namespace = one.object.namespace,
            name = one.object.name,
            created = one.created,
            "an object slipped in: it was created while the policy was in force, and would be denied"
        );
    }
    if slipped.len() > MOST_LINES {
        let more = slipped.len() - MOST_LINES;
        tracing::warn!(more, "more objects slipped in: run `portcullis audit`");
    }
}
