//! What is counted and logged of each answer. Never a body or a value.

use std::time::Instant;

use super::Webhook;
use crate::policy::Decision;
use crate::policy::action::Action;
use crate::review::Request;

/// What is logged of a call besides its request.
pub(super) struct Recorded {
    pub(super) phase: &'static str,
    pub(super) group: &'static str,
    pub(super) arrived: Instant,
}

impl Webhook {
    pub(super) fn record(&self, call: &Recorded, request: &Request, decision: &Decision) {
        self.judged(request, decision);
        self.answered(decision.is_denied(), call, request, decision);
    }

    /// Counts what policies said.
    pub(super) fn judged(&self, request: &Request, decision: &Decision) {
        for evaluation in &decision.evaluations {
            self.metrics
                .evaluation(evaluation.policy.as_str(), evaluation.took);
        }
        for judged in &decision.findings {
            let action = match judged.actions.action {
                Action::Deny => "deny",
                Action::Warn => "warn",
                Action::Audit => "audit",
            };
            self.metrics
                .finding(judged.policy.as_str(), &judged.finding.code, action);
            if let Some(by) = &judged.exempted {
                self.metrics.exempted(judged.policy.as_str(), &by.namespace);
            }
        }
        for broken in &decision.failures {
            let (blame, cause) = (
                broken.failure.blame.to_string(),
                broken.failure.cause.to_string(),
            );
            self.metrics.failure(broken.policy.as_str(), blame, cause);
            tracing::error!(
                uid = request.attributes.uid, policy = %broken.policy, blame = %broken.failure.blame,
                cause = %broken.failure.cause, failure_policy = %broken.failure_policy,
                message = broken.failure.message, "a policy gave no verdict"
            );
        }
    }

    /// Counts and logs the answer alone.
    pub(super) fn answered(
        &self,
        denied: bool,
        call: &Recorded,
        request: &Request,
        decision: &Decision,
    ) {
        let (took, verdict) = (
            call.arrived.elapsed(),
            if denied { "denied" } else { "allowed" },
        );
        self.metrics.request(call.phase, call.group, verdict, took);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        log(call, request, decision, verdict, micros);
    }
}

/// One event a decision: info where something is refused, debug otherwise.
fn log(call: &Recorded, request: &Request, decision: &Decision, verdict: &str, micros: u64) {
    let attributes = &request.attributes;
    let names = |found: &mut dyn Iterator<Item = String>| found.collect::<Vec<_>>().join(" ");
    let codes = names(
        &mut decision
            .findings
            .iter()
            .map(|j| format!("{}/{}", j.policy, j.finding.code)),
    );
    let namespace = attributes.namespace.as_deref().unwrap_or_default();
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                uid = attributes.uid,
                user = attributes.username,
                operation = attributes.operation.as_str(),
                dry_run = attributes.dry_run,
                phase = call.phase,
                group = call.group,
                kind = attributes.kind,
                namespace,
                name = attributes.name,
                subresource = attributes.subresource,
                verdict,
                codes,
                micros,
                "decision"
            )
        };
    }
    if verdict == "denied" {
        event!(info)
    } else {
        event!(debug)
    }
}
