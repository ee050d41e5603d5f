//! What lies in the namespace `default`, or is to lie there by oversight.
//!
//! The page of the policy is [`DefaultNamespace`].

use portcullis_sdk::contract::MatchConstraints;
use portcullis_sdk::{
    Codes, Fault, Kind, Page, Place, Policy, Reads, Report, Settings as Validate, Text,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// ## What it does
///
/// Refuses new objects of every kind in the namespace `default`. Offline,
/// where a manifest may leave the namespace to a tool, it notes objects that
/// name none.
///
/// ## Why is this bad?
///
/// `default` is where things end up that nobody placed: it belongs to no
/// application, so that no quota, no network rule, no backup and no right fits
/// all that is in it. Whoever may read one Secret there may mostly read all of
/// them, and it cannot be cleaned up by deleting it.
///
/// ## What it does not judge
///
/// - Updates: what lies there already goes on working.
/// - What Kubernetes itself keeps there: the Service `kubernetes` with its
///   Endpoints and EndpointSlice, the ServiceAccount `default` of each
///   namespace, the ConfigMap `kube-root-ca.crt`, Events and Leases.
/// - Role and RoleBinding `portcullis`: a right on what lies in a namespace can
///   only be given there, and Portcullis' audit needs it.
/// - What the control plane makes for an object that was judged itself: the
///   Pods of a Deployment, the EndpointSlices of a Service, the claims of a
///   StatefulSet. It is told by who asks, never by marks on the object. Name
///   operators that do the same in `exemptUsers`.
/// - Objects without a namespace, in a cluster: the API server fills it in
///   before it asks.
///
/// ## Examples
///
/// Denied:
///
/// ```yaml
/// kind: ConfigMap
/// metadata: {name: web, namespace: default}
/// ```
///
/// Use instead:
///
/// ```yaml
/// kind: ConfigMap
/// metadata: {name: web, namespace: shop}
/// ```
#[derive(Debug, Page)]
pub struct DefaultNamespace;

/// The settings of `default-namespace`; all of them may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Users whose objects are not judged, besides the control plane's: those
    /// of operators that make objects for others, as in
    /// `system:serviceaccount:cert-manager:cert-manager`.
    pub exempt_users: Vec<String>,
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let empty = self.exempt_users.iter().position(String::is_empty);
        let empty = empty.map(|index| {
            let problem = "is empty, which would exempt whatever `check` reads: remove it";
            Fault::new(format!("/exemptUsers/{index}"), problem)
        });
        empty.into_iter().collect()
    }
}

/// What `default-namespace` may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Codes)]
pub enum Code {
    /// The object is to lie in the namespace `default`, which belongs to no
    /// application: neither quota nor network rules nor rights can fit all
    /// that is in it.
    #[code(error)]
    DefaultNamespace,
    /// The manifest names no namespace. kustomize, Flux or `kubectl -n` may
    /// set it; if none does, it goes to `default`. Only `check` ever sees
    /// this: in a cluster the namespace is always there.
    #[code(info)]
    NamespaceUnset,
}

/// What is read of a request.
#[derive(Debug, Reads, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    #[serde(borrow, default)]
    kind: Kind<'a>,
    #[serde(default)]
    namespace: Text<'a>,
    #[serde(default)]
    user_info: UserInfo<'a>,
    #[serde(default)]
    object: Option<Object<'a>>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct UserInfo<'a> {
    #[serde(borrow)]
    username: Text<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Debug, Default, Reads, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    namespace: Text<'a>,
}

/// What Kubernetes keeps in `default` itself: kind and name.
const OWN: [(&str, &str); 7] = [
    ("ConfigMap", "kube-root-ca.crt"),
    ("EndpointSlice", "kubernetes"),
    ("Endpoints", "kubernetes"),
    ("Role", "portcullis"),
    ("RoleBinding", "portcullis"),
    ("Service", "kubernetes"),
    ("ServiceAccount", "default"),
];

/// Controllers that make objects in the namespace of another object
/// (kube-controller-manager 1.36), as ServiceAccounts of kube-system.
const CONTROLLERS: [&str; 14] = [
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "job-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "root-ca-cert-publisher",
    "service-account-controller",
    "statefulset-controller",
];

impl Policy for DefaultNamespace {
    type Request<'a> = Request<'a>;
    type Settings = Settings;
    type Code = Code;

    fn matches() -> MatchConstraints {
        MatchConstraints::anything_created_in(&["default"])
    }

    fn evaluate(request: &Request<'_>, settings: &Settings, report: &mut Report<Code>) {
        let Some(Object { metadata }) = &request.object else {
            return;
        };
        let own = (&*request.kind.kind, &*metadata.name);
        let user = &*request.user_info.username;
        let is_exempt = settings.exempt_users.iter().any(|exempt| exempt == user);
        if OWN.contains(&own) || is_control_plane(user) || is_exempt {
            return;
        }
        let place = Place::at("/metadata/namespace");
        match (&*metadata.namespace, &*request.namespace) {
            ("default", _) => report.find(
                Code::DefaultNamespace,
                place,
                "write the namespace of its application, as in `namespace: shop`",
                "`default` belongs to no application: no quota, network rule or right fits all that is in it",
            ),
            ("", "default") => report.find(
                Code::NamespaceUnset,
                place,
                "add `metadata.namespace`, or let kustomize or Flux set it",
                "no namespace is named: unless a tool sets one, this goes to `default`",
            ),
            _ => {}
        }
    }
}

fn is_control_plane(user: &str) -> bool {
    let controller = user.strip_prefix("system:serviceaccount:kube-system:");
    matches!(user, "system:apiserver" | "system:kube-controller-manager")
        || controller.is_some_and(|name| CONTROLLERS.contains(&name))
}

portcullis_sdk::export!(DefaultNamespace);
