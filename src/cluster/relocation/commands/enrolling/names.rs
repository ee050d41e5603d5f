//! Whether the names that are kept for Portcullis are free: a pod is given a
//! reference to a Secret that need not exist, so that who had made one of that
//! name before the guard was there could feed it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ListParams};
use kube::core::PartialObjectMeta;
use kube::{Client, ResourceExt};
use portcullis_relocation::marks;
use portcullis_relocation::names::{Half, is_reserved, is_staged, serving};

/// Checks that nobody but Portcullis has made Secrets of such names. From here on
/// the guard sees to it, which has to be in force before anything is enrolled.
///
/// # Errors
///
/// Which Secrets are in the way; what the API server says.
pub(super) async fn check(client: &Client, namespace: &str) -> Result<()> {
    let all = ListParams::default();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secrets = secrets.list_metadata(&all).await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let maps = maps.list_metadata(&all).await;
    let maps = maps.context("the ConfigMaps of the namespace")?;
    let maps = maps.iter().map(|map| (map.uid(), map.name_any()));
    let maps: BTreeMap<Option<String>, String> = maps.collect();
    let secrets = secrets.context("the Secrets of the namespace")?;
    let strange = secrets.iter().filter(|secret| is_strange(secret, &maps));
    let strange: Vec<String> = strange.map(ResourceExt::name_any).collect();
    if strange.is_empty() {
        return Ok(());
    }
    bail!(
        "namespace {namespace} has Secrets whose names are kept for Portcullis and that it did not \
         make: {}; delete them (those with the label {} as one of `relocation.restorers`), and enrol \
         it again",
        strange.join(", "),
        marks::ROLE
    )
}

/// Not made by Portcullis, as far as that can be told. What looks so and is not
/// is harmless: a staged one is read by nobody whose ConfigMap does not name it,
/// and one that serves a ConfigMap is made what it has to be.
fn is_strange(secret: &PartialObjectMeta<Secret>, maps: &BTreeMap<Option<String>, String>) -> bool {
    let name = secret.name_any();
    let serves = || {
        let owners = secret.owner_references().iter();
        let mut maps = owners.filter_map(|owner| maps.get(&Some(owner.uid.clone())));
        maps.any(|map| Half::ALL.iter().any(|half| serving(map, *half) == name))
    };
    let is_ours = secret.labels().contains_key(marks::ROLE) && (is_staged(&name) || serves());
    is_reserved(&name) && !is_ours
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret(name: &str, labels: Value, owner: &str) -> PartialObjectMeta<Secret> {
        let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "app", "uid": owner});
        let metadata = json!({"name": name, "labels": labels, "ownerReferences": [owner]});
        serde_json::from_value(json!({"metadata": metadata})).expect("metadata")
    }

    #[test]
    fn what_others_made_is_told_from_what_is_ours() {
        let maps = BTreeMap::from([(Some("u1".to_owned()), "app".to_owned())]);
        let ours = json!({(marks::ROLE): marks::SERVING});
        let is = |name: &str, labels: &Value, owner: &str| {
            is_strange(&secret(name, labels.clone(), owner), &maps)
        };
        assert!(!is("private", &json!({}), "u1"));
        assert!(!is("portcullis-moved-t-app", &ours, "u1"));
        assert!(!is("portcullis-moved-b-app", &ours, "u1"));
        assert!(!is("portcullis-moved-s-00000000000000aa", &ours, "u2"));
        assert!(is("portcullis-moved-t-app", &json!({}), "u1"));
        assert!(
            is("portcullis-moved-t-app", &ours, "u2"),
            "of a ConfigMap that is gone"
        );
        assert!(
            is("portcullis-moved-t-db", &ours, "u1"),
            "of another ConfigMap"
        );
        assert!(is("portcullis-moved-s-7", &ours, "u1"));
    }
}
