//! What is known of the namespace of a request.

use std::time::{Duration, Instant};

use portcullis_contract::Operation;
use serde_json::Value;

use super::Surroundings;
use crate::admit::Known;
use crate::policy::PolicySet;
use crate::review::Request;

/// How long the cluster may take to tell of one namespace; its answer takes
/// milliseconds where there is one.
const LOOKUP: Duration = Duration::from_secs(1);

/// Whether the namespace may be another one than a moment ago, under the same
/// name: there is no Pod in a namespace before there is a ServiceAccount. What
/// policies want there first, they want by what this very namespace is.
fn may_be_new(request: &Request) -> bool {
    let attributes = &request.attributes;
    attributes.operation == Operation::Create
        && attributes.group.is_empty()
        && attributes.resource == "serviceaccounts"
        && attributes.subresource.is_none()
}

/// Completes what the request tells of its namespace by what the cluster knows
/// of it, and says how much is known then.
pub(super) async fn complete(
    surroundings: Option<&dyn Surroundings>,
    request: &mut Request,
    set: &PolicySet,
    deadline: Instant,
) -> Known {
    let (Some(surroundings), Some(name)) = (surroundings, &request.attributes.namespace) else {
        return Known::InPart;
    };
    // A Namespace tells of itself; in an excluded one nothing is judged.
    if request.attributes.is_namespace() || set.excluded_namespaces.contains(name) {
        return Known::InPart;
    }
    let until = deadline.min(Instant::now() + LOOKUP);
    let namespace = match may_be_new(request) {
        true => surroundings.namespace_now(name, until),
        false => surroundings.namespace(name, until),
    };
    match namespace.await {
        Some(namespace) => {
            request.namespace = Value::clone(&namespace);
            Known::Whole
        }
        None => Known::Lost,
    }
}

#[cfg(test)]
mod tests;
