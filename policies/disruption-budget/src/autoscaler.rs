//! HorizontalPodAutoscalers, as `autoscaling/v2` has them.

use portcullis_sdk::Reads;
use portcullis_sdk::lookups::{self, Looked};
use serde::Deserialize;

/// What is read of a HorizontalPodAutoscaler.
#[derive(Reads, Deserialize)]
pub(crate) struct Autoscaler {
    #[serde(default)]
    spec: Spec,
}

#[derive(Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    scale_target_ref: Target,
    min_replicas: Option<i64>,
}

#[derive(Default, Reads, Deserialize)]
#[serde(default)]
struct Target {
    kind: String,
    name: String,
}

impl Looked for Autoscaler {
    const API_VERSION: &'static str = "autoscaling/v2";
    const KIND: &'static str = "HorizontalPodAutoscaler";
    const RESOURCE: &'static str = "horizontalpodautoscalers";
    const OPTIONAL: bool = true;
}

/// How many replicas the autoscalers of a workload keep; 0 without any, and
/// where none may be looked up.
pub(crate) fn least(kind: &str, name: &str) -> i64 {
    let all = lookups::here::<Autoscaler>().list().unwrap_or_default();
    let own = all.iter().filter(|one| {
        let target = &one.spec.scale_target_ref;
        target.kind == kind && target.name == name
    });
    // The API server's default is 1.
    let least = own.map(|one| one.spec.min_replicas.unwrap_or(1));
    least.max().unwrap_or(0)
}
