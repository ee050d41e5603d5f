//! Whether somebody answers: replicas, their Service, their certificate.

use std::collections::BTreeMap;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::seen::{list, text};
use super::{Said, Seen, note, problem};
use crate::cluster::certificates::contents::Contents;

/// A certificate is renewed with ten days left: at fourteen, somebody can
/// still look into it before anything fails.
const SHORT: i64 = 14 * 24 * 60 * 60;
/// A Lease is renewed every two seconds, and taken over after fifteen.
const STALE: i64 = 60;

/// The number of replicas is as wanted, and may fall without harm.
pub(super) fn replicas(seen: &Seen) -> Vec<Said> {
    let Some(pods) = &seen.pods else {
        return vec![];
    };
    let is_ready = |pod: &&Value| {
        let mut conditions = list(pod, "/status/conditions").iter();
        conditions.any(|one| one["type"] == "Ready" && one["status"] == "True")
    };
    let namespace = &seen.place.namespace;
    let mut said = vec![];
    let bad = pods.iter().filter(|pod| !is_ready(pod));
    for name in bad.map(|pod| text(pod, "/metadata/name")) {
        said.push(problem(
            format!("replica {name} is not ready"),
            format!("read `kubectl -n {namespace} describe pod {name}` and its log"),
        ));
    }
    if pods.len() == 1 {
        said.push(note(
            "there is one replica: with Fail nothing that is judged can be written while it restarts",
            "run two, on different nodes",
        ));
    }
    for budget in seen.budgets.iter().flatten() {
        let count = |member: &str| budget["status"][member].as_i64().unwrap_or_default();
        let (healthy, wanted) = (count("currentHealthy"), count("desiredHealthy"));
        if healthy < wanted {
            let name = text(budget, "/metadata/name");
            said.push(problem(
                format!(
                    "PodDisruptionBudget {name} wants {wanted} healthy replicas, and {healthy} are"
                ),
                format!("read `kubectl -n {namespace} get pods,events`"),
            ));
        }
    }
    said
}

/// All replicas are of one version.
pub(super) fn versions(seen: &Seen) -> Vec<Said> {
    let mut images: BTreeMap<&str, usize> = BTreeMap::new();
    for pod in seen.pods.iter().flatten() {
        // The digest, where the runtime has told it.
        let image = match text(pod, "/status/containerStatuses/0/imageID") {
            "" => text(pod, "/spec/containers/0/image"),
            digest => digest,
        };
        *images.entry(image).or_default() += 1;
    }
    if images.len() < 2 {
        return vec![];
    }
    let images = images
        .iter()
        .map(|(image, count)| format!("{count} of {image}"));
    let message = format!(
        "replicas are of different versions: {}",
        images.collect::<Vec<_>>().join(", ")
    );
    vec![problem(
        message,
        "see the rollout to its end: `kubectl rollout status`",
    )]
}

/// Somebody holds the Lease, and renews it.
pub(super) fn leader(seen: &Seen) -> Vec<Said> {
    let Some(lease) = &seen.lease else {
        return vec![];
    };
    const REMEDY: &str = "see that a replica runs, and read its log";
    if text(lease, "/spec/holderIdentity").is_empty() {
        let message = "no replica leads: certificates and registrations are not looked after";
        return vec![problem(message, REMEDY)];
    }
    let renewed = text(lease, "/spec/renewTime").parse::<Timestamp>();
    let age = renewed.map(|at| seen.now.as_second() - at.as_second());
    match age {
        Ok(age) if age <= STALE => vec![],
        _ => vec![problem(
            "the replica that leads has not renewed the Lease portcullis-leader for a minute",
            REMEDY,
        )],
    }
}

/// The Service leads to somebody.
pub(super) fn endpoints(seen: &Seen) -> Vec<Said> {
    let (Some(service), Some(slices)) = (&seen.service, &seen.slices) else {
        return vec![];
    };
    let place = format!("{}/{}", seen.place.namespace, seen.place.service);
    if service.is_null() {
        let message = format!("Service {place} is not there: the API server reaches nobody");
        return vec![problem(message, "apply the manifests again")];
    }
    // Its name is an alias, and whoever answers there is not for us to know.
    if text(service, "/spec/type") == "ExternalName" {
        return vec![];
    }
    let mut endpoints = slices.iter().flat_map(|slice| list(slice, "/endpoints"));
    match endpoints.any(|one| one["conditions"]["ready"] != false) {
        true => vec![],
        false => vec![problem(
            format!("Service {place} has no endpoint that is ready: the API server reaches nobody"),
            format!(
                "see that pods run that its selector finds: `kubectl -n {} get pods`",
                seen.place.namespace
            ),
        )],
    }
}

/// The certificate is whole, for our Service, and valid for a while.
pub(super) fn certificate(seen: &Seen) -> Vec<Said> {
    // Without a Secret of ours, somebody else makes certificates.
    let Some(Some(secret)) = &seen.secret else {
        return vec![];
    };
    let place = format!("Secret {}/portcullis-certificates", seen.place.namespace);
    let none = BTreeMap::default();
    let contents = Contents::parse(secret.data.as_ref().unwrap_or(&none));
    let name = format!("{}.{}.svc", seen.place.service, seen.place.namespace);
    let facts = contents.and_then(|contents| contents.facts(std::slice::from_ref(&name)));
    let facts = match facts {
        Ok(facts) => facts,
        Err(damage) => {
            let remedy = "see that a replica leads: it makes damaged certificates anew";
            return vec![problem(format!("{place}: {damage}"), remedy)];
        }
    };
    let mut said = vec![];
    if !facts.names_fit {
        said.push(problem(
            format!("{place}: the certificate is not for {name}"),
            "see that `serve --service` names the Service, and that a replica leads",
        ));
    }
    let left = facts.leaf.to - seen.now.as_second();
    if left < SHORT {
        let days = left.div_euclid(24 * 60 * 60);
        let message = match days {
            ..0 => format!("{place}: the certificate has expired"),
            _ => format!("{place}: the certificate expires in {days} days"),
        };
        let remedy = "it should have been renewed: see that a replica leads, and read its log";
        // Lifetimes may be set shorter than that.
        let whole = facts.leaf.to - facts.leaf.from;
        match left < whole / 3 {
            true => said.push(problem(message, remedy)),
            false => said.push(note(message, "it is renewed with a third of its life left")),
        }
    }
    said
}
