//! Metrics and log lines: no other room names a metric.
//!
//! Labels hold names that the operator chose or that are fixed here, never
//! anything out of a request, so that their number is bounded.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::policy::set::Counts;

mod audit;
mod effects;
mod exemptions;
mod labels;
mod log;
mod names;
pub mod relocation;

use labels::{Failure, Finding, Namespace, Phase, Policy, Reason, Request, State, Watch};
pub use log::{BadFilter, init};

/// Bounds of latency histograms, in seconds: from what a request costs to
/// what the API server waits at most by default.
const LATENCY: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 10.0,
];

/// All metrics of a server.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_duration: Family<Phase, Histogram, fn() -> Histogram>,
    findings: Family<Finding, Counter>,
    evaluation_duration: Family<Policy, Histogram, fn() -> Histogram>,
    failures: Family<Failure, Counter>,
    suspensions: Family<Policy, Counter>,
    policies: Family<State, Gauge>,
    policy_reloads: Family<Reason, Counter>,
    verdicts_known: Counter,
    verdicts_unknown: Counter,
    watches: Family<Watch, Gauge>,
    rejections: Family<Reason, Counter>,
    connections: Gauge,
    handshake_failures: Counter,
    certificate_not_after: Gauge,
    certificate_reloads: Family<Reason, Counter>,
    leads: Gauge,
    paused: Gauge,
    registered: Gauge,
    mends: Counter,
    withheld: Family<Namespace, Gauge>,
    excluded: Family<Namespace, Gauge>,
    audit: audit::Audit,
    exemptions: exemptions::Exemptions,
    effects: effects::Effects,
    moving: relocation::Moving,
}

fn latency() -> Histogram {
    Histogram::new(LATENCY)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("portcullis"),
            requests: Family::default(),
            request_duration: Family::new_with_constructor(latency),
            findings: Family::default(),
            evaluation_duration: Family::new_with_constructor(latency),
            failures: Family::default(),
            suspensions: Family::default(),
            policies: Family::default(),
            policy_reloads: Family::default(),
            verdicts_known: Counter::default(),
            verdicts_unknown: Counter::default(),
            watches: Family::default(),
            rejections: Family::default(),
            connections: Gauge::default(),
            handshake_failures: Counter::default(),
            certificate_not_after: Gauge::default(),
            certificate_reloads: Family::default(),
            leads: Gauge::default(),
            paused: Gauge::default(),
            registered: Gauge::default(),
            mends: Counter::default(),
            withheld: Family::default(),
            excluded: Family::default(),
            audit: audit::Audit::default(),
            exemptions: exemptions::Exemptions::default(),
            effects: effects::Effects::default(),
            moving: relocation::Moving::default(),
        };
        metrics.register_decisions();
        metrics.register_transport();
        metrics.register_writes();
        metrics.register_audit();
        metrics.register_exemptions();
        metrics.register_effects();
        metrics.register_relocation();
        metrics
    }
}

impl Metrics {
    /// Whether this replica writes to the cluster.
    pub fn leads(&self, leads: bool) {
        self.leads.set(leads.into());
    }

    /// Whether a configuration stays away, and how many are there.
    pub fn registration(&self, paused: bool, registered: usize) {
        self.paused.set(paused.into());
        self.registered
            .set(i64::try_from(registered).unwrap_or(i64::MAX));
    }

    /// A configuration was put right.
    pub fn mend(&self) {
        self.mends.inc();
    }

