//! No pod of an enrolled namespace exists before its default NetworkPolicy.
//!
//! The page of the policy is [`DefaultNetworkPolicy`].

pub mod coverage;
pub mod flows;
mod lacking;
pub mod request;
pub mod settings;
pub mod template;

use portcullis_sdk::contract::{
    Effect, MatchConstraints, Operation, PatchOperation, Permission, Rule, Scope, pointer,
};
use portcullis_sdk::{Codes, Page, Place, Policy, Report, shown};
use serde_json::{Value, json};

use request::{ALLOW, FORCE, LABEL, Namespace, Request};
use settings::{Profile, Settings};

/// ## What it does
///
/// Gives every namespace with the label `portcullis.dev/network: PROFILE` a
/// NetworkPolicy named `portcullis-default`, before the first Pod is admitted
/// there, and keeps it as it should be.
///
/// | profile | in | out |
/// |---|---|---|
/// | `isolate-ingress` | the same namespace, ingress controllers, monitoring | everything |
/// | `isolate-full` | the same | the same namespace, DNS, the API server |
/// | `custom` | what the setting `custom` says | the same |
///
/// A team opens further flows by an annotation of its namespace,
/// `portcullis.dev/network-allow: from=arr-stack:5432, to=10.0.0.0/8`: `from=`
/// or `to=`, then a namespace, `*` for all of them or an IPv4 network, then, if
/// wanted, `:PORT` or `:PORT/UDP`. Other NetworkPolicies open more besides.
///
/// To set, change or remove the label takes the right to `update`
/// `wasmpolicies`. A namespace that another policy covers (a NetworkPolicy for
/// all of its pods and ingress, or one of Cilium, Calico or a cluster's
/// administrators) gets none, and ours goes when one comes: policies add up,
/// and ours could loosen it.
///
/// A namespace whose pods answer webhooks, APIServices or conversions of
/// CustomResourceDefinitions is not enrolled (`cuts-off-api-server`) unless a
/// flow lets the API server in on their port, `from=10.0.0.0/8:8443`, or the
/// annotation `portcullis.dev/network-force: "true"` says that it may be.
///
/// In files and audits it finds namespaces without a NetworkPolicy, and shows
/// the one that the label would have made.
///
/// ## Why is this bad?
///
/// Without a NetworkPolicy every pod of a cluster reaches every other one, and
/// so does whoever breaks into any of them. One that comes seconds after the
/// first pod leaves that time open, each time.
///
/// ## What it does not do
///
/// - Namespaces without the label, and those that are never judged
///   (`kube-system` above all), are left alone.
/// - Pods in the network of their node are reached whatever NetworkPolicies
///   say: it warns of them.
/// - Whether NetworkPolicies are enforced, and when, is up to the network
///   plugin.
/// - A NetworkPolicy of the same name that Portcullis did not make is never
///   changed; pods are refused until it is renamed.
///
/// ## Examples
///
/// Use:
///
/// ```yaml
/// kind: Namespace
/// metadata:
///   name: shop
///   labels: {portcullis.dev/network: isolate-ingress}
///   annotations: {portcullis.dev/network-allow: "from=reports:5432"}
/// ```
#[derive(Debug, Page)]
pub struct DefaultNetworkPolicy;

/// What `default-network-policy` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// The label names no profile that there is. Nobody knows then which
    /// NetworkPolicy is wanted, and pods are refused.
    #[code(error)]
    UnknownProfile,
    /// A flow of the annotation cannot be read. It is not opened.
    #[code(error)]
    BadFlow,
    /// Who may not write policies sets, changes or removes the label: it would
    /// open the namespace to others, or close it.
    #[code(error)]
    NotYours,
    /// The Pod lives in the network of its node, which no NetworkPolicy of the
    /// namespace covers.
    #[code(warning)]
    HostNetwork,
    /// The profile would keep the API server from a webhook, an APIService or a
    /// conversion that pods of the namespace answer. With
    /// `failurePolicy: Fail` nothing could be written any more that the webhook
    /// judges.
    #[code(error)]
    CutsOffApiServer,
    /// There is no NetworkPolicy in the namespace, and nothing else covers it:
    /// every pod of the cluster reaches its pods. Found in files and by audits.
    #[code(warning)]
    NamespaceWithoutNetworkpolicy,
    /// There are NetworkPolicies in the namespace, and none for all of its pods:
    /// those that none selects are open to every pod of the cluster. Found in
    /// files and by audits.
    #[code(info)]
    NamespacePartlyCovered,
}

/// What it asks for.
const KIND: &str = "networkpolicies.networking.k8s.io";

/// Never enrolled, whatever their labels say: the host leaves them out, too.
const SYSTEM: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

