//! Secrets that are moved out of ConfigMaps: somebody moves them, serves them,
//! and keeps their names; and what was moved can be read.

use std::collections::BTreeMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::seen::{list, text};
use super::{Said, Seen, problem};
use crate::cluster::relocation::commands::{ADMISSION, SERVING};
use crate::cluster::relocation::known::known;
use crate::cluster::relocation::resource::{DANGLING, Stage, Status};
use crate::cluster::relocation::{LABEL, MOVE};

/// The guards that work while nothing of ours does (deploy/chart).
pub(super) const GUARDS: [&str; 2] = [
    "portcullis-reserved-secrets",
    "portcullis-secrets-enrolment",
];

/// What is told one by one; more are counted.
const SHOWN: usize = 5;
/// How long the present state of a ConfigMap may wait until it is served, however
/// busy the cluster is; promised are 5 s.
const LAG: SignedDuration = SignedDuration::from_secs(30);

/// What was seen of relocation. `None` is what could not be looked at.
#[derive(Debug, Clone, Default)]
pub struct Relocating {
    /// All Relocations.
    pub relocations: Option<Vec<Value>>,
    /// The ConfigMaps of enrolled namespaces that say that values were moved.
    pub config_maps: Option<Vec<Value>>,
    /// The RoleBindings of each enrolled namespace.
    pub bindings: BTreeMap<String, Option<Vec<Value>>>,
    /// Each guard and its binding, null for what is not there.
    pub guards: Vec<(&'static str, Option<[Value; 2]>)>,
    /// The pods that serve what was moved.
    pub pods: Option<Vec<Value>>,
}

impl Seen {
    /// Whether anything is moved, or is to be.
    pub(super) fn relocates(&self) -> bool {
        self.is_moving() || self.enrolled().next().is_some()
    }

    /// Whether replicas have themselves asked about ConfigMaps and pods.
    fn is_moving(&self) -> bool {
        let ours = self.ours().into_iter().flatten();
        ours.flat_map(|one| list(one, "/webhooks"))
            .any(|entry| text(entry, "/name").starts_with("relocate."))
    }

