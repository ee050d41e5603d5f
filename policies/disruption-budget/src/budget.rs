//! PodDisruptionBudgets, as `policy/v1` has them.

use std::collections::BTreeMap;

use portcullis_sdk::contract::LabelSelector;
use portcullis_sdk::lookups::Looked;
use portcullis_sdk::{Reads, shown};
use serde::Deserialize;

/// What is read of a PodDisruptionBudget.
#[derive(Debug, Reads, Deserialize)]
pub(crate) struct Budget {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
}

#[derive(Debug, Reads, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    selector: Option<LabelSelector>,
    min_available: Option<Amount>,
    max_unavailable: Option<Amount>,
}

/// A number of pods, or a share of them: `50%`.
#[derive(Debug, Reads, Deserialize)]
#[serde(untagged)]
enum Amount {
    Pods(i64),
    Share(String),
}

impl Looked for Budget {
    const API_VERSION: &'static str = "policy/v1";
    const KIND: &'static str = "PodDisruptionBudget";
    const RESOURCE: &'static str = "poddisruptionbudgets";
    const OPTIONAL: bool = true;
}

impl Budget {
    pub(crate) fn name(&self) -> String {
        shown(&self.metadata.name)
    }

    /// Whether it selects pods of these labels: all of the namespace where the
    /// selector is empty, none without one.
    pub(crate) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let selector = self.spec.selector.as_ref();
        selector.is_some_and(|selector| selector.selects(labels))
    }

    /// How many of so many healthy pods may be evicted at once. As the
    /// disruption controller counts, shares are rounded up; what is no amount
    /// the API server refuses.
    pub(crate) fn allows(&self, replicas: i64) -> i64 {
        let of = |amount: &Amount| amount.of(replicas).unwrap_or(1);
        match (&self.spec.max_unavailable, &self.spec.min_available) {
            (Some(most), _) => of(most),
            (None, Some(least)) => replicas - of(least),
            (None, None) => replicas,
        }
    }
}

impl Amount {
    fn of(&self, replicas: i64) -> Option<i64> {
        match self {
            Amount::Pods(pods) => Some(*pods),
            Amount::Share(text) => {
                let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
                let hundredths = replicas.checked_mul(percent)?;
                Some(hundredths.div_euclid(100) + i64::from(hundredths.rem_euclid(100) > 0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(spec: &str) -> Budget {
        let text = format!("{{\"metadata\": {{\"name\": \"b\"}}, \"spec\": {spec}}}");
        serde_json::from_str(&text).expect("a budget")
    }

    #[test]
    fn shares_are_rounded_up_as_the_disruption_controller_does() {
        for (spec, replicas, allowed) in [
            (r#"{"maxUnavailable": 1}"#, 3, 1),
            (r#"{"maxUnavailable": 0}"#, 3, 0),
            (r#"{"maxUnavailable": "0%"}"#, 3, 0),
            (r#"{"maxUnavailable": "1%"}"#, 3, 1),
            (r#"{"minAvailable": 3}"#, 3, 0),
            (r#"{"minAvailable": 2}"#, 3, 1),
            (r#"{"minAvailable": "50%"}"#, 3, 1),
            (r#"{"minAvailable": "51%"}"#, 2, 0),
            (r#"{"minAvailable": "100%"}"#, 5, 0),
            ("{}", 2, 2),
        ] {
            assert_eq!(
                budget(spec).allows(replicas),
                allowed,
                "{spec} of {replicas}"
            );
        }
    }
}
