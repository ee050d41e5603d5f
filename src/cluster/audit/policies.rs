//! The policies of a cluster, loaded once, for who audits it from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Result, bail};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use kube::core::{DynamicObject, ObjectMeta};
use kube::{Api, Client, ResourceExt};

use crate::cluster::gather::{self, Gatherer};
use crate::cluster::object;
use crate::cluster::state::{self, Base};
use crate::load::taker::Taker;
use crate::pack::Pack;
use crate::policy::PolicySet;
use crate::source::Found;
use crate::wasm::Engine;

/// The WasmPolicies of the cluster as its webhook has them in force, in their
/// last good form where they do not load, and those of `base` whose name none of
/// them has. None where the cluster does not know
/// the kind. `home` is the namespace of the installation, which it does not
/// judge.
///
/// # Errors
///
/// They may not be listed, or the API server does not answer.
pub async fn of_cluster(
    client: &Client,
    engine: &Arc<Engine>,
    pack: Pack,
    base: Vec<Found>,
    home: &str,
    mut excluded: BTreeSet<String>,
) -> Result<Option<Arc<PolicySet>>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &object::resource());
    let list = match api.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(None),
        Err(kube::Error::Api(status)) if status.code == 403 => bail!(
            "you may not list the cluster's WasmPolicies: give a --profile of the pack, or \
             --policies ({})",
            status.message
        ),
        Err(error) => bail!("the cluster's WasmPolicies cannot be listed: {error}"),
    };
    excluded.insert(home.to_owned());
    let mut gatherer = Gatherer::new(client.clone(), home.to_owned(), pack);
    let mut candidates = vec![];
    for object in &list {
        let gathered = gatherer.gather(object, false).await;
        candidates.extend(gathered.map(|one| one.candidate));
    }
    let mut taker = Taker::new(engine, Arc::new(|policy| policy), excluded);
    let base = gather::base(&pack, base);
    taker.take(gather::over(&base, candidates.iter()))?;
    Ok(Some(taker.set().load_full()))
}

/// The profile that the installation in the namespace `home` has in force
/// beside the WasmPolicies.
///
/// # Errors
///
/// Its state may not be read, or not by anyone.
pub async fn base(client: &Client, home: &str) -> Result<Option<Base>> {
    let stored = state::api::read(&Api::namespaced(client.clone(), home)).await?;
    Ok(stored.state.base)
}

/// Since when each policy of a set is in force as it is now, by its name: a
/// WasmPolicy since it was changed, one of `base` since the profile is.
///
/// # Errors
///
/// What the API server says.
pub async fn in_force_since(
    client: &Client,
    home: &str,
    set: &PolicySet,
) -> Result<BTreeMap<String, Timestamp>> {
    let mut since = changed_at(client).await?;
    let base = base(client, home).await?;
    let said = base.and_then(|base| base.since.parse::<Timestamp>().ok());
    if let Some(said) = said.and_then(|said| said.checked_add(SETTLING).ok()) {
        for policy in set.policies() {
            since.entry(policy.name.to_string()).or_insert(said);
        }
    }
    Ok(since)
}

/// How long a policy may take from its change to the registrations that follow
/// from it, with Ignore at first.
const SETTLING: SignedDuration = SignedDuration::from_secs(10);

/// Since when each WasmPolicy of the cluster is in force as it is now, by its
/// name: ten seconds after somebody last wrote its spec.
///
/// # Errors
///
/// What the API server says.
async fn changed_at(client: &Client) -> Result<BTreeMap<String, Timestamp>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &object::resource());
    let list = api.list(&ListParams::default()).await?;
    let changes = list.items.iter().filter_map(|object| {
        let changed = changed(&object.metadata)?.checked_add(SETTLING).ok()?;
        Some((object.name_any(), changed))
    });
    Ok(changes.collect())
}

/// When anything but its status was written last.
fn changed(metadata: &ObjectMeta) -> Option<Timestamp> {
    let fields = metadata.managed_fields.iter().flatten();
    let writes = fields.filter(|entry| entry.subresource.is_none());
    let last = writes
        .filter_map(|entry| Some(entry.time.as_ref()?.0))
        .max();
    last.or_else(|| Some(metadata.creation_timestamp.as_ref()?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_no_change_of_a_policy() {
        let entry = |time: &str, sub: Option<&str>| {
            serde_json::json!({"manager": "m", "operation": "Apply", "apiVersion": "v1",
                "time": time, "subresource": sub})
        };
        let metadata = |entries: serde_json::Value| -> ObjectMeta {
            let value = serde_json::json!({"creationTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": entries});
            serde_json::from_value(value).expect("metadata")
        };
        let at = |text: &str| Some(text.parse::<Timestamp>().expect("a time"));
        let entries = serde_json::json!([
            entry("2026-01-02T00:00:00Z", None),
            entry("2026-01-03T00:00:00Z", Some("status")),
        ]);
        assert_eq!(changed(&metadata(entries)), at("2026-01-02T00:00:00Z"));
        let none = metadata(serde_json::json!([]));
        assert_eq!(changed(&none), at("2026-01-01T00:00:00Z"));
    }
}