    /// Namespaces that are enrolled.
    pub(super) fn enrolled(&self) -> impl Iterator<Item = &str> {
        let namespaces = self.world.iter().flat_map(|world| &world.namespaces);
        namespaces.filter_map(|one| {
            let labels = one.metadata.labels.as_ref()?;
            labels.get(LABEL).filter(|value| *value == MOVE)?;
            one.metadata.name.as_deref()
        })
    }
}

/// All of it.
pub(super) fn relocation(seen: &Seen) -> Vec<Said> {
    let Some(relocating) = &seen.relocating else {
        return vec![];
    };
    let mut said = vec![];
    said.extend(unmoved(seen));
    if seen.relocates() {
        said.extend(unserved_by_anybody(seen, relocating));
        said.extend(relocating.guards.iter().filter_map(unguarded));
    }
    let bindings = relocating.bindings.iter();
    said.extend(bindings.filter_map(|(namespace, all)| unbound(seen, namespace, all.as_deref()?)));
    said.extend(left(seen, relocating));
    said.extend(told(
        dangling(relocating),
        "run `portcullis secrets status`",
    ));
    said.extend(told(
        unserved(seen, relocating),
        "see the log of `portcullis relocate`; new pods that use them wait",
    ));
    said
}

/// Namespaces are enrolled, and nobody asks us.
fn unmoved(seen: &Seen) -> Option<Said> {
    let enrolled: Vec<&str> = seen.enrolled().collect();
    let is_registered = seen.ours().iter().any(Option::is_some);
    if seen.is_moving() || enrolled.is_empty() || !is_registered {
        return None;
    }
    Some(problem(
        format!(
            "namespaces are enrolled and nothing is moved in them, since no replica serves with \
             --relocation: {}",
            enrolled.join(", ")
        ),
        "switch it on (chart: relocation.enabled), or `portcullis secrets restore` and take the \
         label off",
    ))
}

fn unserved_by_anybody(seen: &Seen, relocating: &Relocating) -> Option<Said> {
    let pods = relocating.pods.as_ref()?;
    let is_ready = |pod: &&Value| {
        let mut conditions = list(pod, "/status/conditions").iter();
        conditions.any(|one| text(one, "/type") == "Ready" && text(one, "/status") == "True")
    };
    if pods.iter().any(|pod| is_ready(&pod)) {
        return None;
    }
    let namespace = &seen.place.namespace;
    Some(problem(
        format!(
            "nobody serves what is moved: of {} pods of `portcullis relocate` none is ready",
            pods.len()
        ),
        format!(
            "see `kubectl describe pods -n {namespace} -l app.kubernetes.io/component=relocation`; \
             until then new pods that use moved values wait"
        ),
    ))
}

fn unguarded((name, guard): &(&'static str, Option<[Value; 2]>)) -> Option<Said> {
    let [policy, binding] = guard.as_ref()?;
    let denies = list(binding, "/spec/validationActions")
        .iter()
        .any(|one| one == "Deny");
    let why = match () {
        () if policy.is_null() => "is not there",
        () if text(policy, "/spec/failurePolicy") != "Fail" => "lets pass what it cannot judge",
        () if binding.is_null() => "has no binding, and judges nothing",
        () if !denies => "has a binding that denies nothing",
        () => return None,
    };
    Some(problem(
        format!(
            "ValidatingAdmissionPolicy {name} {why}: others may write what pods read, or enrol \
             namespaces"
        ),
        "apply the chart again as it is (`helm upgrade`)",
    ))
}

/// A namespace in which our accounts lack a role.
fn unbound(seen: &Seen, namespace: &str, bindings: &[Value]) -> Option<Said> {
    let is_bound = |role: &str| {
        bindings.iter().any(|binding| {
            let mut subjects = list(binding, "/subjects").iter();
            text(binding, "/roleRef/name") == role
                && subjects.any(|one| text(one, "/namespace") == seen.place.namespace)
        })
    };
    let missing: Vec<&str> = [ADMISSION, SERVING]
        .into_iter()
        .filter(|role| !is_bound(role))
        .collect();
    (!missing.is_empty()).then(|| {
        problem(
            format!(
                "namespace {namespace} is enrolled, and our accounts do not have there: {}",
                missing.join(", ")
            ),
            format!("run `portcullis secrets enrol {namespace}`"),
        )
    })
}

/// Values are moved where nobody rewrites pods any more.
fn left(seen: &Seen, relocating: &Relocating) -> Vec<Said> {
    let Some(world) = &seen.world else {
        return vec![];
    };
    // What goes takes what is moved along.
    let stays = |name: &str| {
        let mut namespaces = world.namespaces.iter();
        let found = namespaces.find(|one| one.metadata.name.as_deref() == Some(name));
        found.is_some_and(|one| one.metadata.deletion_timestamp.is_none())
    };
    let enrolled: Vec<&str> = seen.enrolled().collect();
    let relocations = relocating.relocations.iter().flatten();
    let left = relocations.filter(|one| {
        let stage = text(one, "/spec/stage");
        let is_moved = stage.is_empty() || stage == format!("{:?}", Stage::Redact);
        let namespace = text(one, "/metadata/namespace");
        is_moved
            && !list(one, "/status/keys").is_empty()
            && stays(namespace)
            && !enrolled.contains(&namespace)
    });
    let places = left.map(|one| {
        format!(
            "{} is moved, in a namespace that is not enrolled",
            place(one)
        )
    });
    let remedy = "`portcullis secrets restore NAMESPACE`, or enrol it again: new pods are given \
                  placeholders";
    told(places.collect(), remedy)
}

fn dangling(relocating: &Relocating) -> Vec<String> {
    let relocations = relocating.relocations.iter().flatten();
    let dangling = relocations.filter(|one| text(one, "/status/state") == DANGLING);
    dangling
        .map(|one| format!("{}: {}", place(one), text(one, "/status/message")))
        .collect()
}

/// ConfigMaps whose present state no Relocation says is served.
fn unserved(seen: &Seen, relocating: &Relocating) -> Vec<String> {
    let (Some(maps), Some(relocations)) = (&relocating.config_maps, &relocating.relocations) else {
        return vec![];
    };
    let status = |map: &Value| -> Status {
        let same = |one: &&Value| place(one) == place(map);
        let found = relocations.iter().find(same);
        let status = found.map(|one| one["status"].clone()).unwrap_or_default();
        serde_json::from_value(status).unwrap_or_default()
    };
    let late = maps.iter().filter(|map| {
        let is_served = known(Some(map), &status(map)).1;
        !is_served && seen.now.duration_since(changed(map)) > LAG
    });
    late.map(|map| format!("{} is not served as it is now", place(map)))
        .collect()
}

/// When it was written last.
fn changed(map: &Value) -> Timestamp {
    let fields = list(map, "/metadata/managedFields").iter();
    let created = text(map, "/metadata/creationTimestamp");
    let times = fields.map(|one| text(one, "/time")).chain([created]);
    let times = times.filter_map(|time| time.parse::<Timestamp>().ok());
    times.max().unwrap_or_default()
}

fn place(object: &Value) -> String {
    let (namespace, name) = ("/metadata/namespace", "/metadata/name");
    format!(
        "ConfigMap {}/{}",
        text(object, namespace),
        text(object, name)
    )
}

/// The first of them, and how many more.
fn told(all: Vec<String>, remedy: &str) -> Vec<Said> {
    let more = all.len().saturating_sub(SHOWN);
    let first = all.into_iter().take(SHOWN);
    let mut said: Vec<Said> = first.map(|one| problem(one, remedy)).collect();
    if more > 0 {
        said.push(problem(
            format!("the same of {more} ConfigMaps more"),
            remedy,
        ));
    }
    said
}
