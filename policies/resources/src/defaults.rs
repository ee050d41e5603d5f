//! What is filled in.

use portcullis_sdk::contract::{Operation, PatchOperation, pointer};
use serde_json::{Map, Value};

use crate::place::Placed;
use crate::request::{Request, Resources, Side};
use crate::settings::{Settings, Tier, amount};

/// Kinds whose objects are used up, not rolled out: their templates cannot be
/// changed once they are there.
const FIXED: [&str; 2] = ["Pod", "Job"];

/// The tier that applies to a request, if anything may be filled in at all.
pub(crate) fn tier<'s>(request: &Request<'_>, settings: &'s Settings) -> Option<&'s Tier> {
    let defaults = settings.defaults.as_ref()?;
    if !may_change(request) {
        return None;
    }
    let Some(label) = &defaults.namespace_label else {
        return defaults.otherwise.as_ref();
    };
    match value(request, label) {
        Some(tier) => defaults.tiers.get(tier).or(defaults.otherwise.as_ref()),
        // It may bear the label all the same: rather nothing than the wrong tier.
        None if !request.namespace_is_known => None,
        None => defaults.otherwise.as_ref(),
    }
}

/// The value of a label of the namespace.
fn value<'r>(request: &'r Request<'_>, label: &str) -> Option<&'r str> {
    let namespace = request.namespace_object.as_ref()?;
    let labels = namespace.metadata.labels.as_ref()?;
    let (_, value) = labels.iter().find(|(key, _)| &***key == label)?;
    Some(value)
}

/// A template is filled in when it is new or its containers change anyway:
/// else a label put on a Deployment would roll it out. What a controller made
/// is left alone, except for what it will not compare: a Deployment that
/// finds its ReplicaSet with another template makes a new one, for ever.
fn may_change(request: &Request<'_>) -> bool {
    let is_fixed = FIXED.contains(&&*request.kind.kind);
    if request.is(Operation::Create) {
        return is_fixed || !request.is_controlled();
    }
    let is_changed = match (&request.pod, &request.old_pod) {
        (Some(pod), Some(old)) => pod.spec != old.spec,
        _ => true,
    };
    request.is(Operation::Update) && !is_fixed && !request.is_controlled() && is_changed
}

/// The operations that fill in what a container lacks, in the order of its
/// fields.
pub(crate) fn changes(
    container: &Placed<'_>,
    tier: &Tier,
    settings: &Settings,
) -> Vec<PatchOperation> {
    let missing = [
        (Side::Limits, limits(container, tier, settings)),
        (Side::Requests, requests(container, tier)),
    ];
    let missing = missing.into_iter().filter(|(_, map)| !map.is_empty());
    if container.resources.is_some() {
        return missing
            .flat_map(|(side, map)| fill(container, side, map))
            .collect();
    }
    let maps: Map<String, Value> = missing
        .map(|(side, map)| (side.member().to_owned(), map.into()))
        .collect();
    if maps.is_empty() {
        return Vec::new();
    }
    vec![add(container.at.clone(), maps)]
}

/// Adds a map whole where there is none yet, else key by key.
fn fill(container: &Placed<'_>, side: Side, map: Map<String, Value>) -> Vec<PatchOperation> {
    let at = pointer::join(&container.at, side.member());
    let is_there = container
        .resources
        .is_some_and(|resources| resources.side(side).is_some());
    if !is_there {
        return vec![add(at, map)];
    }
    map.into_iter()
        .map(|(resource, value)| add(pointer::join(&at, &resource), value))
        .collect()
}

fn add(path: String, value: impl Into<Value>) -> PatchOperation {
    PatchOperation::Add {
        path,
        value: value.into(),
    }
}

/// A limit alone is a request as well, to the API server.
fn requests(container: &Placed<'_>, tier: &Tier) -> Map<String, Value> {
    let names = |resources: Option<&Resources<'_>>, resource: &str| {
        resources.is_some_and(|resources| resources.names(resource))
    };
    tier.requests
        .iter()
        .filter(|(resource, _)| !names(container.resources, resource))
        .filter(|(resource, _)| !names(container.pod, resource))
        .map(|(resource, setting)| (resource.clone(), setting.text().into()))
        .collect()
}

/// None below the request or too far above it, and none that the pod answers
/// for: a container's limit would become a request there and count against
/// the pod's.
fn limits(container: &Placed<'_>, tier: &Tier, settings: &Settings) -> Map<String, Value> {
    let is_missing = |resource: &String| {
        let is_of_pod = container.pod.is_some_and(|pod| pod.names(resource));
        !is_of_pod && container.get(Side::Limits, resource).is_none()
    };
    let limit = |resource: &String| {
        let (setting, limit) = amount(&tier.limits, resource)?;
        let Some(written) = container.get(Side::Requests, resource) else {
            return Some((resource.clone(), setting.text().into()));
        };
        let request = written.quantity().ok()?;
        let ratio = amount(&settings.limit_request_ratio, resource);
        let is_far = ratio.is_some_and(|(_, ratio)| limit.exceeds(ratio, request));
        if request.is_negative() || is_far {
            return None;
        }
        let text = if request > limit {
            written.text().trim()
        } else {
            setting.text()
        };
        Some((resource.clone(), text.into()))
    };
    let missing = tier.limits.keys().filter(|resource| is_missing(resource));
    missing.filter_map(limit).collect()
}
