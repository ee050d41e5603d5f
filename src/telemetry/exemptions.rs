//! What was forgiven.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::Metrics;

/// Series at most. Who may write exemptions can write them in each namespace;
/// what comes later is counted under this namespace, which none can have.
const MOST_SERIES: usize = 1_000;
const OTHERS: &str = "(others)";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Exempted {
    policy: String,
    namespace: String,
}

/// Findings that were forgiven.
#[derive(Default)]
pub(super) struct Exemptions {
    findings: Family<Exempted, Counter>,
    known: Mutex<BTreeSet<(String, String)>>,
}

impl Metrics {
    pub(super) fn register_exemptions(&mut self) {
        let help = "Findings on requests that a PolicyExemption has forgiven";
        let family = self.exemptions.findings.clone();
        self.registry.register("exempted_findings", help, family);
    }

    /// A finding was forgiven.
    pub fn exempted(&self, policy: &str, namespace: &str) {
        let namespace = self.exemptions.label(policy, namespace);
        let label = Exempted {
            policy: policy.to_owned(),
            namespace,
        };
        self.exemptions.findings.get_or_create(&label).inc();
    }
}

impl Exemptions {
    fn label(&self, policy: &str, namespace: &str) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let series = (policy.to_owned(), namespace.to_owned());
        if known.contains(&series) {
            return series.1;
        }
        if known.len() >= MOST_SERIES {
            return OTHERS.to_owned();
        }
        known.insert(series);
        namespace.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_never_more_series_than_a_metric_should_have() {
        let metrics = Metrics::default();
        for number in 0..MOST_SERIES + 5 {
            metrics.exempted("p", &format!("n{number}"));
        }
        metrics.exempted("p", "n0");
        let text = metrics.encode();
        let series = |namespace: &str, count: u32| {
            format!(
                "portcullis_exempted_findings_total{{policy=\"p\",namespace=\"{namespace}\"}} {count}\n"
            )
        };
        assert!(text.contains(&series("n0", 2)));
        assert!(text.contains(&series(OTHERS, 5)));
        let all = text
            .lines()
            .filter(|line| line.starts_with("portcullis_exempted_findings_total"));
        assert_eq!(all.count(), MOST_SERIES + 1);
    }
}
