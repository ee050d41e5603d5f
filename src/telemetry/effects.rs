//! What policies want to exist, on the replica that looks after it.

use std::collections::BTreeMap;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Metrics;
use crate::cluster::effects::reconciler::Tally;
use crate::policy::PolicyName;

/// A policy, and one of four states.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Effect {
    policy: String,
    state: &'static str,
}

/// Objects by policy and state.
pub(super) type Effects = Family<Effect, Gauge>;

impl Metrics {
    pub(super) fn register_effects(&mut self) {
        let help = "Objects that policies want in namespaces, on the replica that writes: there \
                    (in_place), needless since others cover them (covered), or neither (waiting); and \
                    namespaces of which that is not known (unknown)";
        let family = self.effects.clone();
        self.registry.register("effects", help, family);
    }

    /// How many objects that policies want are in which state.
    pub fn effects(&self, all: &BTreeMap<PolicyName, Tally>) {
        self.effects.clear();
        for (policy, tally) in all {
            let counts = [
                ("in_place", tally.made),
                ("covered", tally.covered),
                ("waiting", tally.waiting),
                ("unknown", tally.unknown),
            ];
            for (state, count) in counts {
                let label = Effect {
                    policy: policy.to_string(),
                    state,
                };
                let gauge = self.effects.get_or_create(&label);
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }
}
