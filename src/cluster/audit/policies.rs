//! The policies of a cluster, loaded once, for who audits it from outside.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Result, bail};
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, Client};

use crate::cluster::gather::Gatherer;
use crate::cluster::object;
use crate::load::taker::Taker;
use crate::pack::Pack;
use crate::policy::PolicySet;
use crate::wasm::Engine;

/// The WasmPolicies of the cluster as its webhook has them in force, in their
/// last good form where they do not load. None where the cluster does not know
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
    taker.take(&candidates)?;
    Ok(Some(taker.set().load_full()))
}
