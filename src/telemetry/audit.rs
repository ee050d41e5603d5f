//! What the last audit found.

use std::collections::BTreeMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::{Metrics, Namespace};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Audited {
    policy: String,
    code: String,
    namespace: String,
    action: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Refused {
    profile: &'static str,
    policy: String,
    namespace: String,
}

/// What the last audit found, on the replica that made it.
#[derive(Default)]
pub(super) struct Audit {
    findings: Family<Audited, Gauge>,
    slipped_in: Family<Namespace, Gauge>,
    would_deny: Family<Refused, Gauge>,
    objects: Gauge,
    unjudged: Gauge,
    completed: Gauge,
    failed: Counter,
}

impl Metrics {
    pub(super) fn register_audit(&mut self) {
        let registry = &mut self.registry;
        let help = "What is wrong with objects that are there, by the last audit";
        registry.register("audit_findings", help, self.audit.findings.clone());
        let help = "Objects that were created while a policy was in force that denies them";
        registry.register("audit_slipped_in", help, self.audit.slipped_in.clone());
        let help = "Objects that the profile of --audit-profile would deny, by the last audit";
        registry.register("audit_would_deny", help, self.audit.would_deny.clone());
        let help = "Objects that the last audit judged";
        registry.register("audit_objects", help, self.audit.objects.clone());
        let help = "What the last audit could not list or judge";
        registry.register("audit_unjudged", help, self.audit.unjudged.clone());
        let help = "When the last audit ended, as Unix time";
        let gauge = self.audit.completed.clone();
        registry.register_with_unit("audit_completed", help, Unit::Seconds, gauge);
        let help = "Audits that could not be made";
        registry.register("audit_failures", help, self.audit.failed.clone());
    }

    /// An audit ended at `at`, Unix time: findings by policy, code, namespace
    /// and action.
    pub fn audit(
        &self,
        findings: &BTreeMap<(String, String, String, &'static str), i64>,
        objects: usize,
        at: i64,
    ) {
        self.audit.findings.clear();
        for ((policy, code, namespace, action), count) in findings {
            let label = Audited {
                policy: policy.clone(),
                code: code.clone(),
                namespace: namespace.clone(),
                action,
            };
            self.audit.findings.get_or_create(&label).set(*count);
        }
        self.audit
            .objects
            .set(i64::try_from(objects).unwrap_or(i64::MAX));
        self.audit.completed.set(at);
    }

    /// How much an audit could not list or judge.
    pub fn audit_unjudged(&self, count: usize) {
        self.audit
            .unjudged
            .set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// The namespace of each object that slipped in.
    pub fn audit_slipped_in(&self, namespaces: impl Iterator<Item = String>) {
        self.audit.slipped_in.clear();
        for namespace in namespaces {
            self.audit
                .slipped_in
                .get_or_create(&Namespace { namespace })
                .inc();
        }
    }

    /// How many objects a profile would deny that is not in force, by policy
    /// and namespace.
    pub fn audit_would_deny(
        &self,
        profile: &'static str,
        refused: &BTreeMap<(String, String), i64>,
    ) {
        self.audit.would_deny.clear();
        for ((policy, namespace), count) in refused {
            let label = Refused {
                profile,
                policy: policy.clone(),
                namespace: namespace.clone(),
            };
            self.audit.would_deny.get_or_create(&label).set(*count);
        }
    }

    /// An audit could not be made.
    pub fn audit_failed(&self) {
        self.audit.failed.inc();
    }

    /// Another replica audits from now on.
    pub fn audit_forget(&self) {
        self.audit.findings.clear();
        self.audit.slipped_in.clear();
        self.audit.would_deny.clear();
        for gauge in [
            &self.audit.objects,
            &self.audit.unjudged,
            &self.audit.completed,
        ] {
            gauge.set(0);
        }
    }
}