impl Policy for DefaultNetworkPolicy {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    const MUTATING: bool = true;
    const MUTATING_SETTINGS: &'static [&'static str] = &["enrolNew"];
    const EFFECTS: &'static [&'static str] = &[KIND];

    fn matches() -> MatchConstraints {
        let namespaces = Rule {
            scope: Scope::Cluster,
            ..Rule::writes("", &["namespaces"])
        };
        let pods = Rule {
            operations: vec![Operation::Create],
            scope: Scope::Namespaced,
            ..Rule::writes("", &["pods", "serviceaccounts"])
        };
        MatchConstraints::from_iter([namespaces, pods])
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let Some(namespace) = request.namespace() else {
            return;
        };
        if SYSTEM.contains(&namespace.name) {
            return;
        }
        if request.is_of_namespace() {
            enrol(request, namespace, settings, report);
            guard(request, namespace, settings, report);
        }
        let Some(written) = namespace.profile() else {
            let gets_it = settings.enrol_new.is_some() && !request.is_there();
            if request.is_of_namespace() && request.is_create() && !gets_it {
                lacking::find(namespace, settings, report);
            }
            return;
        };
        let Some(profile) = known(written, settings) else {
            unknown(request, written, report);
            return;
        };
        if request.is_on_host_network() {
            report.find(
                Code::HostNetwork,
                Place::at("/spec/hostNetwork"),
                "remove `hostNetwork`, or see to it that the node itself is guarded",
                "the NetworkPolicies of the namespace do not cover a pod in the network of its node",
            );
            return;
        }
        want(request, namespace, profile, settings, report);
    }
}

/// Gives a new namespace the profile that all new ones get.
fn enrol(
    request: &Request<'_>,
    namespace: Namespace<'_>,
    settings: &Settings,
    report: &mut Report<Code>,
) {
    let Some(profile) = settings.enrol_new else {
        return;
    };
    if !request.is_create() || request.is_there() || namespace.profile().is_some() {
        return;
    }
    let (path, value) = match namespace.labels {
        Some(_) => (
            pointer::join("/metadata/labels", LABEL),
            json!(profile.name()),
        ),
        None => (
            "/metadata/labels".to_owned(),
            json!({LABEL: profile.name()}),
        ),
    };
    report.change(PatchOperation::Add { path, value });
}

/// The label is for those who may write policies. What every new namespace
/// gets is everybody's at its creation.
fn guard(
    request: &Request<'_>,
    namespace: Namespace<'_>,
    settings: &Settings,
    report: &mut Report<Code>,
) {
    let (before, now) = (request.profile_before(), namespace.profile());
    let given = settings.enrol_new.map(Profile::name);
    if before == now || (request.is_create() && now == given) {
        return;
    }
    let may = Permission {
        verb: "update".to_owned(),
        api_group: "portcullis.dev".to_owned(),
        resource: "wasmpolicies".to_owned(),
        name: None,
    };
    report.find_unless(
        may,
        Code::NotYours,
        Place::at(pointer::join("/metadata/labels", LABEL)),
        "ask somebody who may update `wasmpolicies.portcullis.dev`",
        format!("the label `{LABEL}` says who may reach the namespace, and is not yours to change"),
    );
}

fn known(written: &str, settings: &Settings) -> Option<Profile> {
    let profile = Profile::named(written)?;
    (profile != Profile::Custom || settings.custom.is_some()).then_some(profile)
}

fn unknown(request: &Request<'_>, written: &str, report: &mut Report<Code>) {
    let place = match request.is_of_namespace() {
        true => pointer::join("/metadata/labels", LABEL),
        false => String::new(),
    };
    let whose = match request.is_of_namespace() {
        true => "the label",
        false => "the label of its namespace,",
    };
    let problem = match written {
        "custom" => {
            "names `custom`, and the setting `custom` of the policy is not there".to_owned()
        }
        other => format!("names no profile: `{}`", shown(other)),
    };
    report.find(
        Code::UnknownProfile,
        Place::at(place),
        format!("write one of {}", Profile::NAMES),
        format!("{whose} `{LABEL}` {problem}"),
    );
}

/// The NetworkPolicy: at once where pods may follow, soon beside the Namespace
/// itself, which does not exist yet.
fn want(
    request: &Request<'_>,
    namespace: Namespace<'_>,
    profile: Profile,
    settings: &Settings,
    report: &mut Report<Code>,
) {
    let (flows, bad) = flows::parse(namespace.allow);
    for bad in bad.iter().filter(|_| request.is_of_namespace()) {
        report.find(
            Code::BadFlow,
            Place::at(pointer::join("/metadata/annotations", ALLOW)),
            "write flows as in `from=shop:5432, to=10.0.0.0/8`",
            format!("`{}` {}", shown(&bad.text), bad.problem),
        );
    }
    let Some(policy) = template::policy(profile, settings, &flows) else {
        return;
    };
    if request.is_of_namespace() {
        look_at_api_server(request, namespace, &policy, report);
    }
    let effect = match request.is_of_namespace() {
        true => Effect::eventual(KIND, policy),
        false => Effect::required(KIND, policy),
    };
    let none = Default::default();
    let labels = namespace.labels.unwrap_or(&none);
    let covering = coverage::of(namespace.name, labels);
    report.effect(effect.applied().unless(covering));
}

/// Who enrols the namespace, or takes a flow away, must not cut off what the API
/// server calls there.
fn look_at_api_server(
    request: &Request<'_>,
    namespace: Namespace<'_>,
    policy: &Value,
    report: &mut Report<Code>,
) {
    let is_as_before = request.profile_before() == namespace.profile()
        && request.allow_before() == namespace.allow;
    if namespace.is_forced || is_as_before {
        return;
    }
    report.find_cut_off(
        policy.clone(),
        Code::CutsOffApiServer,
        Place::at(pointer::join("/metadata/labels", LABEL)),
        format!(
            "let the API server in by the annotation `{ALLOW}`, as in `from=10.0.0.0/8:8443`, or \
             set the annotation `{FORCE}: \"true\"`"
        ),
        "the API server calls pods of the namespace, and the profile lets it in no more",
    );
}

portcullis_sdk::export!(DefaultNetworkPolicy);
