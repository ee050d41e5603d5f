//! Workloads of several replicas have a PodDisruptionBudget that lets them be
//! moved, one after the other.
//!
//! The page of the policy is [`DisruptionBudget`]. `budget` knows what a
//! PodDisruptionBudget selects and allows.

use std::collections::BTreeMap;

use portcullis_sdk::contract::{Lookup, MatchConstraints, Rule};
use portcullis_sdk::lookups::{self, Looked};
use portcullis_sdk::{Codes, Kind, NoSettings, Page, Place, Policy, Reads, Report, shown};
use serde::Deserialize;

mod autoscaler;
mod budget;

use autoscaler::Autoscaler;
use budget::Budget;

/// ## What it does
///
/// Looks the PodDisruptionBudgets of the namespace up and checks that a
/// Deployment or StatefulSet of two or more replicas (or of one that a
/// HorizontalPodAutoscaler keeps at two or more) has one that selects its
/// pods, that it has only one, and that it lets at least one pod be evicted.
///
/// ## Why is this bad?
///
/// Without a budget, a drain evicts all replicas that are on a node at once,
/// and an upgrade that drains several nodes may take all of them. A budget
/// that allows nothing is worse: the drain never ends, and whoever upgrades
/// the cluster will force it. And where two budgets select one pod, the API
/// server refuses to evict it at all.
///
/// ## What it looks up
///
/// `poddisruptionbudgets` of `policy`: without the grant it has nothing to say.
/// `horizontalpodautoscalers` of `autoscaling`, for their `minReplicas`:
/// without the grant replicas are counted as the workload says.
///
/// ## What it does not judge
///
/// - Workloads of one replica without a budget: there is nothing that a budget
///   could keep. One that they have is judged.
/// - DaemonSets, whose pods a drain leaves where they are, and kinds of other
///   API groups.
/// - Replicas that an autoscaler may add above its `minReplicas`.
/// - A budget that is applied after its workload is not there yet when the
///   workload is judged: the finding is a warning, and the next update or
///   audit does not have it. Budgets are not judged when they change.
///
/// ## Examples
///
/// Warned of, where no budget selects `app: web`:
///
/// ```yaml
/// kind: Deployment
/// spec:
///   replicas: 3
///   template: {metadata: {labels: {app: web}}}
/// ```
///
/// With this it is not:
///
/// ```yaml
/// apiVersion: policy/v1
/// kind: PodDisruptionBudget
/// metadata: {name: web}
/// spec:
///   maxUnavailable: 1
///   selector: {matchLabels: {app: web}}
/// ```
#[derive(Debug, Page)]
pub struct DisruptionBudget;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow)]
    kind: Kind<'a>,
    object: Workload,
}

#[derive(Debug, Reads, Deserialize)]
struct Workload {
    #[serde(default)]
    metadata: Named,
    spec: Spec,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
}

#[derive(Debug, Reads, Deserialize)]
struct Spec {
    replicas: Option<i64>,
    template: Template,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Template {
    metadata: Metadata,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata {
    labels: Option<BTreeMap<String, String>>,
}

/// What the policy may report.
#[derive(Debug, Codes)]
pub enum Code {
    /// Several replicas, and no PodDisruptionBudget selects their pods.
    ///
    /// A drain evicts all of them that are on its node at once.
    #[code(warning)]
    NoPdb,
    /// The PodDisruptionBudget of the pods lets none of them be evicted.
    ///
    /// A drain of their node waits for ever.
    #[code(error)]
    PdbAllowsNone,
    /// Several PodDisruptionBudgets select the same pods.
    ///
    /// The API server refuses to evict such a pod, and a drain waits for ever.
    #[code(error)]
    PdbsOverlap,
}

const REPLICAS: &str = "/spec/replicas";

impl Policy for DisruptionBudget {
    type Request<'a> = Request<'a>;
    type Settings = NoSettings;
    type Code = Code;

    fn matches() -> MatchConstraints {
        MatchConstraints::from_iter([Rule::writes("apps", &["deployments", "statefulsets"])])
    }

    fn lookups() -> Vec<Lookup> {
        vec![Budget::lookup(), Autoscaler::lookup()]
    }

    fn evaluate(request: &Request<'_>, _: &NoSettings, report: &mut Report<Code>) {
        let spec = &request.object.spec;
        let replicas = replicas(request);
        if replicas < 1 {
            return;
        }
        let labels = spec.template.metadata.labels.clone().unwrap_or_default();
        let Some(mut budgets) = lookups::here::<Budget>().list() else {
            return;
        };
        budgets.retain(|budget| budget.selects(&labels));
        match budgets.as_slice() {
            [] if replicas > 1 => report.find(
                Code::NoPdb,
                place(spec),
                "add a PodDisruptionBudget that selects its pods, with `maxUnavailable: 1`",
                format!("a drain may evict its {replicas} replicas at once"),
            ),
            [] => {}
            [budget] if budget.allows(replicas) < 1 => report.find(
                Code::PdbAllowsNone,
                place(spec),
                format!(
                    "write `maxUnavailable: 1` in the PodDisruptionBudget `{}`",
                    budget.name()
                ),
                format!(
                    "with replicas: {replicas} it lets no pod be evicted, and drains wait for ever"
                ),
            ),
            [_] => {}
            several => report.find(
                Code::PdbsOverlap,
                place(spec),
                "keep one of them, or let each select other pods",
                format!(
                    "the PodDisruptionBudgets {} all select its pods",
                    names(several)
                ),
            ),
        }
    }
}

/// How many replicas there are at least, while nobody scales the workload down.
fn replicas(request: &Request<'_>) -> i64 {
    // The API server's default.
    let written = request.object.spec.replicas.unwrap_or(1);
    let name = request.object.metadata.name.as_deref().unwrap_or_default();
    // Of zero, an autoscaler is off. Of several, none is needed to know it.
    match written {
        1 => autoscaler::least(&request.kind.kind, name).max(written),
        written => written,
    }
}

fn place(spec: &Spec) -> Place {
    Place::at(match spec.replicas {
        Some(_) => REPLICAS,
        None => "/spec",
    })
}

fn names(budgets: &[Budget]) -> String {
    let names = budgets.iter().map(|budget| format!("`{}`", budget.name()));
    shown(&names.collect::<Vec<_>>().join(", "))
}

portcullis_sdk::export!(DisruptionBudget);
