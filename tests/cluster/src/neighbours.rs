//! What keeps the tests that share a cluster out of each other's way.
//!
//! Each registers Portcullis for its own namespaces alone. No namespaceSelector
//! holds for what is in no namespace, though: with the pack's `cluster-admin` a
//! test judged the ClusterRoles of all others, and refused them in the moment
//! in which its server was killed.

use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cluster::Cluster;
use crate::kubectl::{Answer, User};
use crate::shared::is_shared;

/// Kinds in no namespace that may be judged in a shared cluster: namespaces
/// are selected by their own labels, and who writes WasmPolicies takes turns.
const HARMLESS: [&str; 2] = ["namespaces", "wasmpolicies.portcullis.dev"];

/// Options of `serve`, so that in a shared cluster no profile judges what is in
/// no namespace.
pub(crate) fn options(cluster: &Cluster, arguments: &[&str]) -> Vec<String> {
    let mut options: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let names_none = arguments
        .windows(2)
        .any(|pair| pair == ["--profile", "none"]);
    let has_profile = arguments.contains(&"--profile") && !names_none;
    // Without either, policies are resources of the cluster.
    let is_default = !arguments.contains(&"--cluster") && !names_none;
    if is_shared(cluster) && (has_profile || is_default) {
        let narrow = crate::root().join("tests/cluster/policies/cluster-admin.yaml");
        options.extend(["--policies".to_owned(), narrow.display().to_string()]);
    }
    options
}

/// Fails if an entry of a configuration judges what other tests make.
pub(crate) fn check(cluster: &Cluster, configuration: &Value) -> Result<()> {
    if !is_shared(cluster) {
        return Ok(());
    }
    let kinds = kinds_without_namespace(cluster)?;
    let entries = configuration["webhooks"].as_array().into_iter().flatten();
    for entry in entries {
        for rule in entry["rules"].as_array().into_iter().flatten() {
            let judged = kinds.iter().find(|kind| covers(rule, kind));
            ensure!(
                judged.is_none(),
                "entry {} judges every {} of a cluster that tests share: let its policies judge \
                 what is in a namespace, or start a cluster of the test's own",
                entry["name"],
                judged.map_or("", String::as_str)
            );
        }
    }
    Ok(())
}

/// RESOURCE.GROUP of what is in no namespace.
fn kinds_without_namespace(cluster: &Cluster) -> Result<&'static [String]> {
    static KINDS: OnceLock<Vec<String>> = OnceLock::new();
    if let Some(kinds) = KINDS.get() {
        return Ok(kinds);
    }
    let list = ["api-resources", "--namespaced=false", "-o", "name"];
    let list = cluster.kubectl(User::Admin, &list, "");
    let list = list.and_then(Answer::ok).context("kinds of the cluster")?;
    let kinds = list.lines().map(str::to_owned);
    let kinds = kinds.filter(|kind| !HARMLESS.contains(&kind.as_str()));
    Ok(KINDS.get_or_init(|| kinds.collect()))
}

/// Whether a rule of a webhook configuration is about a kind in no namespace.
fn covers(rule: &Value, kind: &str) -> bool {
    let (resource, group) = kind.split_once('.').unwrap_or((kind, ""));
    let names = |member: &str, wanted: &str| {
        let mut listed = rule[member].as_array().into_iter().flatten();
        listed.any(|one| {
            let one = one.as_str().unwrap_or_default();
            let one = one.split('/').next().unwrap_or_default();
            one == "*" || one == wanted
        })
    };
    rule["scope"] != "Namespaced" && names("resources", resource) && names("apiGroups", group)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_covers_what_it_names_in_its_scope() {
        let rule = |group: &str, resource: &str, scope: &str| json!({"apiGroups": [group], "resources": [resource], "scope": scope});
        let kind = "clusterroles.rbac.authorization.k8s.io";
        let group = "rbac.authorization.k8s.io";
        assert!(covers(&rule(group, "clusterroles", "*"), kind));
        assert!(covers(&rule("*", "*/*", "*"), kind));
        assert!(covers(&rule("", "nodes/status", "Cluster"), "nodes"));
        assert!(!covers(&rule("*", "*", "Namespaced"), kind));
        assert!(!covers(&rule(group, "roles", "*"), kind));
        assert!(!covers(&rule("", "clusterroles", "*"), kind));
    }
}
