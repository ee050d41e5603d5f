//! Who may do everything in a cluster, and who comes near it.
//!
//! The page of the policy is [`ClusterAdmin`]. `subject` knows who is bound,
//! `rule` what a role allows.

use portcullis_sdk::contract::{MatchConstraints, Rule as Resources};
use portcullis_sdk::{Kind, List, Page, Place, Policy, Reads, Report, Text, shown};
use serde::Deserialize;
use serde_json::Value;

mod code;
mod rule;
mod settings;
mod subject;

pub use code::Code;
use rule::Rule;
pub use settings::Settings;
use subject::{Subject, Who};

/// ## What it does
///
/// Looks at ClusterRoleBindings and RoleBindings that give `cluster-admin`
/// away: to a ServiceAccount, which is an error, or to everybody, which no
/// setting allows. And it warns of Roles and ClusterRoles that are as good:
/// every verb on every resource; `escalate`, `bind` or `impersonate`; every
/// Secret; commands in containers of others.
///
/// ## Why is this bad?
///
/// A ServiceAccount's token lies in every Pod that runs under it. One hole in
/// a dashboard, a runner or an exporter bound to `cluster-admin` is a hole in
/// the whole cluster, and nothing written in its own namespace stops it.
///
/// ## What it does not judge
///
/// - Users, and groups of people: somebody has to own the cluster. The setting
///   `people` judges them too.
/// - Who is on the list `allow`. It names the group `system:masters` and the
///   controllers of Flux and Argo CD, which apply everything; a list of your
///   own takes its place. k3s binds the ServiceAccounts of its Helm jobs:
///   with the profile `strict`, add `system:serviceaccounts:kube-system`.
/// - Roles on the list `exemptRoles`: those of Kubernetes itself, and of
///   controllers that come with such rules.
/// - What a ClusterRole of another name allows, where a binding names it: the
///   binding does not say. Name such roles in `roles`.
/// - Every verb and resource of one API group, an operator's own for one.
///
/// ## Examples
///
/// Denied:
///
/// ```yaml
/// kind: ClusterRoleBinding
/// metadata: {name: dashboard}
/// roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
/// subjects: [{kind: ServiceAccount, namespace: dashboard, name: dashboard}]
/// ```
///
/// Use instead:
///
/// ```yaml
/// kind: ClusterRoleBinding
/// metadata: {name: dashboard}
/// roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
/// subjects: [{kind: ServiceAccount, namespace: dashboard, name: dashboard}]
/// ```
#[derive(Debug, Page)]
pub struct ClusterAdmin;

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
pub struct Request<'a> {
    #[serde(borrow, default)]
    kind: Kind<'a>,
    #[serde(default)]
    object: Option<Object<'a>>,
}

/// What is read of a binding or a role.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    role_ref: RoleRef<'a>,
    subjects: List<Subject<'a>>,
    rules: List<Rule<'a>>,
    aggregation_rule: Option<Value>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    namespace: Text<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct RoleRef<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    name: Text<'a>,
}

impl Policy for ClusterAdmin {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    fn matches() -> MatchConstraints {
        MatchConstraints::from_iter([Resources::writes(
            "rbac.authorization.k8s.io",
            &[
                "clusterrolebindings",
                "rolebindings",
                "clusterroles",
                "roles",
            ],
        )])
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let Some(object) = &request.object else {
            return;
        };
        match &*request.kind.kind {
            "ClusterRoleBinding" => object.binding("the cluster", settings, report),
            "RoleBinding" => object.binding(&object.namespace(), settings, report),
            "ClusterRole" => object.role(true, settings, report),
            "Role" => object.role(false, settings, report),
            _ => {}
        }
    }
}

impl Object<'_> {
    fn namespace(&self) -> String {
        match &*self.metadata.namespace {
            "" => "the namespace".to_owned(),
            namespace => format!("the namespace `{}`", shown(namespace)),
        }
    }

    fn binding(&self, scope: &str, settings: &Settings, report: &mut Report<Code>) {
        let role = &*self.role_ref.name;
        if &*self.role_ref.kind != "ClusterRole" || !settings.guards(role) {
            return;
        }
        let what = match role {
            "cluster-admin" => format!("everything in {scope}"),
            role => format!("all that `{}` allows in {scope}", shown(role)),
        };
        for (index, subject) in self.subjects.iter().enumerate() {
            let place = Place::at(format!("/subjects/{index}"));
            let name = subject.shown();
            match subject.who(settings) {
                Who::Passed => {}
                Who::Everyone => report.find(
                    Code::ClusterAdminEveryone,
                    place,
                    "name the users or ServiceAccounts that need it, one by one",
                    format!("{name} is {}, and may do {what}", subject.crowd()),
                ),
                Who::Refused => report.find(
                    Code::ClusterAdmin,
                    place,
                    format!(
                        "bind a role with the rights that it needs instead of `{}`",
                        shown(role)
                    ),
                    format!("{name} may do {what}, and so may whoever takes it over"),
                ),
            }
        }
    }

    fn role(&self, is_cluster_wide: bool, settings: &Settings, report: &mut Report<Code>) {
        if settings.exempts(&self.metadata.name) {
            return;
        }
        if self.aggregation_rule.is_some() {
            report.find(
                Code::RoleAggregated,
                Place::at("/aggregationRule"),
                "write the rules down, or limit who may label ClusterRoles",
                "the role takes over the rules of every ClusterRole with a label that it names",
            );
        }
        for (index, rule) in self.rules.iter().enumerate() {
            for (code, remedy, message) in rule.advice(is_cluster_wide) {
                report.find(code, Place::at(format!("/rules/{index}")), remedy, message);
            }
        }
    }
}

portcullis_sdk::export!(ClusterAdmin);
