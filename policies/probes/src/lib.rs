//! Containers that run on and on say when they are ready, and when they hang.
//!
//! The page of the policy is [`Probes`]. `probe` knows what the API server
//! makes of a probe, `advice` puts a finding into words.

use std::collections::BTreeMap;

use portcullis_sdk::contract::{Lookup, MatchConstraints, Operation, Rule};
use portcullis_sdk::lookups::Looked;
use portcullis_sdk::pod::{ContainerList, List};
use portcullis_sdk::{Kind, Page, Place, Policy, Reads, Report, Text};
use serde::Deserialize;

mod advice;
mod code;
mod probe;
mod services;
mod settings;

use advice::Advice;
pub use code::Code;
use probe::{Port, Probe, Startup};
use services::{Service, Traffic};
pub use settings::{Role, Settings};

/// ## What it does
///
/// Checks that every container that is meant to run on has a `readinessProbe`
/// and a `livenessProbe`: those of Deployments, StatefulSets, ReplicaSets,
/// ReplicationControllers and Argo Rollouts, and those of Pods whose
/// `restartPolicy` is `Always` or absent. Containers of DaemonSets need the
/// liveness probe only. A probe that asks nothing is a warning, and so is a
/// liveness probe that is the same as the readiness probe. On request it also
/// judges sidecars, and warns of probes that ask too often.
///
/// ## Why is this bad?
///
/// Without a readiness probe a container counts as ready as soon as its
/// process runs: requests reach it before it can answer, and a rollout goes on
/// to the next replica although this one never will. Without a liveness probe
/// a process that hangs stays as it is until somebody notices. And where one
/// probe serves as both, a slow answer under load restarts the container, so
/// that the others get its load and are restarted next.
///
/// ## What it does not judge
///
/// - Jobs, CronJobs, PodTemplates, and Pods whose `restartPolicy` is
///   `OnFailure` or `Never`: what ends by itself needs no probe.
/// - Init containers, and ephemeral containers, in which the API forbids
///   probes. Sidecars (init containers with `restartPolicy: Always`) are judged
///   with the setting `sidecars`.
/// - A `startupProbe` replaces neither of the two: it runs until it succeeds
///   once. It is only looked at for being empty.
/// - Probes that differ in what they ask or in any number are two decisions,
///   and not the same. A number that is absent counts as its default, and a
///   port's name as its number.
/// - Knative Services and Configurations: Knative gives each container a
///   readiness probe. Rollouts are judged where `matchConstraints` of the
///   policy's document name them (`argoproj.io`, `rollouts`).
/// - Whether the probe's path exists, and whether it fails when it should.
/// - The readiness of a container without `ports` in a Pod that no Service of
///   the namespace selects: nothing is sent to it. Where nobody knows, it is
///   judged: without the grant of `services`, and among files that hold neither
///   a Service of the namespace nor its manifest.
///
/// ## What it looks up
///
/// `services`, where a container without `ports` has no readiness probe.
/// A Service may be applied after its workload, which then is judged too
/// mildly until its next update; an audit sees it.
///
/// Objects that a controller made are judged as any other, as everybody can
/// write `ownerReferences`.
///
/// ## Examples
///
/// Denied:
///
/// ```yaml
/// containers:
///   - name: web
///     image: nginx:1.27.3
///     ports: [{name: http, containerPort: 80}]
/// ```
///
/// Use instead:
///
/// ```yaml
/// containers:
///   - name: web
///     image: nginx:1.27.3
///     ports: [{name: http, containerPort: 80}]
///     readinessProbe: {httpGet: {path: /healthz, port: http}}
///     livenessProbe: {httpGet: {path: /healthz, port: http}, failureThreshold: 6}
/// ```
///
/// Settings that require both probes of DaemonSets too, and none of bare Pods:
///
/// ```yaml
/// settings:
///   required: {DaemonSet: [readiness, liveness], Pod: []}
/// ```
#[derive(Debug, Page)]
pub struct Probes;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow)]
    kind: Kind<'a>,
    pod: Option<Template<'a>>,
    #[serde(default)]
    namespace_is_known: bool,
}

/// What is read of a pod.
#[derive(Debug, Reads, Deserialize)]
struct Template<'a> {
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(default)]
    metadata: Metadata<'a>,
    #[serde(default)]
    spec: Spec<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    labels: Option<BTreeMap<Text<'a>, Text<'a>>>,
}