    /// Which namespaces keep policies from failing closed.
    pub fn withheld<'n>(&self, namespaces: impl Iterator<Item = &'n str>) {
        set_to(&self.withheld, namespaces);
    }

    /// Which namespaces no policy judges.
    pub fn excluded<'n>(&self, namespaces: impl Iterator<Item = &'n str>) {
        set_to(&self.excluded, namespaces);
    }

    /// A request got its answer.
    pub fn request(
        &self,
        phase: &'static str,
        failure_policy: &'static str,
        decision: &'static str,
        took: Duration,
    ) {
        self.requests
            .get_or_create(&Request {
                phase,
                failure_policy,
                decision,
            })
            .inc();
        self.request_duration
            .get_or_create(&Phase { phase })
            .observe(took.as_secs_f64());
    }

    /// A policy found something.
    pub fn finding(&self, policy: &str, code: &str, action: &'static str) {
        let label = Finding {
            policy: policy.to_owned(),
            code: code.to_owned(),
            action,
        };
        self.findings.get_or_create(&label).inc();
    }

    /// A policy judged a request, or tried to.
    pub fn evaluation(&self, policy: &str, took: Duration) {
        let label = Policy {
            policy: policy.to_owned(),
        };
        self.evaluation_duration
            .get_or_create(&label)
            .observe(took.as_secs_f64());
    }

    /// A policy gave no verdict.
    pub fn failure(&self, policy: &str, blame: String, cause: String) {
        let label = Failure {
            policy: policy.to_owned(),
            blame,
            cause,
        };
        self.failures.get_or_create(&label).inc();
    }

    /// A policy hit its deadline so often that it is not asked for a while.
    pub fn suspension(&self, policy: &str) {
        let label = Policy {
            policy: policy.to_owned(),
        };
        self.suspensions.get_or_create(&label).inc();
    }

    /// The verdict cache was asked, and knew the answer or did not.
    pub fn verdict_lookup(&self, known: bool) {
        let counter = if known {
            &self.verdicts_known
        } else {
            &self.verdicts_unknown
        };
        counter.inc();
    }

    /// How many policies are in force, and in which state.
    pub fn policies(&self, counts: Counts) {
        for (state, count) in [
            ("ready", counts.ready),
            ("stale", counts.stale),
            ("failed", counts.failed),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.policies.get_or_create(&State { state }).set(count);
        }
    }

    /// Changed policy files were taken, or refused.
    pub fn policy_reload(&self, taken: bool) {
        let reason = if taken { "taken" } else { "refused" };
        self.policy_reloads.get_or_create(&Reason { reason }).inc();
    }

    /// The API server is watched for a resource, or that failed.
    pub fn watch(&self, resource: &'static str, is_up: bool) {
        self.watches
            .get_or_create(&Watch { resource })
            .set(is_up.into());
    }

    /// An HTTP request was turned away.
    pub fn rejection(&self, reason: &'static str) {
        self.rejections.get_or_create(&Reason { reason }).inc();
    }

    /// A connection was opened (1) or closed (-1).
    pub fn connection(&self, change: i64) {
        self.connections.inc_by(change);
    }

    /// A connection ended before TLS was agreed on.
    pub fn handshake_failure(&self) {
        self.handshake_failures.inc();
    }

    /// A certificate is in force until `not_after`, Unix time.
    pub fn certificate(&self, not_after: i64) {
        self.certificate_not_after.set(not_after);
    }

    /// Changed certificate files were taken, or refused.
    pub fn certificate_reload(&self, taken: bool) {
        let reason = if taken { "taken" } else { "refused" };
        self.certificate_reloads
            .get_or_create(&Reason { reason })
            .inc();
    }

    /// All metrics in OpenMetrics text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a String has no way to fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// 1 for each of these and nothing for others.
fn set_to<'n>(family: &Family<Namespace, Gauge>, namespaces: impl Iterator<Item = &'n str>) {
    family.clear();
    for namespace in namespaces {
        let namespace = namespace.to_owned();
        family.get_or_create(&Namespace { namespace }).set(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_its_unit_and_help() {
        let metrics = Metrics::default();
        metrics.request("validate", "Fail", "denied", Duration::from_millis(1));
        metrics.certificate(1);
        let text = metrics.encode();
        assert!(
            text.contains("# HELP portcullis_request_duration_seconds "),
            "{text}"
        );
        assert!(
            text.contains("# UNIT portcullis_certificate_not_after_seconds seconds"),
            "{text}"
        );
        let requests = "portcullis_requests_total{phase=\"validate\",failure_policy=\"Fail\",decision=\"denied\"} 1";
        assert!(text.contains(requests), "{text}");
    }
}
