//! The settings.

use portcullis_sdk::{Fault, Settings as Validate, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::subject;

/// The settings of `cluster-admin`; all of them may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Settings {
    /// Further ClusterRoles that nobody is to be bound to, by name: `admin`
    /// and `edit`, or your own that allow as much.
    pub roles: Vec<String>,
    /// Who may be bound to them, by the names that the API server knows them
    /// by: `system:serviceaccount:NAMESPACE:NAME`, a user, a group, or
    /// `system:serviceaccounts:NAMESPACE` for each ServiceAccount of a
    /// namespace (but not for that group itself).
    pub allow: Vec<String>,
    /// Judges bindings of users and of other groups too, not of
    /// ServiceAccounts alone.
    pub people: bool,
    /// Roles and ClusterRoles that are not judged, by name; a `*` at the end
    /// stands for any rest.
    pub exempt_roles: Vec<String>,
}

/// Those that every cluster has, and those whose charts come with them.
const EXEMPT_ROLES: [&str; 9] = [
    "admin",
    "argocd-*",
    "cert-manager-*",
    "cluster-admin",
    "crd-controller-*",
    "edit",
    "external-secrets-*",
    "system:*",
    "traefik*",
];

/// The group of `kubeadm` and k3s, and the controllers of Flux and Argo CD:
/// what applies everything must be allowed everything.
const ALLOW: [&str; 4] = [
    "system:masters",
    "system:serviceaccount:argocd:argocd-application-controller",
    "system:serviceaccount:flux-system:helm-controller",
    "system:serviceaccount:flux-system:kustomize-controller",
];

impl Default for Settings {
    fn default() -> Self {
        Settings {
            roles: Vec::new(),
            allow: ALLOW.map(String::from).into(),
            people: false,
            exempt_roles: EXEMPT_ROLES.map(String::from).into(),
        }
    }
}

impl Settings {
    pub(crate) fn guards(&self, cluster_role: &str) -> bool {
        cluster_role == "cluster-admin" || self.roles.iter().any(|role| role == cluster_role)
    }

    pub(crate) fn exempts(&self, role: &str) -> bool {
        names::fit(&self.exempt_roles, role)
    }
}

impl Validate for Settings {
    fn validate(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (index, entry) in self.allow.iter().enumerate() {
            let problem = match entry.as_str() {
                "" => "is empty: remove it, or write a name",
                entry if subject::is_all(entry) => {
                    "is everybody, which is never allowed: name the users or ServiceAccounts"
                }
                _ => continue,
            };
            faults.push(Fault::new(
                format!("/allow/{index}"),
                format!("`{entry}` {problem}"),
            ));
        }
        for (index, entry) in self.roles.iter().enumerate() {
            if entry.is_empty() || entry.contains('*') {
                let problem = format!("`{entry}` is no name of a role: write it whole");
                faults.push(Fault::new(format!("/roles/{index}"), problem));
            }
        }
        faults.extend(names::faults("exemptRoles", &self.exempt_roles));
        faults
    }
}
