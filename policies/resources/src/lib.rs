//! Containers say what they need, and what they may take at most.
//!
//! The page of the policy is [`Resources`]. `missing` finds what is not
//! there, `amounts` judges what is, `defaults` fills in.

use limit_ranges::{LimitRange, Ranges};
use portcullis_sdk::contract::{Lookup, MatchConstraints};
use portcullis_sdk::lookups::Looked;
use portcullis_sdk::{Page, Policy, Report};

mod amounts;
mod code;
mod defaults;
mod limit_ranges;
mod missing;
mod place;
mod request;
mod settings;

pub use code::Code;
use place::Placed;
pub use request::{Request, Spec};
pub use settings::{Defaults, Field, Settings, Tier};

/// ## What it does
///
/// Wants of every container a CPU request, a memory request and a memory
/// limit (the setting `required`), and checks that the quantities that are
/// there make sense: not zero, not negative, no limit below its request,
/// request and limit equal where Kubernetes cannot overcommit (extended
/// resources such as `nvidia.com/gpu`, and hugepages). On request it holds
/// them to a `min` and a `max`, and limits to a multiple of their requests.
/// With the setting `defaults` it fills in what is missing.
///
/// ## Why is this bad?
///
/// The scheduler goes by requests alone. A container without them counts as
/// nothing, so that a node is filled until it is out of memory, and the kernel
/// then kills whatever it finds, which are first of all the pods without
/// requests. A container without a memory limit takes its neighbours with it
/// when it leaks.
///
/// A limit of CPU is optional: it slows a container down while the node is
/// idle, and protects nobody whom requests do not protect.
///
/// ## What counts
///
/// - A limit stands in for its request, as the API server fills it in.
/// - Pod-level `spec.resources` stand in for the containers' fields: a request
///   there for requests, a limit there for both. Their own quantities are
///   judged as a container's are, `min`, `max` and `limitRequestRatio` too.
/// - Init containers need what is required unless `initContainers: false`;
///   what they do have is judged all the same. Sidecars (init containers with
///   `restartPolicy: Always`) run as long as the pod and are judged as
///   containers are. Ephemeral containers are never judged: the API forbids
///   resources there.
/// - Of a device, zero is a legitimate amount: `nvidia.com/gpu: 0`.
/// - In-place resizes (`pods/resize`) are held to the same amounts: what `min`,
///   `max` and `limitRequestRatio` forbid is not to be had by resizing. What
///   is missing is not asked for there: the pod was judged when it was made,
///   and an autoscaler that resizes it cannot write a limit.
/// - `min` and `max` bound each request and each limit that is there;
///   `limitRequestRatio` bounds a limit that has a request beside it.
///
/// - What a LimitRange of the namespace gives to containers (`default`,
///   `defaultRequest`, and `max` and `min` where the API server takes those
///   for them) is not missing from a Deployment or another template, whose
///   Pods will have it. Pods themselves need it, for LimitRanger has filled
///   them in by then. Without the grant of `limitranges` templates have to
///   say all themselves.
///
/// ## What it looks up
///
/// `limitranges`, where a template lacks something.
///
/// ## What it does not judge
///
/// - Whether what a LimitRange fills in fits what is written: one that gives a
///   limit below the request that a template has makes its Pods invalid.
/// - Whether the amounts fit the program, or any node, is not known here.
/// - Sums of containers against pod-level resources, sizes of pages and names
///   of resources are left to the API server.
///
/// ## Defaults
///
/// The setting `defaults` names a label of the namespace, what to fill in for
/// each of its values (`tiers`), and what where none fits (`otherwise`); with
/// neither, nothing is filled in. Nor is anything filled in by a label while
/// the labels of the namespace are not known: offline without its manifest,
/// and in the webhook as long as it does not look namespaces up. A request is filled in only where neither
/// request nor limit of that resource is there, a limit only where there is
/// none; a limit is never below its request (then it is the request's own
/// amount), and is left out where it would be more than `limitRequestRatio`
/// allows. What pod-level resources name is left to them, and so are init
/// containers with `initContainers: false`.
///
/// This changes the object that somebody writes, a Deployment's template and
/// not only its Pods: the validating half, `kubectl get` and the next diff see
/// the object as it was filled in. It happens when an object is created, and
/// on an update that changes containers or resources anyway; never on another
/// update, which would roll out a template that nobody touched. Pods and Jobs
/// are filled in when they are created. Other objects that a controller made
/// are left alone: it compares them with what it wanted, and a Deployment
/// would make one ReplicaSet after another.
///
/// ## Examples
///
/// Denied:
///
/// ```yaml
/// containers:
///   - name: web
///     image: nginx:1.27.3
///     resources:
///       requests: {memory: 256Mi}
///       limits: {memory: 128Mi}
/// ```
///
/// Use instead:
///
/// ```yaml
/// containers:
///   - name: web
///     image: nginx:1.27.3
///     resources:
///       requests: {cpu: 100m, memory: 128Mi}
///       limits: {memory: 256Mi}
/// ```
///
/// Filled in, in namespaces labelled `tier: batch` and in all others:
///
/// ```yaml
/// settings:
///   defaults:
///     namespaceLabel: tier
///     tiers:
///       batch:
///         requests: {cpu: 500m, memory: 1Gi}
///         limits: {memory: 2Gi}
///     otherwise:
///       requests: {cpu: 100m, memory: 128Mi}
///       limits: {memory: 256Mi}
/// ```
#[derive(Debug, Page)]
pub struct Resources;

impl Policy for Resources {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    const MUTATING: bool = true;
    const MUTATING_SETTINGS: &'static [&'static str] = &["defaults"];

    fn matches() -> MatchConstraints {
        MatchConstraints::workloads_and(&["pods/resize"])
    }

    fn lookups() -> Vec<Lookup> {
        vec![LimitRange::lookup()]
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let Some(pod) = &request.pod else {
            return;
        };
        let tier = defaults::tier(request, settings);
        let ranges = Ranges::of(request);
        for container in Placed::containers(pod) {
            let is_relaxed = container.is_init && !settings.init_containers;
            if !is_relaxed && !request.is_resize() {
                missing::find(&container, &ranges, settings, report);
            }
            amounts::find(&container, settings, report);
            if let (Some(tier), false) = (tier, is_relaxed) {
                for change in defaults::changes(&container, tier, settings) {
                    report.change(change);
                }
            }
        }
        amounts::find(&Placed::of_pod(pod), settings, report);
    }
}

portcullis_sdk::export!(Resources);
