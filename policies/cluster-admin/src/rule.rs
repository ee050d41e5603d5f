//! What one rule of a role allows.

use portcullis_sdk::{List, Reads, Text};
use serde::Deserialize;

use crate::Code;

/// A rule of a Role or a ClusterRole.
#[derive(Debug, Default, Reads, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Rule<'a> {
    #[serde(borrow)]
    api_groups: List<Text<'a>>,
    resources: List<Text<'a>>,
    resource_names: List<Text<'a>>,
    verbs: List<Text<'a>>,
}

/// A code with its remedy and its message.
pub(crate) type Advice = (Code, String, String);

/// What may not be given away: API group, resource, verbs.
const ESCALATION: [(&str, &str, &[&str]); 7] = [
    (RBAC, "roles", &["bind", "escalate"]),
    (RBAC, "clusterroles", &["bind", "escalate"]),
    ("", "users", &["impersonate"]),
    ("", "groups", &["impersonate"]),
    ("", "serviceaccounts", &["impersonate"]),
    ("authentication.k8s.io", "uids", &["impersonate"]),
    ("authentication.k8s.io", "userextras", &["impersonate"]),
];
const SECRETS: [(&str, &str, &[&str]); 1] = [("", "secrets", &["get", "list", "watch"])];
const COMMANDS: [(&str, &str, &[&str]); 2] = [
    ("", "pods/exec", &["create", "get"]),
    ("", "nodes/proxy", &["create", "get"]),
];
const RBAC: &str = "rbac.authorization.k8s.io";

impl Rule<'_> {
    /// What is to be said of it. A rule that names its objects is not said to
    /// be about all of them.
    pub(crate) fn advice(&self, is_cluster_wide: bool) -> Vec<Advice> {
        let scope = if is_cluster_wide {
            "the cluster"
        } else {
            "its namespace"
        };
        if self.is_everything() {
            return vec![wildcard(scope)];
        }
        let mut advice = Vec::new();
        if self.resource_names.is_empty() {
            let escalation = self.first(&ESCALATION);
            advice.extend(escalation.map(|(resource, verb)| escalating(resource, verb, scope)));
            let secrets = self.first(&SECRETS).filter(|_| is_cluster_wide);
            advice.extend(secrets.map(|(name, verb)| reading(verb, self.names(name))));
        }
        let commands = self.first(&COMMANDS);
        advice.extend(commands.map(|(name, _)| running(name, self.names(name), scope)));
        advice
    }

    /// Every verb on every resource of every group, or of the core group.
    fn is_everything(&self) -> bool {
        let core = |group: &Text<'_>| matches!(&**group, "*" | "");
        self.api_groups.iter().any(core) && has(&self.resources, "*") && has(&self.verbs, "*")
    }

    /// The first of these that the rule allows: resource and verb.
    fn first<'t>(&self, table: &[(&str, &'t str, &[&'t str])]) -> Option<(&'t str, &'t str)> {
        table.iter().find_map(|(group, resource, verbs)| {
            let verb = verbs.iter().find(|verb| has(&self.verbs, verb))?;
            let allowed = has(&self.api_groups, group) && self.has_resource(resource);
            allowed.then_some((*resource, *verb))
        })
    }

    /// Whether the resource is written out.
    fn names(&self, resource: &str) -> bool {
        self.resources.iter().any(|found| **found == *resource)
    }

    /// RBAC knows `*` and `*/exec` besides whole names.
    fn has_resource(&self, resource: &str) -> bool {
        let of_any = |entry: &Text<'_>| {
            let sub = entry.strip_prefix("*/");
            sub.is_some_and(|sub| resource.split_once('/').is_some_and(|(_, own)| own == sub))
        };
        has(&self.resources, resource) || self.resources.iter().any(of_any)
    }
}

/// Whether a list of a rule holds this entry, or `*`.
fn has(list: &[Text<'_>], entry: &str) -> bool {
    list.iter()
        .any(|found| matches!(&**found, "*") || **found == *entry)
}

fn wildcard(scope: &str) -> Advice {
    (
        Code::WildcardRole,
        "name the resources and the verbs that are needed, as in \
         `resources: [pods], verbs: [get, list]`"
            .into(),
        format!("`*` for resources and verbs allows everything in {scope}, Secrets included"),
    )
}

fn escalating(resource: &str, verb: &str, scope: &str) -> Advice {
    let message = match verb {
        "impersonate" => "who has this role can act as anybody else",
        _ => "who has this role can give any right to anybody",
    };
    (
        Code::RoleEscalation,
        format!("take `{verb}` on `{resource}` out, or name which ones with `resourceNames`"),
        format!("{message} in {scope}"),
    )
}

fn reading(verb: &str, is_named: bool) -> Advice {
    let remedy = match is_named {
        true => "use a Role in the namespaces concerned, or name the Secrets with `resourceNames`",
        false => UNNAMED,
    };
    (
        Code::RoleReadsSecrets,
        remedy.into(),
        format!(
            "`{verb}` on `secrets` reads every Secret of the cluster, tokens and passwords too"
        ),
    )
}

fn running(resource: &str, is_named: bool, scope: &str) -> Advice {
    let remedy = match (is_named, resource) {
        (false, _) => UNNAMED,
        (true, "nodes/proxy") => "take `nodes/proxy` out; for metrics write `nodes/metrics`",
        (true, _) => "take `pods/exec` out, or keep it in a Role of one namespace",
    };
    (
        Code::RoleRunsCommands,
        remedy.into(),
        format!("`{resource}` runs commands in every container of {scope}"),
    )
}

/// The remedy where a resource is not named, but meant by a `*`.
const UNNAMED: &str = "name the resources that are needed instead of `*`";