/// What is read of a pod's spec.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec<'a> {
    #[serde(borrow)]
    restart_policy: Text<'a>,
    init_containers: List<Container<'a>>,
    containers: List<Container<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    image: Text<'a>,
    restart_policy: Text<'a>,
    ports: List<Port<'a>>,
    readiness_probe: Option<Probe>,
    liveness_probe: Option<Probe>,
    startup_probe: Option<Startup>,
}

const READINESS: &str = "readinessProbe";
const LIVENESS: &str = "livenessProbe";
const STARTUP: &str = "startupProbe";

impl Policy for Probes {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    fn matches() -> MatchConstraints {
        // The probes of a Pod that is there cannot change. Its labels, which
        // are read, can, and a change of them must never wait for a policy.
        let mut constraints = MatchConstraints::pod_templates();
        for rule in &mut constraints.resource_rules {
            rule.resources.retain(|resource| resource != "pods");
        }
        let created = Rule {
            operations: vec![Operation::Create],
            ..Rule::writes("", &["pods"])
        };
        constraints.resource_rules.push(created);
        constraints
    }

    fn lookups() -> Vec<Lookup> {
        vec![Service::lookup()]
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let Some(template) = &request.pod else {
            return;
        };
        let Template { path, spec, .. } = template;
        let kind = &*request.kind.kind;
        if !runs_on(kind, &spec.restart_policy) {
            return;
        }
        let traffic = Traffic::of(
            template.metadata.labels.as_ref(),
            request.namespace_is_known,
        );
        let lists = [
            (ContainerList::Init, &spec.init_containers),
            (ContainerList::Main, &spec.containers),
        ];
        for (list, containers) in lists {
            for (index, container) in containers.iter().enumerate() {
                let is_judged = match list {
                    ContainerList::Main => true,
                    _ => settings.sidecars && &*container.restart_policy == "Always",
                };
                if !is_judged || settings.exempts(&container.image) {
                    continue;
                }
                for (member, advice) in judge(kind, container, &traffic, settings) {
                    let at = format!("{path}/spec/{}/{index}/{member}", list.member());
                    let place = container.place(at);
                    report.find(advice.code, place, advice.remedy, advice.message);
                }
            }
        }
    }
}

/// Whether Pods of this kind are started again whenever they end. In a
/// template the API server takes `restartPolicy: Always` alone.
fn runs_on(kind: &str, restart_policy: &str) -> bool {
    Settings::knows(kind) && (kind != "Pod" || matches!(restart_policy, "" | "Always"))
}

/// What is wrong with a container: the member concerned, and the advice.
fn judge(
    kind: &str,
    container: &Container<'_>,
    traffic: &Traffic<'_>,
    settings: &Settings,
) -> Vec<(String, Advice)> {
    let mut found = Vec::new();
    let roles = [
        (Role::Readiness, READINESS, &container.readiness_probe),
        (Role::Liveness, LIVENESS, &container.liveness_probe),
    ];
    for (role, member, probe) in roles {
        match (probe, settings.min_period) {
            (None, _) if settings.requires(kind, role) => {
                if role == Role::Readiness && container.ports.is_empty() && !traffic.may_come() {
                    continue;
                }
                found.push((member.to_owned(), advice::missing(role, container)));
            }
            (Some(probe), _) if probe.is_empty() => {
                found.push((member.to_owned(), advice::empty(member, container)));
            }
            (Some(probe), Some(least)) if probe.period() < least.into() => {
                let advice = advice::period(member, probe.period(), least);
                found.push((format!("{member}/periodSeconds"), advice));
            }
            _ => {}
        }
    }
    let startup = container.startup_probe.as_ref();
    if startup.is_some_and(Startup::is_empty) {
        found.push((STARTUP.to_owned(), advice::empty(STARTUP, container)));
    }
    if container.has_one_probe_twice() {
        found.push((LIVENESS.to_owned(), advice::identical()));
    }
    found
}

impl Container<'_> {
    fn place(&self, pointer: String) -> Place {
        let place = Place::at(pointer);
        match &*self.name {
            "" => place,
            name => place.in_container(name),
        }
    }

    fn has_one_probe_twice(&self) -> bool {
        match (&self.readiness_probe, &self.liveness_probe) {
            (Some(readiness), Some(liveness)) => {
                !readiness.is_empty() && readiness.is_same(liveness, &self.ports)
            }
            _ => false,
        }
    }
}

portcullis_sdk::export!(Probes);
